"""Draws a camera's zones onto its picture."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from maskwatch.arrays import Int32Array, UInt8Array, require_image_bgr
from maskwatch.render.palette import ColourBGR
from maskwatch.render.text import draw_text, fit, printable, text_size
from maskwatch.zones import Zone

__all__ = ["draw_zones"]

_INK: ColourBGR = (18, 16, 14)
_LINE: ColourBGR = (240, 240, 240)
_IGNORED: ColourBGR = (120, 120, 120)


def draw_zones(frame_bgr: UInt8Array, zones: Iterable[Zone]) -> None:
    """Draw outlines and names, thin and without a verdict's colour; people are drawn over them.

    Args:
        frame_bgr: (H, W, 3) uint8, OpenCV order; drawn upon.
        zones: of the camera; ignored ones are grey.

    Raises:
        ShapeError: if the frame isn't a colour picture.
    """
    require_image_bgr(frame_bgr)
    height, width = frame_bgr.shape[:2]
    text_px = max(8, min(22, round(min(width, height) / 40)))
    line = max(1, round(min(width, height) / 400))
    for zone in zones:
        colour = _IGNORED if zone.is_ignored else _LINE
        corners = np.round(np.array(zone.polygon_unit) * (width - 1, height - 1)).astype(np.int32)
        cv2.polylines(frame_bgr, [corners], True, _INK, line + 2, cv2.LINE_AA)
        cv2.polylines(frame_bgr, [corners], True, colour, line, cv2.LINE_AA)
        _draw_name(frame_bgr, zone, corners, text_px, colour)


def _draw_name(frame_bgr: UInt8Array, zone: Zone, corners: Int32Array, text_px: int, colour: ColourBGR) -> None:
    """Write a zone's name beside its uppermost corner, within the zone's width."""
    left, right = int(corners[:, 0].min()), int(corners[:, 0].max())
    top_x, top_y = (int(value) for value in min(corners.tolist(), key=lambda corner: (corner[1], corner[0])))
    pad = max(2, text_px // 3)
    name = fit(printable(zone.name), text_px, right - left - 2 * pad)
    if not name:
        return
    text_width, _ = text_size(name, text_px)
    x = max(left, min(top_x, right - text_width - 2 * pad), 0)
    # The plate is dark whatever is behind it, as that of a person's caption is.
    plate = frame_bgr[top_y : top_y + text_px + 2 * pad, x : x + text_width + 2 * pad]
    plate[:] = plate // 3
    draw_text(frame_bgr, name, (x + pad, top_y + pad + text_px), text_px, colour)
