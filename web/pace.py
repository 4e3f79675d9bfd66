"""How long a request may take to arrive: one that is sent drop by drop would hold a thread of the site for ever."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable
from typing import Any

from cheroot.makefile import StreamReader

__all__ = ["BODY_S", "HEADERS_S", "LEAST_BYTES_PER_S", "PacedReader"]

HEADERS_S = 20.0
"""For all headers of a request; a browser sends them at once."""

BODY_S = 60.0
"""For a body, beside what its length takes at the least pace."""

LEAST_BYTES_PER_S = 16 << 10
"""Of what takes longer: a poor mobile connection sends several times as many."""


class PacedReader(StreamReader):
    """Reads what a client sends, which has to be there in time.

    Args:
        sock: connected, with a time-out for each single piece.
        bufsize: bytes.
        clock: monotonic seconds.
    """

    def __init__(self, sock: socket.socket, bufsize: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._paced = _PacedSocket(sock, clock)
        super(StreamReader, self).__init__(self._paced, bufsize)  # cheroot's would make a plain one of the socket
        self.bytes_read = 0

    @property
    def is_late(self) -> bool:
        """Whether the time was over before everything was there; reading on is refused then."""
        return self._paced.is_late

    def allow(self, seconds: float) -> None:
        """Begin to count anew: what is read from now on has so many seconds, and more the more comes."""
        self._paced.allow(seconds)


class _PacedSocket(socket.SocketIO):
    def __init__(self, sock: socket.socket, clock: Callable[[], float]) -> None:
        super().__init__(sock, "r")
        self._clock = clock
        self._until_s = math.inf
        self.is_late = False

    def allow(self, seconds: float) -> None:
        self._until_s = self._clock() + seconds

    def readinto(self, buffer: Any) -> int | None:
        """Read as `socket.SocketIO` does; the time-out's message is the one by which cheroot knows it."""
        if self.is_late or self._clock() >= self._until_s:
            self.is_late = True
            raise TimeoutError("timed out")
        try:
            count = super().readinto(buffer)
        except TimeoutError:
            self.is_late = True
            raise
        self._until_s += (count or 0) / LEAST_BYTES_PER_S
        return count
