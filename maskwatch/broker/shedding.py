"""The level of shedding: one for everybody, decided by one worker at a time from what all of them report.

It lives in the disposable Redis and lasts some seconds: when nobody decides any more, everything is as configured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import redis

from maskwatch.broker import keys
from maskwatch.broker.connect import translated
from maskwatch.broker.script import Argument, run_script

__all__ = ["Pressure", "SheddingBook"]

_LOAD_COUNTS_MS = 4000
"""Loads are reported every second; a worker may be busy with one batch for some."""


@dataclass(frozen=True, slots=True)
class Pressure:
    """What there is to do and what is done, over all workers and cameras.

    Attributes:
        workers: that reported lately.
        busy: share of their time that they worked, 0..1, on the average.
        analysed: frames so far.
        lost: frames so far that were replaced by newer ones or grew too old.
        taken: frames so far.
        waited_s: seconds that those taken had waited, in all.
    """

    workers: int
    busy: float
    analysed: int
    lost: int
    taken: int
    waited_s: float


class SheddingBook:
    """Reads, reports and decides; every method is one round trip.

    Every method raises `BrokerDown` when Redis can't be reached and `QueueError` when it answers with an error.
    """

    def __init__(self, client: redis.Redis, *, decide_ms: int = 3000, level_ms: int = 6000) -> None:
        """Use a client.

        Args:
            client: as `connect` makes it.
            decide_ms: for how long a worker that doesn't report keeps others from deciding.
            level_ms: for how long a level lasts when nobody decides; longer than `decide_ms`.
        """
        self._client = client
        self._decide_ms = decide_ms
        self._level_ms = level_ms

    def level(self) -> int:
        """Return the level now; 0 when nobody decides."""
        with translated(self._client, "reading the level of shedding"):
            found = cast(bytes | None, self._client.hget(keys.SHEDDING, "level"))
        return int(found) if found is not None and found.isdigit() else 0

    def report(self, worker: str, busy: float) -> tuple[int, Pressure | None]:
        """Say how busy a worker is; to be repeated every second.

        Args:
            worker: its name.
            busy: share of its time since the last report, 0..1.

        Returns:
            The level, and what there is to decide from if this worker is the one that decides.
        """
        args: list[Argument] = [worker, round(busy * 1000), _LOAD_COUNTS_MS, self._decide_ms, self._level_ms]
        with translated(self._client, "reporting a load"):
            level, *rest = run_script(self._client, "report_load", [keys.LOADS], args)
        if not rest:
            return level, None
        workers, thousandths, analysed, lost, taken, waited_ms = rest
        return level, Pressure(workers, thousandths / 1000, analysed, lost, taken, waited_ms / 1000)

    def change(self, worker: str, before: int, after: int) -> bool:
        """Change the level.

        Returns:
            False when this worker doesn't decide any more, or the level isn't `before`; nothing is changed then.
        """
        with translated(self._client, "changing the level of shedding"):
            return bool(run_script(self._client, "set_level", [keys.SHEDDING], [worker, before, after]))

    def leave(self, worker: str) -> None:
        """Say that a worker ends."""
        with translated(self._client, "taking leave"):
            run_script(self._client, "leave_load", [keys.LOADS], [worker])
