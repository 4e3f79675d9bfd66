from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detectors.letterbox import MAX_ENLARGEMENT, fit_frame, paste_frame

SIDES = st.integers(1, 5000)
INPUTS = st.sampled_from([(640, 384), (320, 192), (384, 640), (192, 320)])


@given(width=SIDES, height=SIDES, input_wh=INPUTS)
def test_fitted_frame_is_inside_the_input_and_has_pixels(width: int, height: int, input_wh: tuple[int, int]) -> None:
    fit = fit_frame((width, height), input_wh)
    assert 1 <= fit.size_wh[0] <= input_wh[0]
    assert 1 <= fit.size_wh[1] <= input_wh[1]


@given(width=SIDES, height=SIDES, input_wh=INPUTS)
def test_fitted_frame_touches_a_side_unless_enlarging_stops_it(
    width: int, height: int, input_wh: tuple[int, int]
) -> None:
    fit = fit_frame((width, height), input_wh)
    touches = fit.size_wh[0] >= input_wh[0] - 1 or fit.size_wh[1] >= input_wh[1] - 1
    assert touches or max(fit.factor_xy) == pytest.approx(MAX_ENLARGEMENT)


@given(
    width=SIDES,
    height=SIDES,
    input_wh=INPUTS,
    corners=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5),
)
def test_points_map_back_to_where_they_came_from(
    width: int, height: int, input_wh: tuple[int, int], corners: list[tuple[float, float]]
) -> None:
    fit = fit_frame((width, height), input_wh)
    points = np.array(corners, np.float32) * np.array([width, height], np.float32)
    there = (points * np.array(fit.factor_xy, np.float32)).astype(np.float32)
    np.testing.assert_allclose(fit.to_frame(there), points, atol=1e-3 * max(width, height))


def test_points_outside_are_clipped_to_the_frame() -> None:
    fit = fit_frame((100, 50), (640, 384))
    outside = np.array([[-5, -7], [10_000, 10_000]], np.float32)
    assert fit.to_frame(outside).tolist() == [[0, 0], [100, 50]]


def test_frame_of_the_input_size_is_copied_untouched() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (384, 640, 3), np.uint8)
    canvas = np.full((384, 640, 3), 9, np.uint8)
    paste_frame(frame, fit_frame((640, 384), (640, 384)), canvas)
    assert np.array_equal(canvas, frame)


@settings(max_examples=25)
@given(width=st.integers(1, 900), height=st.integers(1, 900))
def test_padding_is_black_whatever_was_there_before(width: int, height: int) -> None:
    frame = np.full((height, width, 3), 200, np.uint8)
    canvas = np.full((192, 320, 3), 77, np.uint8)
    fit = fit_frame((width, height), (320, 192))
    paste_frame(frame, fit, canvas)
    assert (canvas[: fit.size_wh[1], : fit.size_wh[0]] == 200).all()
    assert not canvas[fit.size_wh[1] :].any()
    assert not canvas[:, fit.size_wh[0] :].any()


def test_a_view_of_a_larger_frame_is_accepted() -> None:
    whole = np.random.default_rng(0).integers(0, 256, (300, 500, 3), np.uint8)
    one, other = np.zeros((192, 320, 3), np.uint8), np.zeros((192, 320, 3), np.uint8)
    fit = fit_frame((200, 100), (320, 192))
    paste_frame(whole[50:150, 100:300], fit, one)
    paste_frame(whole[50:150, 100:300].copy(), fit, other)
    assert np.array_equal(one, other)
