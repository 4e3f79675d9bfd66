"""What gives way at which level of shedding, and which frames of a camera are left out.

One number says it all: every process derives from it what it has to do. Levels are climbed and come back one after the
other: first the cameras' rates are lowered, all by the same factor, then the detector's profile, then how often known
faces are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LEAST_FPS_LEVEL", "Shedding", "Thinner"]

_STEP = 0.9
"""Factor of one level: workers that can't do everything still do nine tenths of what they could, at least."""

LEAST_FPS_LEVEL = 13
"""Beyond it the cameras' rates fall no further: a quarter is left then, 1.3 frames a second of 5."""


@dataclass(frozen=True, slots=True)
class Shedding:
    """What a level means.

    Attributes:
        level: 0 (all as configured) to `MOST`; anything beyond counts as that.
    """

    level: int = 0

    FAST = LEAST_FPS_LEVEL + 1
    RARE = LEAST_FPS_LEVEL + 2
    MOST = RARE

    @property
    def fps_factor(self) -> float:
        """By which every camera's `fps` is multiplied; more than 0, at most 1."""
        return float(_STEP ** min(max(self.level, 0), LEAST_FPS_LEVEL))

    @property
    def is_fast(self) -> bool:
        """Whether detectors of every camera run in the profile `fast`."""
        return self.level >= self.FAST

    @property
    def is_rare(self) -> bool:
        """Whether known faces are looked at less often."""
        return self.level >= self.RARE

    @property
    def words(self) -> str:
        """What gives way, for a person; empty at level 0."""
        if self.level <= 0:
            return ""
        parts = [f"{round(100 * self.fps_factor)} % of the frames"]
        parts += ["profile fast"] if self.is_fast else []
        parts += ["known faces looked at less often"] if self.is_rare else []
        return ", ".join(parts)


class Thinner:
    """Leaves out frames of one camera, evenly, so that a share of them remains.

    Args:
        phase: how soon a frame remains when the first are left out, 0..1: with 1 the very next one. Cameras that obey
            at the same moment have different phases; with the same one they would send all at once, and then nobody.
    """

    def __init__(self, phase: float = 1.0) -> None:
        self._credit = phase

    def keeps(self, factor: float) -> bool:
        """Tell whether the next frame remains.

        Args:
            factor: share of the frames that is to remain, 0..1; it may change from frame to frame.
        """
        if factor >= 1.0:
            return True
        # A little is forgiven: sums of 0.1 aren't whole.
        is_kept = self._credit >= 1.0 - 1e-9
        self._credit += factor - is_kept
        return is_kept
