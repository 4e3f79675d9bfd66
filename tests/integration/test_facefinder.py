from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from maskwatch.arrays import UInt8Array
from maskwatch.errors import ConfigError
from tests.support import shared_path
from training.facefinder import yunet_finder

YUNET = "data/weights/face_detection_yunet_2023mar.onnx"


def astronaut_bgr() -> UInt8Array:
    from skimage.data import astronaut

    return np.ascontiguousarray(astronaut()[..., ::-1])  # type: ignore[no-untyped-call]


def test_face_of_a_photograph_is_found_where_it_is() -> None:
    box = yunet_finder(shared_path(YUNET))(astronaut_bgr())
    assert box is not None
    left, top, right, bottom = box
    assert 160 < left < 200
    assert 40 < top < 110
    assert 240 < right < 290
    assert 170 < bottom < 220


def test_box_of_a_tight_picture_stays_inside_it() -> None:
    tight = astronaut_bgr()[70:185, 180:265]
    box = yunet_finder(shared_path(YUNET))(tight)
    assert box is not None
    assert 0 <= box[0] < box[2] <= tight.shape[1]
    assert 0 <= box[1] < box[3] <= tight.shape[0]


def test_picture_without_a_face_gives_none() -> None:
    assert yunet_finder(shared_path(YUNET))(np.full((80, 60, 3), 90, np.uint8)) is None


def test_file_that_is_no_network_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "face.onnx").write_bytes(b"no network")
    with pytest.raises(ConfigError, match="expected a YuNet ONNX file"):
        yunet_finder(tmp_path / "face.onnx")
    with pytest.raises(ConfigError, match="expected a YuNet ONNX file"):
        yunet_finder(tmp_path / "missing.onnx")
