"""Says every few seconds that a process is alive, and where its metrics are."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from maskwatch.broker.messages import ProcessInfo
from maskwatch.broker.processes import ProcessBook
from maskwatch.errors import QueueError

__all__ = ["Registration"]

_EVERY_S = 3.0


class Registration:
    """One process in the book; a Redis that is away is the business of who calls.

    Args:
        book: of all processes.
        info: of this one.
    """

    def __init__(self, book: ProcessBook, info: ProcessInfo) -> None:
        self._book = book
        self._info = info
        self._next_s = 0.0

    def beat(self, models: Sequence[str] = ()) -> None:
        """Register when it is time, with the models that speak now.

        Raises:
            QueueError: if Redis can't be asked.
        """
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + _EVERY_S
            self._book.register(replace(self._info, models=tuple(models)))

    def leave(self) -> None:
        """Strike this process out, where Redis answers."""
        with suppress(QueueError):
            self._book.leave(self._info)
