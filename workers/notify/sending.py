"""Sends messages to one receiver through a process of its own, so that no receiver can hold up anybody for long."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from types import TracebackType

from maskwatch.errors import WireError
from maskwatch.settings.notify import ReceiverSettings
from maskwatch.settings.source import scrub
from workers.notify.message import Message
from workers.notify.outcome import Outcome, Result, failed

__all__ = ["SEND_S", "START_S", "Sending", "read_answer"]

SEND_S = 10.0
"""For one message, from handing it over to the answer."""
START_S = 15.0
"""For the process to be ready; Apprise alone takes a second of processor time to import."""
_END_S = 2.0
_LONGEST = 300
_CHILD = [sys.executable, "-P", "-m", "workers.notify.child"]


class Sending:
    """An open way to one receiver.

    A process can be killed whatever it waits for; a thread that hangs in a name's look-up, or on a peer that sends a
    byte a second, can't.

    Args:
        receiver: whom to tell.
        send_s: seconds for one message.
    """

    def __init__(self, receiver: ReceiverSettings, send_s: float = SEND_S) -> None:
        self._receiver = receiver
        self._send_s = send_s
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Sending:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def send(self, message: Message) -> Outcome:
        """Send one message; whatever goes wrong is an outcome, and within bounds."""
        if self._process is None:
            started = self._start()
            if started.result is not Result.SENT:
                self._end()
                return started
        return self._exchange(message.pack(), self._send_s)

    def _start(self) -> Outcome:
        # The receiver goes through the pipe: a command line or an environment could be read by others.
        self._process = subprocess.Popen(  # noqa: S603  # our own module
            _CHILD, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        return self._exchange(json.dumps(_secrets(self._receiver)).encode(), START_S)

    def _exchange(self, line: bytes, within_s: float) -> Outcome:
        """Write a line and read the answer, or end the process when it takes too long."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        is_late = threading.Event()

        def kill() -> None:
            is_late.set()
            process.kill()

        timer = threading.Timer(within_s, kill)
        timer.daemon = True
        timer.start()
        try:
            process.stdin.write(line + b"\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except OSError:
            answer = b""
        finally:
            timer.cancel()
        try:
            return read_answer(answer)
        except WireError:
            self._end()
            return failed(f"no answer within {within_s:.0f} s" if is_late.is_set() else "the sending process died")

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.close()
        except OSError:
            process.kill()
        try:
            process.wait(_END_S)  # it says goodbye to a broker
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def read_answer(line: bytes) -> Outcome:
    """Read what the process answered, and take credentials out of it.

    Raises:
        WireError: if it is no answer, e.g. because the process has died.
    """
    try:
        values = json.loads(line)
        return Outcome(Result(values["result"]), scrub(str(values["text"]))[:_LONGEST])
    except (ValueError, KeyError, TypeError) as error:
        raise WireError(f"answer: expected a line with result and text, received another ({error})") from error


def _secrets(receiver: ReceiverSettings) -> dict[str, str]:
    """Return what the process needs of the receiver."""
    if receiver.webhook is not None:
        assert receiver.secret is not None
        return {"webhook": receiver.webhook.get_secret_value(), "secret": receiver.secret.get_secret_value()}
    if receiver.mqtt is not None:
        return {"mqtt": receiver.mqtt.get_secret_value(), "topic": receiver.topic}
    assert receiver.apprise is not None
    return {"apprise": receiver.apprise.get_secret_value()}
