"""How far a live source has fallen behind: its packets arrive later and later after their timestamps.

That happens when this process is too slow, so that packets wait in the socket's buffers and the delay grows for hours
unnoticed. The smallest delay seen counts as none.
"""

from __future__ import annotations

__all__ = ["Backlog"]

_SLOW_S, _SWIFT_S = 0.5, 0.1
_BEHIND_S = 1.5
_CAUGHT_UP_S = 0.5
_LONGEST_WITHOUT_KEY_S = 5.0
"""Some encoders send no key frame for minutes: then the picture repairs itself while it is decoded."""
_DRIFT = 0.001
"""A camera's clock may run this much slower than ours without the difference being taken for a growing delay."""
_JUMP_BACK_S, _JUMP_S = 1.0, 10.0


class Backlog:
    """Judges packets by timestamp and arrival, and counts the pictures that are left out to catch up."""

    def __init__(self, fps: float) -> None:
        """Begin without a backlog.

        Args:
            fps: at which pictures are due, to count those that are left out.
        """
        self.fps = fps
        self._least_s: float | None = None
        self._last: tuple[float, float] = (0.0, 0.0)
        self._caught_up_s: float | None = None
        self._skipped = 0.0
        self.lag_s = 0.0
        self.is_behind = False
        self.is_slow = False
        """Whether a delay has begun to grow and hasn't gone yet: the time to save what costs no picture that is due."""

    def packet(self, stamp_s: float, arrived_s: float, is_key: bool) -> bool:
        """Judge the next packet.

        Args:
            stamp_s: its timestamp.
            arrived_s: `time.monotonic()` when it was read.
            is_key: whether a picture can be decoded from it alone.

        Returns:
            Whether to decode key frames only, from this packet on.
        """
        passed_s = stamp_s - self._last[0]
        if self._least_s is None or not -_JUMP_BACK_S < passed_s < _JUMP_S:
            self._least_s, passed_s = arrived_s - stamp_s, 0.0
        drifted_s = self._least_s + _DRIFT * max(0.0, arrived_s - self._last[1] if passed_s else 0.0)
        self._least_s = min(drifted_s, arrived_s - stamp_s)
        self._last = (stamp_s, arrived_s)
        self.lag_s = arrived_s - stamp_s - self._least_s
        self.is_slow = self.lag_s > (_SWIFT_S if self.is_slow else _SLOW_S)
        if self.is_behind:
            self._skipped += max(0.0, passed_s) * self.fps
            self.is_behind = not self._may_go_on(arrived_s, is_key)
        elif self.lag_s > _BEHIND_S:
            self.is_behind, self._caught_up_s = True, None
        return self.is_behind

    def take_skipped(self) -> int:
        """Return how many pictures were left out since the last call."""
        skipped, self._skipped = int(self._skipped), 0.0
        return skipped

    def _may_go_on(self, arrived_s: float, is_key: bool) -> bool:
        if self.lag_s > _CAUGHT_UP_S:
            self._caught_up_s = None
            return False
        if self._caught_up_s is None:
            self._caught_up_s = arrived_s
        return is_key or arrived_s - self._caught_up_s > _LONGEST_WITHOUT_KEY_S
