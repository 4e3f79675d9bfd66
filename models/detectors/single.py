"""Finding the face in a picture of one face, so that such pictures are cut as the live pipeline cuts scenes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from maskwatch.arrays import UInt8Array
from maskwatch.types import Profile
from models.detectors.base import Detector

__all__ = ["BORDER", "WHOLE_PICTURE_FACE", "find_single_faces", "middle_box"]

Box = tuple[float, float, float, float]

BORDER = 0.3
"""Added around the picture, over its longest side: detectors miss faces that touch the edge."""

WHOLE_PICTURE_FACE = 0.85
"""Where no face is found: the face's side over the picture's shorter side."""


def find_single_faces(
    detector: Detector, pictures_bgr: Sequence[UInt8Array], profile: Profile = Profile.ACCURATE
) -> list[Box | None]:
    """Find the largest face of each picture.

    Args:
        detector: any; its own threshold counts.
        pictures_bgr: (H, W, 3) uint8 BGR each; not modified.
        profile: how much work to spend.

    Returns:
        A box in pixels of each picture, clipped to it, or None where no face was found.
    """
    pads = [round(BORDER * max(picture.shape[:2])) for picture in pictures_bgr]
    padded = [
        np.asarray(cv2.copyMakeBorder(picture, pad, pad, pad, pad, cv2.BORDER_REPLICATE), np.uint8)
        for picture, pad in zip(pictures_bgr, pads, strict=True)
    ]
    boxes: list[Box | None] = []
    for picture, pad, found in zip(pictures_bgr, pads, detector.detect(padded, profile), strict=True):
        height, width = picture.shape[:2]
        inside = [_clipped(one.box_xyxy, pad, width, height) for one in found]
        boxes.append(max((box for box in inside if _area(box) > 0), key=_area, default=None))
    return boxes


def middle_box(picture_bgr: UInt8Array) -> Box:
    """Return the square in the middle of a picture that a face is assumed to fill."""
    height, width = picture_bgr.shape[:2]
    side = WHOLE_PICTURE_FACE * min(height, width)
    return ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)


def _clipped(box: Box, pad: int, width: int, height: int) -> Box:
    left, top, right, bottom = (side - pad for side in box)
    return (max(0.0, left), max(0.0, top), min(float(width), right), min(float(height), bottom))


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
