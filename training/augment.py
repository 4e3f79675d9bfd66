"""Making each face look different every time it is shown: what cameras do to pictures, in random amounts.

Most of it undoes what would let the network cheat: faces of one source are sharper, larger or tighter than those of
another, and sources don't hold the labels in equal parts.
"""

from __future__ import annotations

import cv2
import numpy as np

from maskwatch.arrays import UInt8Array
from models.crop import crop_faces
from training.samples import Sample

__all__ = ["augmented_face", "plain_face"]

SHIFT = 0.10
"""Largest shift of the box over its side: detectors and annotators differ by that much."""

SCALE = (0.85, 1.25)
"""Smallest and largest factor on the box's side."""

ROTATION_DEG = 20.0
SMALLEST_FACE_PX = 20
"""Faces are shrunk down to this side and enlarged again, as far ones are."""


def plain_face(sample: Sample, size_px: int) -> UInt8Array:
    """Cut a face as the live pipeline does.

    Returns:
        (size_px, size_px, 3) uint8 RGB.
    """
    face: UInt8Array = crop_faces(sample.patch_bgr, np.array([sample.patch_box], np.float32), size_px)[0]
    return face


def augmented_face(sample: Sample, size_px: int, rng: np.random.Generator) -> UInt8Array:
    """Cut a face with a jittered box and change it at random.

    Args:
        sample: the face.
        size_px: side of the output.
        rng: every random choice comes from it.

    Returns:
        (size_px, size_px, 3) uint8 RGB.
    """
    face: UInt8Array = crop_faces(sample.patch_bgr, _jittered(sample, rng)[None], size_px)[0]
    face = _turn(face, rng)
    if rng.random() < 0.5:
        face = _recolour(face, rng)
    if rng.random() < 0.45:
        face = _shrink(face, rng)
    if rng.random() < 0.15:
        face = _blur(face, rng)
    if rng.random() < 0.3:
        face = _compress(face, rng)
    if rng.random() < 0.2:
        face = _erase(face, rng)
    return np.ascontiguousarray(face)


def _jittered(sample: Sample, rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Return the box moved and resized as another detector might have drawn it."""
    left, top, right, bottom = sample.patch_box
    side = max(right - left, bottom - top)
    x = (left + right) / 2 + rng.uniform(-SHIFT, SHIFT) * side
    y = (top + bottom) / 2 + rng.uniform(-SHIFT, SHIFT) * side
    half = side * np.exp(rng.uniform(*np.log(SCALE))) / 2
    return np.array([x - half, y - half, x + half, y + half], np.float32)


def _turn(face: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Mirror half of the faces and rotate two thirds of them."""
    if rng.random() < 0.5:
        face = face[:, ::-1]
    face = np.ascontiguousarray(face)
    if rng.random() < 0.66:
        size = face.shape[0]
        matrix = cv2.getRotationMatrix2D((size / 2, size / 2), rng.uniform(-ROTATION_DEG, ROTATION_DEG), 1.0)
        turned = cv2.warpAffine(face, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        face = turned.astype(np.uint8, copy=False)
    return face


def _recolour(face: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Change brightness, contrast, white balance and saturation; some become grey, as cameras at night."""
    values = face.astype(np.float32)
    grey = values @ np.array([0.299, 0.587, 0.114], np.float32)
    saturation = 0.0 if rng.random() < 0.12 else rng.uniform(0.5, 1.4)
    values = grey[..., None] + (values - grey[..., None]) * np.float32(saturation)
    values *= rng.uniform(0.88, 1.12, 3).astype(np.float32)
    contrast, brightness = rng.uniform(0.6, 1.35), rng.uniform(-40, 40)
    values = (values - 127) * np.float32(contrast) + np.float32(127 + brightness)
    return np.clip(values, 0, 255).astype(np.uint8)


def _shrink(face: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Lose detail by shrinking and enlarging; small sizes are as likely as large ones."""
    size = face.shape[0]
    side = round(np.exp(rng.uniform(np.log(SMALLEST_FACE_PX), np.log(size))))
    small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def _blur(face: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Blur as a lens out of focus or as a movement."""
    if rng.random() < 0.5:
        return cv2.GaussianBlur(face, (0, 0), rng.uniform(0.6, 2.5)).astype(np.uint8, copy=False)
    length = int(rng.integers(3, 10))
    kernel = np.zeros((length, length), np.float32)
    if rng.random() < 0.5:
        kernel[length // 2] = 1 / length
    else:
        kernel[:, length // 2] = 1 / length
    return cv2.filter2D(face, -1, kernel).astype(np.uint8, copy=False)


def _compress(face: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Leave JPEG's marks."""
    quality = int(rng.integers(20, 85))
    done, content = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, quality])
    marked = cv2.imdecode(content, cv2.IMREAD_COLOR) if done else None
    return face if marked is None else marked.astype(np.uint8, copy=False)


def _erase(face: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Cover a rectangle of the upper half or the rim with noise: hats, hands, other heads.

    The lower middle stays, because a covered mouth changes the label.
    """
    size = face.shape[0]
    width, height = (int(side) for side in rng.integers(size // 10, size // 3, 2))
    x, y = int(rng.integers(0, size - width)), int(rng.integers(0, size - height))
    if y + height > size // 2 and x < size * 3 // 4 and x + width > size // 4:
        y = int(rng.integers(0, max(1, size // 2 - height)))
    covered = face.copy()
    covered[y : y + height, x : x + width] = rng.integers(0, 256, 3, dtype=np.uint8)
    return covered
