"""Times of pictures: when those of a file are due, where they are within the epoch, how many a second there were."""

from __future__ import annotations

from collections import deque

__all__ = ["EpochTime", "Pacer", "Rate"]

_LATEST_S = 1.0


class Pacer:
    """Plays a file at its own speed: its first picture now, the others as far apart as their timestamps."""

    def __init__(self) -> None:
        """Start with the first picture that is asked about."""
        self._start_s: float | None = None

    def wait_s(self, media_time_s: float, now_s: float) -> float:
        """Return in how many seconds a picture is due.

        When reading can't keep up, the film is shifted instead of skipping pictures: it plays slower, its frames stay
        as old as they are.

        Args:
            media_time_s: its time in the file.
            now_s: the monotonic clock.
        """
        if self._start_s is None:
            self._start_s = now_s - media_time_s
        ahead_s = self._start_s + media_time_s - now_s
        if ahead_s < -_LATEST_S:
            self._start_s -= ahead_s
        return max(0.0, ahead_s)


class EpochTime:
    """Seconds within a camera's epoch: they go on when its source is opened again, and never fall before the next."""

    def __init__(self) -> None:
        """Begin an epoch."""
        self.last_s = 0.0
        """Of the last picture."""
        self._base_s = 0.0
        self._last_at_s: float | None = None

    def begin(self) -> None:
        """Begin another epoch, whose first picture is at 0."""
        self.last_s, self._base_s, self._last_at_s = 0.0, 0.0, None

    def opened(self, now_s: float) -> None:
        """Go on where the source broke off, plus what has passed since; its own times begin at 0 again."""
        if self._last_at_s is not None:
            self._base_s = self.last_s + max(0.0, now_s - self._last_at_s)

    def picture(self, media_time_s: float, now_s: float) -> None:
        """Take a picture's time since its source was opened."""
        self.last_s, self._last_at_s = self._base_s + media_time_s, now_s


class Rate:
    """Frames per second over the last seconds."""

    def __init__(self, window_s: float = 5.0) -> None:
        """Look back over `window_s`."""
        self._window_s = window_s
        self._times_s: deque[float] = deque(maxlen=1024)

    def add(self, now_s: float, frames: int = 1) -> None:
        """Count a frame, and those before it that were due since the last call but weren't decoded."""
        last_s = self._times_s[-1] if self._times_s else now_s
        while self._times_s and now_s - self._times_s[0] > self._window_s:
            self._times_s.popleft()
        self._times_s.extend(last_s + (now_s - last_s) * (number + 1) / frames for number in range(frames))

    def fps(self, now_s: float) -> float:
        """Return the rate, 0 when no frame came within the window."""
        recent = [at_s for at_s in list(self._times_s) if now_s - at_s <= self._window_s]
        if len(recent) < 2:
            return len(recent) / self._window_s
        # Intervals, not frames: 11 frames within 2 s are 5 a second. The open interval counts once it is the longest.
        span_s = max(recent[-1] - recent[0], 1e-3)
        typical_s = span_s / (len(recent) - 1)
        open_s = now_s - recent[-1]
        return len(recent) / (span_s + open_s) if open_s > 2 * typical_s else 1.0 / typical_s
