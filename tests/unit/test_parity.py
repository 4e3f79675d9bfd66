from __future__ import annotations

from maskwatch.types import Detection
from workers.bench.parity import share_of_partners


def box(left: float) -> Detection:
    return Detection((left, 10.0, left + 40.0, 60.0), 0.9)


def test_boxes_a_pixel_apart_are_the_same() -> None:
    assert share_of_partners([[box(10), box(100)]], [[box(101), box(10)]]) == 1.0


def test_box_that_only_one_engine_finds_has_no_partner() -> None:
    assert share_of_partners([[box(10)], [box(10)]], [[box(10)], []]) == round(2 / 3, 4)
    assert share_of_partners([[box(10)]], [[box(30)]]) == 0.0


def test_frames_without_a_box_say_nothing() -> None:
    assert share_of_partners([[], []], [[], []]) is None
