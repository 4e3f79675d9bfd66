from __future__ import annotations

import numpy as np
import pytest

from maskwatch.errors import ShapeError
from maskwatch.render import card
from maskwatch.render.text import fit, printable, text_size, wrap


@pytest.mark.parametrize("size_wh", [(64, 48), (320, 180), (640, 360), (1920, 1080), (200, 900)])
def test_card_has_its_size_and_text(size_wh: tuple[int, int]) -> None:
    image_bgr = card(size_wh, "offline", ["connection refused", "last picture 4 s ago"])
    assert image_bgr.shape == (size_wh[1], size_wh[0], 3)
    assert image_bgr.dtype == np.uint8
    assert image_bgr.max() > 120


def test_cards_with_other_words_differ() -> None:
    assert not np.array_equal(card((320, 180), "offline", []), card((320, 180), "stalled", []))


def test_backdrop_is_grey_and_dark_and_not_modified() -> None:
    backdrop_bgr = np.zeros((90, 160, 3), np.uint8)
    backdrop_bgr[:] = (20, 80, 250)
    before = backdrop_bgr.copy()
    image_bgr = card((640, 360), "offline", [], backdrop_bgr=backdrop_bgr)
    corner = image_bgr[20:60, 20:60].astype(int)
    assert (corner.max(axis=-1) - corner.min(axis=-1)).max() < 12
    assert corner.mean() < 90
    assert np.array_equal(backdrop_bgr, before)


def test_backdrop_of_a_wrong_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match="backdrop_bgr"):
        card((64, 64), "x", [], backdrop_bgr=np.zeros((4, 4), np.uint8))


def test_card_too_small_for_words_is_a_card_all_the_same() -> None:
    assert card((16, 16), "offline", ["connection refused"]).shape == (16, 16, 3)


def test_too_small_a_card_is_refused() -> None:
    with pytest.raises(ShapeError, match="16x16"):
        card((8, 100), "x", [])


def test_text_is_ascii_and_one_line() -> None:
    assert printable("Tür\nzu  ") == "T?r zu"


def test_long_text_is_broken_and_cut() -> None:
    text = "rtsp://10.0.0.5/stream2 refuses the connection again and again " * 4
    lines = wrap(text, 10, 200, 3)
    assert len(lines) == 3
    assert lines[-1].endswith("..")
    assert all(text_size(line, 10)[0] <= 200 for line in lines)
    assert fit("short", 10, 200) == "short"
    assert fit("anything", 10, 1) == ""
