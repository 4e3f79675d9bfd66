from __future__ import annotations

import numpy as np
import pytest

from maskwatch.arrays import UInt8Array
from maskwatch.errors import ShapeError
from maskwatch.render import VERDICT_STYLES, annotate
from maskwatch.types import LABELS, FrameResult, FrameStatus, MaskLabel, Person, Verdict

BOX = (0.3, 0.4, 0.5, 0.8)


def blank(width: int = 640, height: int = 360) -> UInt8Array:
    return np.full((height, width, 3), 60, np.uint8)


def person(
    verdict: Verdict, *, box: tuple[float, float, float, float] = BOX, seen: bool = True, label: MaskLabel | None = None
) -> Person:
    probabilities = tuple(0.9 if each is label else 0.05 for each in LABELS) if label else ()
    return Person(1, box, 0.9, label, probabilities, verdict, seen)


def drawn(*people: Person, width: int = 640, height: int = 360) -> UInt8Array:
    frame_bgr = blank(width, height)
    annotate(frame_bgr, FrameResult(FrameStatus.OK, (width, height), people))
    return frame_bgr


def coloured(frame_bgr: UInt8Array, verdict: Verdict) -> int:
    return int(np.all(frame_bgr == VERDICT_STYLES[verdict].colour_bgr, axis=-1).sum())


@pytest.mark.parametrize("verdict", list(Verdict))
def test_verdict_has_its_colour_and_no_other(verdict: Verdict) -> None:
    frame_bgr = drawn(person(verdict))
    assert coloured(frame_bgr, verdict) > 200
    assert all(coloured(frame_bgr, other) == 0 for other in Verdict if other is not verdict)


def test_verdicts_differ_without_colour() -> None:
    shapes = []
    for verdict in Verdict:
        frame_bgr = drawn(person(verdict))
        shapes.append(np.any(frame_bgr != 60, axis=-1))
    for at, shape in enumerate(shapes):
        for other in shapes[at + 1 :]:
            assert np.count_nonzero(shape != other) > 100


def test_outlines_differ_below_the_plate() -> None:
    """The box alone tells the verdict, also where the plate is hidden by another one."""
    share = {}
    for verdict in Verdict:
        bottom = drawn(person(verdict))[286:290, 192:320]
        share[verdict] = float(np.any(bottom != 60, axis=-1).any(axis=0).mean())
    assert share[Verdict.WITH_MASK] == 1.0
    assert share[Verdict.UNKNOWN] < share[Verdict.INCORRECT_MASK] < 1.0
    assert len({style.outline for style in VERDICT_STYLES.values()}) == len(Verdict)
    assert len({style.symbol for style in VERDICT_STYLES.values()}) == len(Verdict)


def test_predicted_box_is_thinner() -> None:
    seen = drawn(person(Verdict.WITH_MASK), width=1920, height=1080)
    predicted = drawn(person(Verdict.WITH_MASK, seen=False), width=1920, height=1080)
    column = slice(560, 840)
    assert 0 < coloured(predicted[column], Verdict.WITH_MASK) < coloured(seen[column], Verdict.WITH_MASK)


def test_lines_grow_with_the_picture() -> None:
    def width_of_left_line(width: int, height: int) -> int:
        frame_bgr = drawn(person(Verdict.WITH_MASK), width=width, height=height)
        row = frame_bgr[round(height * 0.7), : round(width * 0.4)]
        return int(np.all(row == VERDICT_STYLES[Verdict.WITH_MASK].colour_bgr, axis=-1).sum())

    assert width_of_left_line(320, 180) == 1
    assert width_of_left_line(1920, 1080) >= 4


@pytest.mark.parametrize("size_wh", [(320, 180), (640, 360), (1920, 1080)])
def test_plate_stays_inside_at_every_edge(size_wh: tuple[int, int]) -> None:
    for box in ((0.0, 0.0, 0.1, 0.1), (0.9, 0.0, 1.0, 0.1), (0.9, 0.9, 1.0, 1.0), (-0.5, -0.5, 1.5, 1.5)):
        frame_bgr = drawn(person(Verdict.WITHOUT_MASK, box=box), width=size_wh[0], height=size_wh[1])
        assert frame_bgr.shape == (size_wh[1], size_wh[0], 3)
        assert coloured(frame_bgr, Verdict.WITHOUT_MASK) > 100


@pytest.mark.parametrize("box", [(0.5, 0.5, 0.5, 0.5), (float("nan"), 0.0, 0.5, 0.5), (0.6, 0.6, 0.4, 0.4)])
def test_empty_or_broken_box_draws_nothing(box: tuple[float, float, float, float]) -> None:
    assert np.array_equal(drawn(person(Verdict.WITH_MASK, box=box)), blank())


def test_label_that_differs_from_the_verdict_is_written_below_the_box() -> None:
    below = slice(292, 320)
    agreeing = drawn(person(Verdict.WITH_MASK, label=MaskLabel.WITH_MASK))
    differing = drawn(person(Verdict.WITH_MASK, label=MaskLabel.WITHOUT_MASK))
    assert np.all(agreeing[below] == 60)
    assert np.any(differing[below] > 200)


def test_nobody_leaves_the_picture_alone() -> None:
    assert np.array_equal(drawn(), blank())


def test_failure_is_written_and_not_shown_as_empty() -> None:
    frame_bgr = blank()
    annotate(frame_bgr, FrameResult(FrameStatus.DECODE_ERROR, note="corrupt JPEG, ümlaut"))
    assert coloured(frame_bgr[330:], Verdict.WITHOUT_MASK) > 1000


def test_wrong_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match="expected"):
        annotate(np.zeros((4, 4), np.uint8), FrameResult(FrameStatus.OK))


def test_one_pixel_picture_is_no_problem() -> None:
    frame_bgr = np.zeros((1, 1, 3), np.uint8)
    annotate(frame_bgr, FrameResult(FrameStatus.DECODE_ERROR, people=(person(Verdict.UNKNOWN),)))
