"""What every long-running process does before its own work: signals, its parent's death, faults."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys
import threading
import time
from types import FrameType

__all__ = ["SAME_WISH_S", "Stop", "die_with_parent", "stop_on_signals"]

SAME_WISH_S = 0.5
"""A signal that follows another this closely is the same wish: systemd, `make` and `timeout` may deliver one twice."""

_PR_SET_PDEATHSIG = 1
"""From Linux' <sys/prctl.h>."""


class Stop:
    """A request to end, that loops look at and sleep on."""

    def __init__(self) -> None:
        self._event = threading.Event()

    @property
    def requested(self) -> bool:
        """Whether the process should end."""
        return self._event.is_set()

    def request(self) -> None:
        """Ask the process to end; repeated calls change nothing."""
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Sleep for at most `seconds`; return at once, with True, when the end is requested."""
        return self._event.wait(seconds)


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
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, file=sys.stderr, all_threads=True)
    return stop


def die_with_parent(signal_number: int = signal.SIGKILL) -> None:
    """Ask the kernel to end this process when its parent ends, however that happens.

    Call it first thing in the child. A parent that died before the call is noticed by the caller comparing
    `os.getppid()` with the pid it expects.

    Raises:
        OSError: if the kernel refuses (not Linux).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl(PR_SET_PDEATHSIG): {os.strerror(number)}; Linux is needed")
