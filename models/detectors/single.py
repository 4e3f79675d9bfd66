"""Finding the face in a picture of one face, so that such pictures are cut as the live pipeline cuts scenes."""

from __future__ import annotations

from collections.abc import Sequence

from maskwatch.arrays import UInt8Array
from maskwatch.types import Profile
from models.detectors.base import Detector

__all__ = ["find_single_faces", "middle_box"]

Box = tuple[float, float, float, float]

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
    found = detector.detect(pictures_bgr, profile)
    return [max((one.box_xyxy for one in detections), key=_area, default=None) for detections in found]


def middle_box(picture_bgr: UInt8Array) -> Box:
    """Return the square in the middle of a picture that a face is assumed to fill."""
    height, width = picture_bgr.shape[:2]
    side = WHOLE_PICTURE_FACE * min(height, width)
    return ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
