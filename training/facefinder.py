"""Finding the face in a one-face picture, so that class folders are cut as the live pipeline cuts scenes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2

from maskwatch.arrays import UInt8Array
from maskwatch.errors import ConfigError
from training.samples import FaceFinder

__all__ = ["yunet_finder"]

BORDER = 0.3
"""Added around the picture, over its longest side: a detector misses faces that touch the edge."""

SIDE_PX = 320
SCORE = 0.6


def yunet_finder(path: Path) -> FaceFinder:
    """Return a function that finds the largest face with a YuNet ONNX file.

    Args:
        path: e.g. OpenCV zoo's `face_detection_yunet_2023mar.onnx`.

    Returns:
        A function from (H, W, 3) uint8 BGR to the box in pixels, or None when no face is found.

    Raises:
        ConfigError: if OpenCV can't use the file.

    Source:
        Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 2023.
    """
    try:
        detector = cv2.FaceDetectorYN.create(str(path), "", (SIDE_PX, SIDE_PX), SCORE)
    except cv2.error as error:
        raise ConfigError(f"face finder {path}: expected a YuNet ONNX file; {error.err}") from error

    def find(picture_bgr: UInt8Array) -> tuple[float, float, float, float] | None:
        longest = max(picture_bgr.shape[:2])
        pad = round(BORDER * longest)
        padded = cv2.copyMakeBorder(picture_bgr, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
        scale = SIDE_PX / max(padded.shape[:2])
        small = cv2.resize(padded, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        detector.setInputSize((small.shape[1], small.shape[0]))
        _, faces = detector.detect(small)
        found: Sequence[Sequence[float]] = [] if faces is None else faces.tolist()
        if not found:
            return None
        x, y, w, h = (float(value) for value in max(found, key=lambda face: face[2] * face[3])[:4])
        box = (x / scale - pad, y / scale - pad, (x + w) / scale - pad, (y + h) / scale - pad)
        height, width = picture_bgr.shape[:2]
        # Clipped to the picture, as the live detector's boxes are to the frame.
        return (max(0.0, box[0]), max(0.0, box[1]), min(float(width), box[2]), min(float(height), box[3]))

    return find
