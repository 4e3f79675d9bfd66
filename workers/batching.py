"""How many frames a worker takes at once, how long a first one waits for others, and how busy the worker is."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["BatchPlan", "BatchSize", "LoadMeter"]

_MEMORY_S = 2.0
"""Time constant with which arrivals are followed."""

_MEMORY_BATCHES = 8
"""So many batches are remembered in what a frame costs."""


class BatchSize:
    """How many turns to take: half after a lost lease, one more after some batches that went well.

    Args:
        most: as configured.
    """

    RECOVER_AFTER = 10

    def __init__(self, most: int) -> None:
        self._most = most
        self._good = 0
        self.now = most

    def lost(self) -> None:
        """A lease ran out before the batch was done."""
        self.now = max(1, self.now // 2)
        self._good = 0

    def went_well(self) -> None:
        """A batch was done in time."""
        self._good += 1
        if self._good >= self.RECOVER_AFTER and self.now < self._most:
            self.now += 1
            self._good = 0


class BatchPlan:
    """Follows what frames cost and how fast they come.

    A batch is as large as fits the time that it may take: all of its frames wait for the last one. A first frame waits
    for others only where one more is likely to come meanwhile, and never while frames are there to be taken (then the
    worker isn't asked: see `FrameQueue.take`).

    Args:
        most: frames in a batch.
        within_s: seconds that a batch may take.
        gather_s: seconds that a first frame may wait for others.
    """

    def __init__(self, most: int, within_s: float, gather_s: float) -> None:
        self._allowed = BatchSize(most)
        self._within_s = within_s
        self._most_gather_s = gather_s
        self._frame_s: float | None = None
        self._rate = 0.0
        self._followed_s: float | None = None

    @property
    def size(self) -> int:
        """Frames to take now."""
        if self._frame_s is None:
            return self._allowed.now
        return max(1, min(self._allowed.now, math.floor(self._within_s / self._frame_s)))

    @property
    def gather_s(self) -> float:
        """Seconds that a first frame should wait now: until the batch is full, at most what is allowed."""
        missing = self.size - 1
        if missing < 1 or self._rate * self._most_gather_s < 1.0:
            return 0.0
        return min(self._most_gather_s, missing / self._rate)

    def took(self, frames: int, now_s: float) -> None:
        """Follow the rate of arrivals.

        Args:
            frames: that were taken; 0 when none came in time.
            now_s: monotonic seconds.
        """
        if self._followed_s is None:
            self._followed_s = now_s
            return
        passed_s = now_s - self._followed_s
        if passed_s <= 0:
            return
        self._followed_s = now_s
        weight = 1.0 - math.exp(-passed_s / _MEMORY_S)
        self._rate += weight * (frames / passed_s - self._rate)

    def worked(self, frames: int, seconds: float) -> None:
        """Learn what a batch took, from its pictures to its results."""
        cost_s = max(1e-6, seconds / frames)
        if self._frame_s is None:
            self._frame_s = cost_s
        else:
            self._frame_s += (cost_s - self._frame_s) / _MEMORY_BATCHES

    def lost(self) -> int:
        """A lease ran out before the batch was done; returns how many frames are taken from now on."""
        self._allowed.lost()
        return self.size

    def went_well(self) -> None:
        """A batch was done in time."""
        self._allowed.went_well()


class LoadMeter:
    """How much of its time a worker works; what isn't waiting for frames is work.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since_s = clock()
        self._idle_s = 0.0
        self._lock = threading.Lock()
        self._worked_s = 0.0
        self._working_since_s: float | None = self._since_s

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Count the body as waiting."""
        with self._lock:
            began_s = self._clock()
            self._worked_s = self._worked_until(began_s)
            self._working_since_s = None
        try:
            yield
        finally:
            with self._lock:
                self._working_since_s = self._clock()
                self._idle_s += self._working_since_s - began_s

    def busy_s(self) -> float:
        """Return the seconds of work so far; it never falls, not by a rounding either. Any thread may ask."""
        with self._lock:
            return self._worked_until(self._clock())

    def _worked_until(self, now_s: float) -> float:
        return self._worked_s + (0.0 if self._working_since_s is None else now_s - self._working_since_s)

    def take(self) -> float:
        """Return the share of the time since the last call that was work, 0..1, and begin anew."""
        now_s = self._clock()
        passed_s, idle_s = now_s - self._since_s, self._idle_s
        self._since_s, self._idle_s = now_s, 0.0
        return 1.0 if passed_s <= 0 else min(1.0, max(0.0, 1.0 - idle_s / passed_s))
