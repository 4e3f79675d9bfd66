"""Makes faces unrecognisable."""

from __future__ import annotations

import math
from collections.abc import Iterable

import cv2
import numpy as np

from maskwatch.arrays import UInt8Array, require_image_bgr

__all__ = ["blur_faces"]

_CELLS = 5
"""Squares on a side that are left of a face. Recognition wants about twice that many pixels between the eyes alone."""

_MARGIN = 0.2
"""Of the box on each side: hair, ears and chin tell a person too, and detectors cut close."""


def blur_faces(frame_bgr: UInt8Array, boxes_unit: Iterable[tuple[float, float, float, float]]) -> None:
    """Replace faces by a few smooth patches of their colours; what was there can't be computed back.

    Args:
        frame_bgr: (H, W, 3) uint8, OpenCV order; painted upon.
        boxes_unit: left, top, right, bottom in 0..1 of the frame's width and height; parts outside are left out.

    Raises:
        ShapeError: if the frame isn't a colour picture.
    """
    require_image_bgr(frame_bgr)
    height, width = frame_bgr.shape[:2]
    for left, top, right, bottom in boxes_unit:
        if not all(map(math.isfinite, (left, top, right, bottom))) or right <= left or bottom <= top:
            continue
        x_margin, y_margin = _MARGIN * (right - left), _MARGIN * (bottom - top)
        x0, x1 = _span(left - x_margin, right + x_margin, width)
        y0, y1 = _span(top - y_margin, bottom + y_margin, height)
        if x1 > x0 and y1 > y0:
            part = frame_bgr[y0:y1, x0:x1]
            few = cv2.resize(part, (min(_CELLS, x1 - x0), min(_CELLS, y1 - y0)), interpolation=cv2.INTER_AREA)
            smooth = cv2.resize(few, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
            frame_bgr[y0:y1, x0:x1] = smooth.astype(np.uint8, copy=False)


def _span(low: float, high: float, length: int) -> tuple[int, int]:
    return max(0, math.floor(low * length)), min(length, math.ceil(high * length))
