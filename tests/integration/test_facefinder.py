from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from maskwatch.arrays import UInt8Array
from maskwatch.errors import ConfigError
from maskwatch.types import Detection
from tests.support import shared_path
from training.facefinder import FaceFinder, assign_detections, live_finder, yunet_finder

YUNET = "data/weights/face_detection_yunet_2023mar.onnx"


def astronaut_bgr() -> UInt8Array:
    from skimage.data import astronaut

    return np.ascontiguousarray(astronaut()[..., ::-1])  # type: ignore[no-untyped-call]


@pytest.fixture(params=["live", "yunet"])
def finder(request: pytest.FixtureRequest) -> FaceFinder:
    return live_finder() if request.param == "live" else yunet_finder(shared_path(YUNET))


def test_face_of_a_photograph_is_found_where_it_is(finder: FaceFinder) -> None:
    ((face, *_),) = finder([astronaut_bgr()])
    left, top, right, bottom = face.box_xyxy
    assert 160 < left < 200
    assert 40 < top < 110
    assert 240 < right < 290
    assert 170 < bottom < 220
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks_xy
    assert left < right_eye[0] < nose[0] < left_eye[0] < right
    assert top < right_eye[1] < nose[1] < right_mouth[1] < bottom
    assert right_mouth[0] < left_mouth[0]


def test_box_of_a_tight_picture_stays_inside_it(finder: FaceFinder) -> None:
    tight = astronaut_bgr()[70:185, 180:265]
    empty, ((left, top, right, bottom), *_) = (
        [face.box_xyxy for face in faces] for faces in finder([np.full((80, 60, 3), 90, np.uint8), tight])
    )
    assert empty == []
    assert 0 <= left < right <= tight.shape[1]
    assert 0 <= top < bottom <= tight.shape[0]


def test_detection_goes_to_the_box_that_it_overlaps_most() -> None:
    first, second = Detection((0, 0, 10, 10), 0.9), Detection((2, 0, 12, 10), 0.8)
    assert assign_detections([(3, 0, 13, 10), (100, 0, 110, 10)], [first, second]) == [second, None]
    assert assign_detections([(0, 0, 10, 10), (1, 0, 11, 10)], [first, second]) == [first, second]
    assert assign_detections([(0, 0, 10, 10), (1, 0, 11, 10)], [first]) == [first, None]


def test_detection_that_overlaps_little_goes_nowhere() -> None:
    assert assign_detections([(0, 0, 10, 10)], [Detection((5, 0, 15, 10), 0.9)]) == [None]
    assert assign_detections([], [Detection((5, 0, 15, 10), 0.9)]) == []


def test_file_that_is_no_network_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "face.onnx").write_bytes(b"no network")
    with pytest.raises(ConfigError, match="expected a YuNet ONNX file"):
        yunet_finder(tmp_path / "face.onnx")
    with pytest.raises(ConfigError, match="expected a YuNet ONNX file"):
        yunet_finder(tmp_path / "missing.onnx")
