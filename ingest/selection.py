"""Which of the pictures that are due are offered: those in which something moves, or as many of them as can be done."""

from __future__ import annotations

import random
import time

from ingest.blackout import Blackout
from ingest.motion import MotionGate
from ingest.ports import Timer
from maskwatch.media.frame import Grab
from maskwatch.settings import MotionSettings
from maskwatch.shedding import Thinner
from maskwatch.types import DropReason

__all__ = ["Selection"]


class Selection:
    """Judges one camera's pictures, in order.

    Stillness comes first: a picture in which nothing moves is no load that could be shed, and a still scene's signs of
    life are too few to be. Whoever begins to move is offered at once.

    Args:
        motion: which pictures are still.
        blackout: what nobody may see; what moves there doesn't count.
        timer: is told how long looking for motion takes.
    """

    def __init__(self, motion: MotionSettings, blackout: Blackout, timer: Timer) -> None:
        self._gate = MotionGate.of(motion)
        self._blackout = blackout
        self._thinner = Thinner(random.random())
        self._timer = timer

    @property
    def is_still(self) -> bool:
        """Whether nothing moves."""
        return self._gate is not None and self._gate.is_still

    @property
    def may_rest(self) -> bool:
        """Whether the source may be read by its keyframes alone."""
        return self._gate is not None and self._gate.may_rest

    def leaves_out(self, grab: Grab, factor: float) -> DropReason | None:
        """Return why a picture isn't to be offered, or None.

        Args:
            grab: the picture.
            factor: share of the moving pictures that is to remain.

        Raises:
            DecodeError: if the picture can't be read.
        """
        was_still = self.is_still
        if self._gate is not None and not self._moves(grab, self._gate):
            return DropReason.STILL
        if self.is_still:
            return None
        if was_still:
            self._thinner = Thinner()
        return None if self._thinner.keeps(factor) else DropReason.SHED

    def _moves(self, grab: Grab, gate: MotionGate) -> bool:
        began_s = time.monotonic()
        look = gate.judge(self._blackout.grey(grab.grey()), grab.media_time_s)
        self._timer.observe("motion", time.monotonic() - began_s)
        return look.is_wanted
