"""Pictures that stand in for a picture: what a camera without one is doing."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from maskwatch.arrays import UInt8Array, require_image_bgr
from maskwatch.errors import ShapeError
from maskwatch.render.palette import ColourBGR, bgr_from_hex
from maskwatch.render.text import draw_text, fit, printable, text_size, wrap

__all__ = ["card"]

_GROUND: ColourBGR = bgr_from_hex("#161a1f")
_EDGE: ColourBGR = bgr_from_hex("#2c333b")
_TITLE: ColourBGR = bgr_from_hex("#f2f4f6")
_LINES: ColourBGR = bgr_from_hex("#b3bbc4")
_MOST_LINES = 3


def card(
    size_wh: tuple[int, int], title: str, lines: Sequence[str], *, backdrop_bgr: UInt8Array | None = None
) -> UInt8Array:
    """Draw a card with a title and some lines in the middle.

    Args:
        size_wh: width and height of the card in pixels, each at least 16.
        title: a word or two.
        lines: sentences; long ones are broken, what doesn't fit is cut.
        backdrop_bgr: (H, W, 3) uint8, OpenCV order; shown grey and dark behind the text, so that it can't be taken for
            a live picture. Not modified.

    Returns:
        (height, width, 3) uint8, OpenCV order; a new array.

    Raises:
        ShapeError: if the size is smaller, or the backdrop isn't a colour picture.
    """
    width, height = size_wh
    if width < 16 or height < 16:
        raise ShapeError(f"card: expected a size of at least 16x16, received {width}x{height}")
    image_bgr = _ground(width, height, backdrop_bgr)
    side = min(width, round(height * 16 / 9))
    title_px = max(8, min(64, round(side / 24)))
    line_px = max(7, min(36, round(side / 42)))
    room = round(width * 0.88)
    heading = fit(printable(title), title_px, room)
    body: list[str] = []
    for line in lines:
        body += wrap(printable(line), line_px, room, max(1, _MOST_LINES - len(body)))
    body = body[:_MOST_LINES]
    gap = round(line_px * 1.9)
    block = title_px + len(body) * gap
    baseline = max(title_px, (height - block) // 2 + title_px)
    _draw_centred(image_bgr, heading, baseline, title_px, _TITLE)
    for at, line in enumerate(body, start=1):
        _draw_centred(image_bgr, line, baseline + at * gap, line_px, _LINES)
    return image_bgr


def _ground(width: int, height: int, backdrop_bgr: UInt8Array | None) -> UInt8Array:
    image_bgr = np.empty((height, width, 3), np.uint8)
    image_bgr[:] = _GROUND
    if backdrop_bgr is not None:
        require_image_bgr(backdrop_bgr, "backdrop_bgr")
        grey = cv2.cvtColor(cv2.resize(backdrop_bgr, (width, height)), cv2.COLOR_BGR2GRAY)
        dark = cv2.cvtColor(cv2.convertScaleAbs(grey, alpha=0.22), cv2.COLOR_GRAY2BGR)
        image_bgr = cv2.addWeighted(dark, 1.0, image_bgr, 0.5, 0).astype(np.uint8, copy=False)
    line = max(1, min(width, height) // 180)
    cv2.rectangle(image_bgr, (0, 0), (width - 1, height - 1), _EDGE, line)
    return image_bgr


def _draw_centred(image_bgr: UInt8Array, text: str, baseline: int, height_px: int, colour_bgr: ColourBGR) -> None:
    width, _ = text_size(text, height_px)
    draw_text(image_bgr, text, ((image_bgr.shape[1] - width) // 2, baseline), height_px, colour_bgr)
