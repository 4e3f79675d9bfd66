"""From a source's size to the size that is analysed."""

from __future__ import annotations

import cv2
import numpy as np

from maskwatch.arrays import UInt8Array

__all__ = ["grey_of", "scaled", "target_size", "turned"]

_ROWS_A_CELL = 4
_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def target_size(size_wh: tuple[int, int], width: int | None, rotate: int = 0) -> tuple[int, int]:
    """Tell to which size a picture is scaled, before it is turned.

    Args:
        size_wh: of the source, in pixels.
        width: greatest width of the turned picture; None leaves the size alone.
        rotate: by how many degrees it will be turned, a multiple of 90.

    Returns:
        Width and height with the source's aspect, never larger, even where it was scaled or is at least 2: what JPEG
        and H.264 with halved colour want.
    """
    source_width, source_height = size_wh
    across = source_height if rotate % 180 else source_width
    factor = 1.0 if width is None else min(1.0, width / across)
    return _even(source_width * factor, source_width), _even(source_height * factor, source_height)


def scaled(frame_bgr: UInt8Array, width: int | None, rotate: int = 0) -> UInt8Array:
    """Scale and turn a picture that is in memory.

    Args:
        frame_bgr: (H, W, 3) uint8; not modified.
        width: as in `target_size`.
        rotate: 0, 90, 180 or 270 degrees clockwise.

    Returns:
        (H', W', 3) uint8; the same array when nothing is to do.
    """
    source_wh = (int(frame_bgr.shape[1]), int(frame_bgr.shape[0]))
    size_wh = source_wh if width is None else target_size(source_wh, width, rotate)
    if size_wh != source_wh:
        frame_bgr = np.asarray(cv2.resize(frame_bgr, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    return turned(frame_bgr, rotate)


def grey_of(luma: UInt8Array, width: int | None, rotate: int, cell_px: int) -> UInt8Array:
    """Scale a grey picture to a fraction of the size at which it would be analysed; each pixel is a mean.

    Args:
        luma: (H, W) uint8; not modified.
        width: as in `target_size`.
        rotate: as in `target_size`; the result isn't turned.
        cell_px: how many times smaller than the analysed size.

    Returns:
        (H', W') uint8, a new array; no side is shorter than 1.
    """
    size_wh = target_size((int(luma.shape[1]), int(luma.shape[0])), width, rotate)
    small_wh = (max(1, size_wh[0] // cell_px), max(1, size_wh[1] // cell_px))
    # Means of some of a large picture's rows are as calm as those of all, at a fraction of the time.
    step = max(1, luma.shape[0] // (small_wh[1] * _ROWS_A_CELL))
    return np.asarray(cv2.resize(luma[::step], small_wh, interpolation=cv2.INTER_AREA), np.uint8)


def turned(frame_bgr: UInt8Array, rotate: int) -> UInt8Array:
    """Turn a picture by 0, 90, 180 or 270 degrees clockwise."""
    return frame_bgr if rotate == 0 else np.asarray(cv2.rotate(frame_bgr, _TURNS[rotate]), np.uint8)


def _even(length: float, most: int) -> int:
    even = 2 * round(length / 2)
    if even > most:
        even -= 2
    return max(even, min(2, most))
