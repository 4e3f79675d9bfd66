"""From an analysed frame, or the reason why there is none, to the JPEG that viewers get."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from maskwatch.arrays import UInt8Array
from maskwatch.broker.messages import Shown
from maskwatch.errors import SourceError
from maskwatch.media.jpeg import decode_jpeg, encode_jpeg
from maskwatch.render import annotate, blur_faces, card, draw_zones
from maskwatch.types import FrameStatus
from web.sight import Sight

__all__ = ["WIDTHS", "paint_card", "paint_frame", "size_for"]

WIDTHS = (320, 480, 640, 960, 1280)
"""Widths that viewers may ask for; each one in use is drawn and encoded once, so there are few."""

_DEFAULT_WH = (640, 360)


def size_for(size_wh: tuple[int, int], width: int) -> tuple[int, int]:
    """Return the size of a picture of `size_wh` for viewers that asked for `width`; never larger, 0 means as it is."""
    if width <= 0 or width >= size_wh[0]:
        return size_wh
    return width, max(16, round(size_wh[1] * width / size_wh[0]))


def paint_frame(shown: Shown, widths: Iterable[int], sight: Sight) -> dict[int, bytes]:
    """Draw zones and the result onto the picture, for each width by itself so that letters stay sharp.

    Args:
        shown: picture and result.
        widths: that viewers asked for.
        sight: the camera's, with its zones; says whether faces are blurred first.

    Returns:
        JPEG by width.

    Raises:
        DecodeError: if the picture can't be decoded.
        SourceUnsupported: if it has more pixels than are decoded here.
    """
    frame_bgr = _picture(shown, sight)
    painted = {}
    for width in widths:
        scaled_bgr = _scaled(frame_bgr, width)
        draw_zones(scaled_bgr, sight.zones)
        annotate(scaled_bgr, shown.result)
        painted[width] = encode_jpeg(scaled_bgr)
    return painted


def paint_card(sight: Sight, last: Shown | None, widths: Iterable[int]) -> dict[int, bytes]:
    """Draw a card that says what a camera is doing, with its last picture grey in the background.

    Args:
        sight: what to say.
        last: the newest analysed frame; None, or one that can't be decoded, leaves the background plain.
        widths: that viewers asked for.

    Returns:
        JPEG by width.
    """
    backdrop_bgr = None
    if last is not None:
        try:
            backdrop_bgr = _picture(last, sight)
        except SourceError:  # the card is what matters, and says why there is no picture
            last = None
    painted = {}
    for width in widths:
        size_wh = size_for(last.size_wh if last else _DEFAULT_WH, width)
        image_bgr = card(
            (max(16, size_wh[0]), max(16, size_wh[1])),
            sight.title,
            [sight.reason] if sight.reason else [],
            backdrop_bgr=backdrop_bgr,
        )
        painted[width] = encode_jpeg(image_bgr)
    return painted


def _picture(shown: Shown, sight: Sight) -> UInt8Array:
    """Return the picture as viewers may see it.

    Where faces are blurred, those are that the analysis of this very picture found, poor detections and predictions
    included. Who isn't known to have been looked for can't be hidden alone: then all of the picture is blurred.
    """
    frame_bgr = decode_jpeg(shown.jpeg, f"picture of {shown.camera}")
    result = shown.result
    if sight.hides_faces or result.faces is not None:
        is_known = result.faces is not None and result.status is FrameStatus.OK
        people = [person.box_unit for person in result.people]
        blur_faces(frame_bgr, [*(result.faces or ()), *people] if is_known else [(0.0, 0.0, 1.0, 1.0)])
    return frame_bgr


def _scaled(frame_bgr: UInt8Array, width: int) -> UInt8Array:
    """Return a picture of its own to draw on."""
    height, own_width = frame_bgr.shape[:2]
    size_wh = size_for((own_width, height), width)
    if size_wh == (own_width, height):
        return frame_bgr.copy()
    return cv2.resize(frame_bgr, size_wh, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
