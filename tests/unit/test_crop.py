from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.errors import ShapeError
from models.crop import FILL, MARGIN, crop_faces, face_quality


def frame(height: int = 60, width: int = 80, colour_bgr: tuple[int, int, int] = (10, 120, 240)) -> UInt8Array:
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = colour_bgr
    return picture


def boxes(*rows: tuple[float, float, float, float]) -> Float32Array:
    return np.array(rows, np.float32).reshape(-1, 4)


def test_no_boxes_give_no_faces() -> None:
    assert crop_faces(frame(), boxes(), 32).shape == (0, 32, 32, 3)


def test_faces_are_rgb_and_the_frame_is_untouched() -> None:
    picture = frame()
    before = picture.copy()
    faces = crop_faces(picture, boxes((30, 20, 50, 40)), 32)
    assert faces.shape == (1, 32, 32, 3)
    assert faces.dtype == np.uint8
    assert (faces == (240, 120, 10)).all()
    assert (picture == before).all()


def test_crop_is_the_longest_side_times_the_margin_around_the_centre() -> None:
    picture = frame(100, 100, (0, 0, 0))
    half = 40 * MARGIN / 2
    picture[round(50 - half) : round(50 + half), round(50 - half) : round(50 + half)] = 255
    assert (crop_faces(picture, boxes((40, 30, 60, 70)), 64) == 255).all()
    wider = crop_faces(picture, boxes((40, 28, 60, 72)), 64)[0]
    assert (wider[0] == 0).all()
    assert (wider[:, -1] == 0).all()


def test_parts_outside_the_frame_are_grey() -> None:
    face = crop_faces(frame(), boxes((-20, 10, 20, 50)), 50)[0]
    assert (face[:, :24] == FILL).all()
    assert (face[10:40, 27:] == (240, 120, 10)).all()


@pytest.mark.parametrize("box", [(200, 200, 240, 240), (30, 30, 30, 30), (50, 40, 20, 10), (-90, -90, -10, -10)])
def test_box_without_a_pixel_of_the_frame_is_grey(box: tuple[float, float, float, float]) -> None:
    assert (crop_faces(frame(), boxes(box), 16) == FILL).all()


def test_given_buffer_is_filled_and_returned() -> None:
    out = np.zeros((1, 16, 16, 3), np.uint8)
    assert crop_faces(frame(), boxes((30, 20, 50, 40)), 16, out) is out
    assert out.any()


@pytest.mark.parametrize("shape", [(2, 16, 16, 3), (1, 8, 16, 3)])
def test_buffer_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="out: expected"):
        crop_faces(frame(), boxes((30, 20, 50, 40)), 16, np.zeros(shape, np.uint8))


def test_boxes_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ShapeError, match="finite"):
        crop_faces(frame(), boxes((0, 0, float("nan"), 10)), 16)


def test_integer_and_float_boxes_give_the_same_faces() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    whole = np.array([[10, 5, 40, 45]], np.int32)
    assert (crop_faces(picture, whole, 32) == crop_faces(picture, whole.astype(np.float32), 32)).all()


@given(
    st.tuples(*[st.floats(-1e6, 1e6, width=32)] * 4),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_any_finite_box_gives_a_face(
    box: tuple[float, float, float, float], height: int, width: int, size: int
) -> None:
    assert crop_faces(frame(height, width), boxes(box), size).shape == (1, size, size, 3)


def test_sharpness_falls_with_blur_and_is_zero_on_a_plain_face() -> None:
    import cv2

    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    blurred = cv2.GaussianBlur(picture, (0, 0), 4).astype(np.uint8)
    plain = np.full((64, 64, 3), 90, np.uint8)
    box = boxes(*[(0, 0, 50, 30)] * 3)
    quality = face_quality(np.stack([picture, blurred, plain]), box)
    assert quality.sharpness[0] > 10 * quality.sharpness[1] > 0
    assert quality.sharpness[2] == 0
    assert quality.size_px.tolist() == [50, 50, 50]


def test_small_or_plain_faces_are_not_usable() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    quality = face_quality(picture, boxes((0, 0, 50, 30), (0, 0, 20, 23)))
    assert quality.usable().tolist() == [True, False]
    assert quality.usable(min_sharpness=1e9).tolist() == [False, False]


def test_quality_wants_one_face_per_box() -> None:
    with pytest.raises(ShapeError, match="faces_rgb"):
        face_quality(np.zeros((2, 8, 8, 3), np.uint8), boxes((0, 0, 5, 5)))
