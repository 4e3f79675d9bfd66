"""What a detector says of labelled pictures: boxes as the live pipeline cuts them, and landmarks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.errors import ConfigError
from maskwatch.types import Detection, Profile
from models.scores import overlaps

__all__ = ["FaceFinder", "assign_detections", "live_finder", "yunet_finder"]

FaceFinder = Callable[[Sequence[UInt8Array]], Sequence[tuple[Detection, ...]]]
"""Takes pictures, (H, W, 3) uint8 BGR, and returns each one's faces, boxes in its pixels and clipped to it."""

Box = tuple[float, float, float, float]

LEAST_OVERLAP = 0.35
"""Intersection over union from which a detection is of a labelled face; the sources draw their boxes differently."""

BORDER = 0.3
"""Added around the picture for YuNet, over its longest side: it misses faces that touch the edge."""

YUNET_SIDES_PX = (320, 640)
"""Pictures are enlarged to the first and shrunk to the second, longest side, for YuNet."""

YUNET_SCORE = 0.6


def live_finder() -> FaceFinder:
    """Return a finder that asks the shipped detector, at its accurate profile, as cameras do.

    Raises:
        ModelError: if its files are missing or can't be used.
        EngineUnavailable: if LiteRT isn't there.
    """
    from models.detectors import load_detector

    detector = load_detector()
    return lambda pictures: detector.detect(pictures, Profile.ACCURATE)


def yunet_finder(path: Path) -> FaceFinder:
    """Return a finder that asks a YuNet ONNX file.

    Args:
        path: e.g. OpenCV zoo's `face_detection_yunet_2023mar.onnx`.

    Raises:
        ConfigError: if OpenCV can't use the file.

    Source:
        Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 2023.
    """
    try:
        detector = cv2.FaceDetectorYN.create(str(path), "", (320, 320), YUNET_SCORE)
    except cv2.error as error:
        raise ConfigError(f"face finder {path}: expected a YuNet ONNX file; {error.err}") from error

    def find(picture_bgr: UInt8Array) -> tuple[Detection, ...]:
        longest = max(picture_bgr.shape[:2])
        pad = round(BORDER * longest)
        padded = cv2.copyMakeBorder(picture_bgr, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
        longest = max(padded.shape[:2])
        scale = float(np.clip(longest, *YUNET_SIDES_PX)) / longest
        small = cv2.resize(padded, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        detector.setInputSize((small.shape[1], small.shape[0]))
        _, faces = detector.detect(small)
        size_wh = (picture_bgr.shape[1], picture_bgr.shape[0])
        found = () if faces is None else tuple(_yunet_face(face, scale, pad, size_wh) for face in faces.tolist())
        return tuple(face for face in found if _has_area(face.box_xyxy))

    return lambda pictures: [find(picture) for picture in pictures]


def _has_area(box: Box) -> bool:
    left, top, right, bottom = box
    return right > left and bottom > top


def _yunet_face(values: Sequence[float], scale: float, pad: int, size_wh: tuple[int, int]) -> Detection:
    """Turn YuNet's 15 numbers (x, y, w, h, five points, score) into a detection in the picture's pixels."""
    x, y, w, h = values[:4]
    corners = np.array([[x, y], [x + w, y + h]]) / scale - pad
    # Clipped to the picture, as the live detector's boxes are to the frame.
    (left, top), (right, bottom) = np.clip(corners, 0, size_wh).tolist()
    marks = np.array(values[4:14]).reshape(5, 2) / scale - pad
    return Detection((left, top, right, bottom), values[14], tuple((x, y) for x, y in marks.tolist()))


def assign_detections(boxes: Sequence[Box], found: Sequence[Detection]) -> list[Detection | None]:
    """Return for each labelled box the detection of that face, or None; a detection belongs to one box at most.

    Args:
        boxes: left, top, right, bottom in pixels of the picture.
        found: in the same pixels.
    """
    share = overlaps(_array(boxes), _array([detection.box_xyxy for detection in found]))
    pairs = [(share[row, column], row, column) for row, column in np.argwhere(share >= LEAST_OVERLAP).tolist()]
    result: list[Detection | None] = [None] * len(boxes)
    taken: set[int] = set()
    for _, row, column in sorted(pairs, reverse=True):
        if result[row] is None and column not in taken:
            result[row] = found[column]
            taken.add(column)
    return result


def _array(boxes: Sequence[Box]) -> Float32Array:
    return np.array(boxes, np.float32).reshape(-1, 4)
