"""Which frames are due, and when they were by the source's clock: arithmetic on times that are handed in."""

from __future__ import annotations

import math

__all__ = ["MediaClock", "Sampler"]

_EARLY = 0.25
"""Of an interval: how early a frame may come and still be due. Frames of a 5 fps camera come a little early or late;
without this every early one would be left out and the next be taken an interval late."""

_LONGEST_GAP_S = 10.0


class Sampler:
    """Picks frames at a rate, on average exactly, however the source's frames are spaced."""

    def __init__(self, fps: float | None) -> None:
        """Pick `fps` frames a second; None picks all."""
        self._interval_s = None if fps is None else 1.0 / fps
        self._next_s: float | None = None

    def due(self, media_time_s: float) -> bool:
        """Tell whether the frame of this time is to be taken; times must not fall."""
        if self._interval_s is None:
            return True
        if self._next_s is None:
            self._next_s = media_time_s
        if media_time_s < self._next_s - _EARLY * self._interval_s:
            return False
        self._next_s += self._interval_s
        if self._next_s <= media_time_s:
            # The source was slower than asked, or paused: nothing is made up for.
            self._next_s = media_time_s + self._interval_s
        return True

    def passed(self, media_time_s: float, most: int) -> int:
        """Count the frames that were due before the one of this time but weren't looked at.

        Args:
            media_time_s: of the next frame that is; whether that one is due, `due` tells afterwards.
            most: how many frames there were in between; a source that is slower than asked has fewer than were due.
        """
        if self._interval_s is None:
            return most
        if self._next_s is None:
            return 0
        gone = max(0, math.floor((media_time_s - self._next_s) / self._interval_s + _EARLY))
        self._next_s += gone * self._interval_s
        return min(gone, most)


class MediaClock:
    """Seconds since a source's first picture, never falling, whatever its timestamps do."""

    def __init__(self, nominal_fps: float | None, *, by_arrival: bool) -> None:
        """Start at 0.

        Args:
            nominal_fps: as the source states it; how far a picture without a usable timestamp goes on.
            by_arrival: whether such a picture goes on by the time that passed here instead.
        """
        self._step_s = 1.0 / nominal_fps if nominal_fps and 0.1 <= nominal_fps <= 240 else 0.04
        self._by_arrival = by_arrival
        self._stamp_s: float | None = None
        self._arrived_s: float | None = None
        self.time_s = 0.0
        self.pictures = 0

    def advance(self, stamp_s: float | None, arrived_s: float) -> float:
        """Take the next picture's timestamp (None: it has none) and monotonic arrival; return its time."""
        if self._arrived_s is not None:
            passed_s = max(0.0, arrived_s - self._arrived_s) if self._by_arrival else self._step_s
            stamped_s = -1.0 if stamp_s is None or self._stamp_s is None else stamp_s - self._stamp_s
            self.time_s += stamped_s if 0.0 <= stamped_s <= _LONGEST_GAP_S + passed_s else passed_s
        self._stamp_s, self._arrived_s = stamp_s, arrived_s
        self.pictures += 1
        return self.time_s
