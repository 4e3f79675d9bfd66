"""What every long-running process does before its own work: signals, its parent's death, faults."""

from __future__ import annotations

import ctypes
import faulthandler
import math
import os
import select
import signal
import socket
import sys
import time
import weakref
from types import FrameType

__all__ = ["SAME_WISH_S", "Stop", "die_with_parent", "process_name", "stacks_on_signal", "stop_on_signals"]

SAME_WISH_S = 0.5
"""A signal that follows another this closely is the same wish: systemd, `make` and `timeout` may deliver one twice."""

_PR_SET_PDEATHSIG = 1
"""From Linux' <sys/prctl.h>."""


class Stop:
    """A request to end, that loops look at and sleep on; any thread may ask, and so may a signal's handler.

    There is no lock in it. A `threading.Event` has one: a handler that interrupts its `wait`, or another handler, just
    where the lock is held waits for itself for ever.
    """

    def __init__(self) -> None:
        self._asked = False
        self._bell = os.eventfd(0)
        weakref.finalize(self, os.close, self._bell)

    @property
    def requested(self) -> bool:
        """Whether the process should end."""
        return self._asked

    def request(self) -> None:
        """Ask the process to end; repeated calls change nothing."""
        if not self._asked:
            self._asked = True
            os.eventfd_write(self._bell, 1)

    def wait(self, seconds: float) -> bool:
        """Sleep for at most `seconds`; return at once, with True, when the end is requested."""
        if not self._asked and seconds > 0:
            poll = select.poll()
            poll.register(self._bell, select.POLLIN)  # never read, so that it wakes every thread
            poll.poll(math.ceil(seconds * 1000))
        return self._asked


def process_name() -> str:
    """Return the name that a process has among those of its kind where it was given none: the host's and its number."""
    return f"{socket.gethostname()}-{os.getpid()}"


def stop_on_signals() -> Stop:
    """Turn SIGTERM and SIGINT into a `Stop`, and make SIGUSR1 print every thread's stack to stderr.

    A second SIGTERM or SIGINT ends the process at once, for people who are in a hurry.
    """
    stop = Stop()
    first_at_s = 0.0

    def on_signal(number: int, _frame: FrameType | None) -> None:
        nonlocal first_at_s
        if not stop.requested:
            first_at_s = time.monotonic()
            stop.request()
        elif time.monotonic() - first_at_s > SAME_WISH_S:
            os._exit(128 + number)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    stacks_on_signal()
    return stop


def stacks_on_signal() -> None:
    """Make SIGUSR1, which ends a process that doesn't know it, print every thread's stack to stderr, and faults too."""
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, file=sys.stderr, all_threads=True)


def die_with_parent(parent: int | None = None) -> None:
    """Ask the kernel to kill this process when its parent ends, however that happens; first thing in the child.

    Args:
        parent: number of the process that started this one: if it died before the kernel was asked, nobody would ever
            end this process, which therefore ends here. None doesn't look.

    Raises:
        OSError: if the kernel refuses (not Linux).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl(PR_SET_PDEATHSIG): {os.strerror(number)}; Linux is needed")
    if parent is not None and os.getppid() != parent:
        os._exit(1)
