"""Fitting frames of any size into a network's input, and finding the way back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import cv2
import numpy as np

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.types import Profile

__all__ = ["MAX_ENLARGEMENT", "Fit", "fit_frame", "input_size_for", "paste_frame"]

MAX_ENLARGEMENT = 2.0
"""Small frames are enlarged at most by this: beyond it there is nothing more to see, only larger blur."""

# Shrinking further than this with bilinear weights skips pixels, and small faces with them. At one half, which is the
# usual 640 px frame at profile fast, bilinear weights average all four pixels and take 0.05 ms instead of 0.8.
_AREA_BELOW = 0.49


@dataclass(frozen=True, slots=True)
class Fit:
    """Where a frame lies in a network's input: at the top left, the rest is black.

    Attributes:
        size_wh: width and height in pixels of the fitted picture, each at least 1.
        factor_xy: input pixels per frame pixel; the two differ a little because sizes are whole.
        frame_wh: width and height in pixels of the frame.
    """

    size_wh: tuple[int, int]
    factor_xy: tuple[float, float]
    frame_wh: tuple[int, int]

    def to_frame(self, points_xy: Float32Array) -> Float32Array:
        """Map points of the input, (..., 2) in pixels, to the frame, clipped to it; a new array."""
        moved = np.asarray(points_xy / np.array(self.factor_xy, np.float32), np.float32)
        return np.clip(moved, 0, np.array(self.frame_wh, np.float32))


def fit_frame(frame_wh: tuple[int, int], input_wh: tuple[int, int]) -> Fit:
    """Compute the largest size that fits, with the frame's proportions and at most `MAX_ENLARGEMENT` times its size.

    Args:
        frame_wh: width and height of the frame, at least 1 each.
        input_wh: width and height of the network's input.
    """
    factor = min(input_wh[0] / frame_wh[0], input_wh[1] / frame_wh[1], MAX_ENLARGEMENT)
    width = min(input_wh[0], max(1, round(frame_wh[0] * factor)))
    height = min(input_wh[1], max(1, round(frame_wh[1] * factor)))
    return Fit((width, height), (width / frame_wh[0], height / frame_wh[1]), frame_wh)


def input_size_for(
    frame_wh: tuple[int, int], profile: Profile, sizes_wh: Collection[tuple[int, int]]
) -> tuple[int, int]:
    """Return the profile's input size, turned upright where that shows a portrait frame larger.

    Args:
        frame_wh: width and height of the frame.
        profile: how much work to spend.
        sizes_wh: the inputs that the network can have.
    """
    width, height = profile.detector_size_wh
    is_upright = frame_wh[1] > frame_wh[0] and (height, width) in sizes_wh
    return (height, width) if is_upright else (width, height)


def paste_frame(frame_bgr: UInt8Array, fit: Fit, canvas: UInt8Array) -> None:
    """Write a fitted frame into one input.

    Args:
        frame_bgr: (H, W, 3) uint8; not modified.
        fit: from `fit_frame` of this frame.
        canvas: (h, w, 3) uint8, written in full: the picture at the top left, zeros elsewhere.
    """
    width, height = fit.size_wh
    if fit.size_wh == fit.frame_wh:
        canvas[:height, :width] = frame_bgr
    else:
        method = cv2.INTER_AREA if min(fit.factor_xy) < _AREA_BELOW else cv2.INTER_LINEAR
        canvas[:height, :width] = cv2.resize(frame_bgr, (width, height), interpolation=method)
    canvas[:height, width:] = 0
    canvas[height:] = 0
