from __future__ import annotations

import time

import numpy as np

from ingest.blackout import Blackout
from ingest.selection import Selection
from maskwatch.media.frame import Grab
from maskwatch.media.loaded import Loaded
from maskwatch.settings import MotionSettings
from maskwatch.types import DropReason

SHED, STILL = DropReason.SHED, DropReason.STILL


class Timer:
    def observe(self, stage: str, seconds: float) -> None:
        assert stage == "motion"


def picture(number: int, brightness: int = 0) -> Grab:
    """The n-th of 10 a second."""
    frame_bgr = np.full((64, 64, 3), 60, np.uint8)
    frame_bgr[:32, :32] += brightness
    return Loaded(number / 10, time.monotonic(), source_bgr=frame_bgr, width=None, rotate=0)


def selection(blackout: Blackout | None = None, **motion: object) -> Selection:
    settings = MotionSettings.model_validate({"hold_s": 0.5, "keepalive_s": 2.0, **motion})
    return Selection(settings, blackout or Blackout(), Timer())


def test_all_is_offered_where_nothing_is_shed_and_motion_does_not_matter() -> None:
    chosen = selection(enabled=False)
    assert [chosen.leaves_out(picture(number), 1.0) for number in range(5)] == [None] * 5
    assert not chosen.is_still
    assert not chosen.may_rest


def test_share_of_the_moving_pictures_is_shed() -> None:
    chosen = selection()
    said = [chosen.leaves_out(picture(number, 90 * (number % 2)), 0.5) for number in range(12)]
    assert said.index(None) <= 2, "which is the first one is a matter of the camera's phase"
    assert said[said.index(None) :] == ([None, SHED] * 6)[: 12 - said.index(None)]


def test_still_pictures_are_still_whatever_is_shed_and_signs_of_life_remain() -> None:
    chosen = selection()
    said = [chosen.leaves_out(picture(number), 0.26) for number in range(60)]
    assert chosen.is_still
    assert said[10:].count(None) == 2, "two signs of life in 5 s"
    assert said[10:].count(SHED) == 0
    assert said[10:].count(STILL) == 48


def test_whoever_begins_to_move_is_offered_at_once() -> None:
    chosen = selection()
    for number in range(33):
        chosen.leaves_out(picture(number), 0.26)
    assert chosen.is_still
    assert chosen.leaves_out(picture(33, 90), 0.26) is None
    assert chosen.leaves_out(picture(34), 0.26) is SHED


def test_what_moves_where_nobody_may_look_is_still() -> None:
    def said(blackout: Blackout) -> list[DropReason | None]:
        chosen = selection(blackout)
        return [chosen.leaves_out(picture(number, 90 * (number % 2)), 1.0) for number in range(20)][10:]

    corner = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5))
    assert said(Blackout()) == [None] * 10
    assert said(Blackout((corner,))).count(None) <= 1, "no more than a sign of life"
