"""Pictures of events show no face unless the camera allows it."""

from __future__ import annotations

import numpy as np
import pytest

from maskwatch.arrays import UInt8Array
from maskwatch.media import decode_jpeg
from maskwatch.render import blur_faces
from maskwatch.types import Detection, FrameResult, FrameStatus, Person, Snapshots, Verdict
from workers.items import PipelineOutput
from workers.matters import CROWD
from workers.snapshots import snapshot


def chequered() -> UInt8Array:
    """A picture with so much detail that blurring shows."""
    rows, columns = np.indices((360, 640))
    board = ((rows // 4 + columns // 4) % 2 * 255).astype(np.uint8)
    return np.repeat(board[:, :, None], 3, axis=2)


def person(track_id: int, left: float) -> Person:
    return Person(track_id, (left, 0.3, left + 0.1, 0.6), 0.9, None, (), Verdict.WITHOUT_MASK)


def output(picture: UInt8Array | None = None) -> PipelineOutput:
    people = (person(1, 0.1), person(2, 0.5))
    faces = (Detection((64, 108, 128, 216), 0.9), Detection((500, 20, 540, 60), 0.41))
    result = FrameResult(FrameStatus.OK, (640, 360), people)
    return PipelineOutput("lobby", result, b"", chequered() if picture is None else picture, faces=faces)


def detail(picture: UInt8Array, x: int, y: int) -> float:
    """Return how much neighbouring pixels differ in a 20 x 20 part around a point."""
    part = picture[y - 10 : y + 10, x - 10 : x + 10].astype(np.int64)
    return float(np.abs(np.diff(part, axis=1)).mean())


def test_every_face_is_blurred_also_those_of_others_and_those_only_suspected() -> None:
    jpeg = snapshot(output(), 1, Snapshots.BLURRED)
    assert jpeg is not None
    picture = decode_jpeg(jpeg)
    assert picture.shape == (360, 640, 3)
    for place in ((96, 162), (352, 162), (520, 40)):
        assert detail(picture, *place) < 8
    assert detail(picture, 300, 320) > 40


def test_full_picture_keeps_faces() -> None:
    jpeg = snapshot(output(), 1, Snapshots.FULL)
    assert jpeg is not None
    picture = decode_jpeg(jpeg)
    for place in ((96, 162), (352, 162), (520, 40)):
        assert detail(picture, *place) > 40


def test_only_the_one_whom_it_is_about_is_boxed_and_of_a_crowd_all() -> None:
    def is_drawn(track_id: int, x: int) -> bool:
        jpeg = snapshot(output(np.full((360, 640, 3), 128, np.uint8)), track_id, Snapshots.FULL)
        assert jpeg is not None
        return bool(np.ptp(decode_jpeg(jpeg)[150, x - 4 : x + 5].astype(int)) > 60)

    assert (is_drawn(1, 64), is_drawn(1, 320)) == (True, False)
    assert (is_drawn(CROWD, 64), is_drawn(CROWD, 320)) == (True, True)


def test_there_is_none_where_none_may_be_kept() -> None:
    assert snapshot(output(), 1, Snapshots.NONE) is None


def test_frame_itself_is_left_as_it_is() -> None:
    picture = chequered()
    snapshot(output(picture), 1, Snapshots.BLURRED)
    assert np.array_equal(picture, chequered())


@pytest.mark.parametrize(
    "box", [(-1.0, -1.0, 0.01, 0.01), (0.9, 0.9, 2.0, 2.0), (0.5, 0.5, 0.5, 0.7), (float("nan"), 0.0, 1.0, 1.0),
            (0.5, 0.5, 0.501, 0.501), (2.0, 2.0, 3.0, 3.0)]
)  # fmt: skip
def test_odd_boxes_are_blurred_as_far_as_they_are_there(box: tuple[float, float, float, float]) -> None:
    blur_faces(chequered(), [box])
