"""A worker's part in shedding: it reports how busy it is, obeys the level, and decides it when it is its turn to."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from maskwatch.broker.shedding import SheddingBook
from maskwatch.shedding import Shedding
from workers.batching import LoadMeter
from workers.shedding import Controller

__all__ = ["Steering"]

_EVERY_S = 1.0


class Steering:
    """Keeps a worker at the level that all of them agree on.

    Args:
        book: where they agree.
        name: of this worker, unique.
        meter: of this worker.
        controller: decides when it is this worker's turn to.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        book: SheddingBook,
        name: str,
        meter: LoadMeter,
        controller: Controller | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._book = book
        self._name = name
        self._meter = meter
        self._controller = controller or Controller()
        self._clock = clock
        self._next_s = 0.0
        self._shedding = Shedding()
        self._log = structlog.get_logger()

    def step(self) -> Shedding:
        """Report and decide when it is time; return what is to be done.

        Raises:
            QueueError: if Redis can't be reached or answers an error; until it does, what was to be done before holds.
        """
        now_s = self._clock()
        if now_s < self._next_s:
            return self._shedding
        self._next_s = now_s + _EVERY_S
        busy = self._meter.take()
        level, pressure = self._book.report(self._name, busy)
        if pressure is not None:
            wanted = self._controller.step(now_s, level, pressure)
            if wanted != level and self._book.change(self._name, level, wanted):
                self._log.warning(
                    "shedding.raised" if wanted > level else "shedding.lowered",
                    before=level,
                    after=wanted,
                    now=Shedding(wanted).words or "as configured",
                    busy=round(pressure.busy, 2),
                    workers=pressure.workers,
                )
                level = wanted
        self._shedding = Shedding(level)
        return self._shedding

    def leave(self) -> None:
        """Let another worker decide at once.

        Raises:
            QueueError: if Redis can't be reached or answers an error.
        """
        self._book.leave(self._name)
