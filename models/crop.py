"""Cutting faces out of frames: one way, used by training and by the live pipeline alike.

A classifier that is trained on faces cut one way and asked about faces cut another way loses accuracy silently, so
nothing else in this project cuts a face.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwatch.arrays import Float32Array, Int32Array, UInt8Array, require_image_bgr
from maskwatch.errors import ShapeError

__all__ = ["MARGIN", "MIN_FACE_PX", "MIN_SHARPNESS", "FaceQuality", "crop_faces", "face_quality"]

MARGIN = 1.25
"""Side of the square crop over the longest side of the box: chin and the mask's loops stay in the picture."""

FILL = 127
"""Grey of the parts outside the frame; it becomes about 0 after the network's scaling, as its own padding is."""

MIN_FACE_PX = 24
"""Longest side of a box below which a person can't tell the label either, so it doesn't vote."""

MIN_SHARPNESS = 12.0
"""Sharpness below which a face doesn't vote. Validation faces that were blurred on purpose lost two-class accuracy from
0.98 to 0.90 between 12 and 50, and to 0.85 below 12; none of them was below 33 before it was blurred."""

SHARPNESS_SIDE_PX = 32
"""Faces are compared at this size, so that a large face isn't called blurred for being enlarged less."""

Boxes = Float32Array | Int32Array


@dataclass(frozen=True, slots=True)
class FaceQuality:
    """How much can be seen of each face.

    Attributes:
        size_px: (N,) float32, longest side of the box in pixels of the frame.
        sharpness: (N,) float32, variance of the Laplacian of the grey crop at 32x32 pixels; 0 is a plain surface.
    """

    size_px: Float32Array
    sharpness: Float32Array

    def usable(self, min_size_px: float = MIN_FACE_PX, min_sharpness: float = MIN_SHARPNESS) -> NDArray[np.bool_]:
        """Return (N,) bool: True where the face is large and sharp enough to be asked about."""
        return (self.size_px >= min_size_px) & (self.sharpness >= min_sharpness)


def crop_faces(
    frame_bgr: UInt8Array, boxes_xyxy: Boxes, size_px: int = 128, out: UInt8Array | None = None
) -> UInt8Array:
    """Cut a square around each box, `MARGIN` times its longest side, and resize it.

    Shrinking averages areas (no aliasing), enlarging is linear. Parts outside the frame are plain grey.

    Args:
        frame_bgr: (H, W, 3) uint8, OpenCV order; not modified.
        boxes_xyxy: (N, 4) pixels of the frame, right and bottom exclusive; they may leave the frame; N may be 0.
        size_px: side of the square output.
        out: (N, size_px, size_px, 3) uint8 C-contiguous to write into, or None for a new array.

    Returns:
        (N, size_px, size_px, 3) uint8 RGB, same order as the boxes; `out` where it was given.

    Raises:
        ShapeError: if an array has another shape or dtype, or a box isn't finite; the message gives both.
    """
    require_image_bgr(frame_bgr)
    boxes = _require_boxes(boxes_xyxy)
    shape = (len(boxes), size_px, size_px, 3)
    faces = np.empty(shape, np.uint8) if out is None else out
    if faces.shape != shape or faces.dtype != np.uint8 or not faces.flags.c_contiguous:
        raise ShapeError(f"out: expected {shape} uint8 C-contiguous, received {faces.shape} {faces.dtype}")
    for face, box in zip(faces, boxes, strict=True):
        _crop_into(frame_bgr, box, face)
    return faces


def _require_boxes(boxes_xyxy: Boxes) -> NDArray[np.float64]:
    """Return the boxes as (N, 4) float64, or raise ShapeError."""
    boxes = np.asarray(boxes_xyxy, dtype=np.float64)
    if boxes.size == 0:
        return np.zeros((0, 4))
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
        raise ShapeError(f"boxes_xyxy: expected (N, 4) finite numbers, received {boxes.shape} {boxes_xyxy.dtype}")
    return boxes


def _crop_into(frame_bgr: UInt8Array, box: NDArray[np.float64], face_rgb: UInt8Array) -> None:
    """Cut one face into a (S, S, 3) view.

    Only the part inside the frame is resized, into its place in the output: no bordered copy of the frame is made.
    """
    height, width = frame_bgr.shape[:2]
    size = face_rgb.shape[0]
    left, top, right, bottom = box
    # Whole pixels, so that a square inside the frame fills the output to its rim.
    side = round(max(right - left, bottom - top) * MARGIN)
    origin_x, origin_y = round((left + right - side) / 2), round((top + bottom - side) / 2)
    x0, x1 = max(0, origin_x), min(width, origin_x + side)
    y0, y1 = max(0, origin_y), min(height, origin_y + side)
    if side <= 0 or x1 <= x0 or y1 <= y0:
        face_rgb[:] = FILL
        return
    to_x0, to_x1 = _span(x0 - origin_x, x1 - origin_x, size / side, size)
    to_y0, to_y1 = _span(y0 - origin_y, y1 - origin_y, size / side, size)
    part = frame_bgr[y0:y1, x0:x1]
    method = cv2.INTER_AREA if size < side else cv2.INTER_LINEAR
    resized = cv2.resize(part, (to_x1 - to_x0, to_y1 - to_y0), interpolation=method)
    if resized.shape[:2] == (size, size):
        cv2.cvtColor(resized, cv2.COLOR_BGR2RGB, dst=face_rgb)  # numpy takes ten times as long to turn the colours
        return
    face_rgb[:] = FILL
    face_rgb[to_y0:to_y1, to_x0:to_x1] = cv2.cvtColor(resized, cv2.COLOR_BGR2RGB)


def _span(start: int, stop: int, scale: float, size: int) -> tuple[int, int]:
    """Return where a stretch of the source lands in the output: at least one pixel, inside 0..size."""
    first = min(max(0, round(start * scale)), size - 1)
    return first, min(size, max(first + 1, round(stop * scale)))


def face_quality(faces_rgb: UInt8Array, boxes_xyxy: Boxes) -> FaceQuality:
    """Measure size and sharpness of faces that were cut by `crop_faces`.

    Args:
        faces_rgb: (N, S, S, 3) uint8 RGB.
        boxes_xyxy: (N, 4) the boxes they were cut from, in pixels of the frame.

    Raises:
        ShapeError: if the arrays don't belong together.

    Source:
        Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000 (variance of the Laplacian).
    """
    boxes = _require_boxes(boxes_xyxy)
    if faces_rgb.ndim != 4 or faces_rgb.shape[3] != 3 or len(faces_rgb) != len(boxes) or faces_rgb.dtype != np.uint8:
        raise ShapeError(
            f"faces_rgb: expected ({len(boxes)}, S, S, 3) uint8, received {faces_rgb.shape} {faces_rgb.dtype}"
        )
    size_px = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]).astype(np.float32)
    return FaceQuality(size_px, np.array([_sharpness(face) for face in faces_rgb], dtype=np.float32))


def _sharpness(face_rgb: UInt8Array) -> float:
    """Return the variance of the Laplacian of one grey face at 32x32 pixels."""
    small = cv2.resize(face_rgb, (SHARPNESS_SIDE_PX, SHARPNESS_SIDE_PX), interpolation=cv2.INTER_AREA)
    _, deviation = cv2.meanStdDev(cv2.Laplacian(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), cv2.CV_32F))
    return float(deviation[0, 0]) ** 2
