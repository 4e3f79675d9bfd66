from __future__ import annotations

import numpy as np
import pytest

from maskwatch.media.scale import grey_of, scaled, target_size


@pytest.mark.parametrize(
    ("size_wh", "width", "rotate", "expected"),
    [
        ((1920, 1080), 640, 0, (640, 360)),
        ((320, 240), 640, 0, (320, 240)),
        ((960, 506), 640, 0, (640, 338)),
        ((1920, 1080), 640, 90, (1138, 640)),
        ((1281, 721), None, 0, (1280, 720)),
        ((1, 1), 640, 0, (1, 1)),
        ((4000, 3), 640, 0, (640, 2)),
    ],
)
def test_size_never_grows_keeps_its_aspect_and_is_even(
    size_wh: tuple[int, int], width: int | None, rotate: int, expected: tuple[int, int]
) -> None:
    assert target_size(size_wh, width, rotate) == expected


@pytest.mark.parametrize(("rotate", "corner"), [(0, (0, 0)), (90, (0, 3)), (180, (1, 3)), (270, (1, 0))])
def test_turn_is_clockwise(rotate: int, corner: tuple[int, int]) -> None:
    height, width = (2, 4) if rotate in (0, 180) else (4, 2)
    frame_bgr = np.zeros((height, width, 3), np.uint8)
    frame_bgr[0, 0] = 255
    turned = scaled(frame_bgr, None, rotate)
    assert turned.shape == (2, 4, 3)
    assert np.argwhere(turned[:, :, 0] == 255).tolist() == [list(corner)]


def test_grey_picture_is_small_and_its_pixels_are_means() -> None:
    rng = np.random.default_rng(0)
    luma = np.asarray(np.clip(rng.normal(100, 20, (1080, 1920)), 0, 255), np.uint8)
    small = grey_of(luma, 640, 0, 4)
    assert small.shape == (90, 160)
    assert abs(float(small.mean()) - 100) < 1
    assert float(small.std()) < 4
    assert grey_of(luma[:6, :6], 640, 0, 4).shape == (1, 1)
    assert grey_of(luma[:360, :640], 640, 90, 4).shape == (90, 160)
