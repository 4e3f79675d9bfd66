"""Making each face look different every time it is shown: what cameras do to pictures, in random amounts.

Most of it undoes what would let the network cheat: faces of one source are sharper, larger or tighter than those of
another, and sources don't hold the labels in equal parts. Drawn masks (`training.drawn`) and covers
(`training.covers`) come first, on the uncut picture, so that everything else happens to them as to real ones.
"""

from __future__ import annotations

import cv2
import numpy as np

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.types import LABELS, MaskLabel
from models.crop import crop_faces
from training.covers import cover_mouth, cover_top
from training.drawn import draw_mask
from training.samples import Sample

__all__ = ["AUGMENTATIONS", "augmented_face", "plain_face"]

AUGMENTATIONS = (
    "geometry",
    "flip",
    "colour",
    "jpeg",
    "blur",
    "shrink",
    "noise",
    "erase",
    "drawn_masks",
    "drawn_wrong",
    "covers",
    "found_boxes",
)
"""What can be switched off, by name. `drawn_masks` switches both kinds of drawn masks off, `drawn_wrong` those that
are worn wrongly alone: their faces then stay bare."""

WITH, BARE, WRONG = (
    LABELS.index(label) for label in (MaskLabel.WITH_MASK, MaskLabel.WITHOUT_MASK, MaskLabel.INCORRECT_MASK)
)

DRAWN = 0.35
"""Share of bare faces that a mask is drawn on. Every drawn mask costs a bare face, of which there are a quarter as
many as masked ones, and a network that sees more drawn masks than real ones learns the drawing."""

DRAWN_WRONG = 0.5
"""Share of them that is worn wrongly. Equal parts: that a mask is drawn says nothing about how it is worn."""

MOUTH_COVERED = 0.10
"""Share of bare faces whose mouth or chin something else hides: rarer in life, but the network's worst mistake."""

TOP_COVERED = 0.08
"""Share of all faces, whatever their label, with sunglasses, a hat, a visor or a fringe added."""

FOUND_BOX = 0.5
"""Share of faces that are cut by the detector's box, as live ones are; the others by the annotator's."""

SHIFT = 0.10
"""Largest shift of the box over its side: detectors and annotators differ by that much."""

SCALE = (0.85, 1.25)
"""Smallest and largest factor on the box's side."""

ROTATION_DEG = 20.0

SHEAR = 0.12
"""Largest sideways shift over height: heads seen from a side and from above, lenses at the rim."""

NOISE = (2.0, 14.0)
"""Least and most standard deviation of noise, of 255: a well lit camera and one at night."""

ERASED_TO = 0.42
"""How far down erasing may reach in the middle of a face: the nose and the mouth decide the label."""

SMALLEST_FACE_PX = 20
"""Faces are shrunk down to this side and enlarged again, as far ones are."""


def plain_face(sample: Sample, size_px: int) -> UInt8Array:
    """Cut a face as the live pipeline does.

    Returns:
        (size_px, size_px, 3) uint8 RGB.
    """
    face: UInt8Array = crop_faces(sample.patch_bgr, np.array([sample.patch_box], np.float32), size_px)[0]
    return face


def augmented_face(
    sample: Sample, size_px: int, rng: np.random.Generator, off: frozenset[str] = frozenset()
) -> tuple[UInt8Array, int]:
    """Cut a face with a jittered box and change it at random; bare faces may get a mask and with it another label.

    Of faces chosen in the shares w, b and i of with_mask, without_mask and incorrect_mask, and with landmarks for all
    bare ones, it returns about w + 0.17 b, 0.65 b and i + 0.17 b; `batches.shares_to_draw` chooses accordingly.

    Args:
        sample: the face.
        size_px: side of the output.
        rng: every random choice comes from it.
        off: names from `AUGMENTATIONS` that are switched off.

    Returns:
        (size_px, size_px, 3) uint8 RGB, and the index of its label, which is the sample's unless a mask was drawn.
    """
    patch, label = _dressed(sample, rng, off)
    found = sample.found_box if "found_boxes" not in off and rng.random() < FOUND_BOX else None
    box = np.array(found or sample.patch_box, np.float32)
    still = "geometry" in off
    face: UInt8Array = crop_faces(patch, (box if still else _jittered(box, rng))[None], size_px)[0]
    if "flip" not in off and rng.random() < 0.5:
        face = np.ascontiguousarray(face[:, ::-1])
    if not still and rng.random() < 0.66:
        face = _turn(face, rng)
    # In the order in which it happens: the scene, the lens, the sensor, the encoder.
    for name, share, change in (
        ("erase", 0.2, _erase),
        ("colour", 0.5, _recolour),
        ("blur", 0.15, _blur),
        ("shrink", 0.45, _shrink),
        ("noise", 0.2, _add_noise),
        ("jpeg", 0.3, _compress),
    ):
        if name not in off and rng.random() < share:
            face = change(face, rng)
    return np.ascontiguousarray(face), label


def _dressed(sample: Sample, rng: np.random.Generator, off: frozenset[str]) -> tuple[UInt8Array, int]:
    """Return the sample's surroundings and its label, with a mask or something else drawn on some of the faces.

    Nothing is drawn over the mouth of a face that wears a mask, and nothing where the landmarks are missing.
    """
    patch, label, marks = sample.patch_bgr, sample.label, sample.landmarks_xy
    choice, wrong = rng.random(), rng.random() < DRAWN_WRONG
    if label == BARE and marks is not None:
        if choice < DRAWN:
            if "drawn_masks" not in off and not (wrong and "drawn_wrong" in off):
                masked = draw_mask(patch, marks, wrong, rng)
                if masked is not None:
                    patch, label = masked, WRONG if wrong else WITH
        elif choice < DRAWN + MOUTH_COVERED and "covers" not in off:
            patch = cover_mouth(patch, marks, rng)
    if rng.random() < TOP_COVERED and "covers" not in off:
        patch = cover_top(patch, sample.patch_box, marks, rng)
    return patch, label


def _jittered(box_xyxy: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Return the box moved and resized as another detector might have drawn it."""
    left, top, right, bottom = box_xyxy.tolist()
    side = max(right - left, bottom - top)
    x = (left + right) / 2 + rng.uniform(-SHIFT, SHIFT) * side
    y = (top + bottom) / 2 + rng.uniform(-SHIFT, SHIFT) * side
    half = side * np.exp(rng.uniform(*np.log(SCALE))) / 2
    return np.array([x - half, y - half, x + half, y + half], np.float32)


def _turn(face: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Rotate and shear a face about its middle."""
    middle = face.shape[0] / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), rng.uniform(-ROTATION_DEG, ROTATION_DEG), 1.0)
    shear = rng.uniform(-SHEAR, SHEAR)
    matrix = matrix @ np.array([[1, shear, -shear * middle], [0, 1, 0], [0, 0, 1]])
    turned = cv2.warpAffine(face, matrix, face.shape[:2], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return turned.astype(np.uint8, copy=False)


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


def _add_noise(face: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Add a sensor's noise, in fine or coarse grain, the same for all colours or for each its own."""
    size = face.shape[0]
    cells = size // int(rng.integers(1, 3))
    shape = (cells, cells, 3 if rng.random() < 0.5 else 1)
    # The sum of two bytes is close enough to normal, and ten times as fast. Its deviation is 104.
    first, second = (np.frombuffer(rng.bytes(shape[0] * shape[1] * shape[2]), np.uint8) for _ in range(2))
    noise: Float32Array = first.astype(np.float32) + second - np.float32(255)
    noise = noise.reshape(shape) * np.float32(rng.uniform(*NOISE) / 104)
    if cells != size:
        noise = cv2.resize(noise, (size, size)).astype(np.float32, copy=False).reshape(size, size, -1)
    noisy: UInt8Array = np.clip(face + noise, 0, 255).astype(np.uint8)
    return noisy


def _compress(face: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Leave JPEG's marks."""
    quality = int(rng.integers(20, 85))
    done, content = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, quality])
    marked = cv2.imdecode(content, cv2.IMREAD_COLOR) if done else None
    return face if marked is None else marked.astype(np.uint8, copy=False)


def _erase(face: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Cover a rectangle of the upper half or the rim with one colour: hats, hands, other heads.

    The lower middle stays, because a covered nose or mouth changes the label.
    """
    size = face.shape[0]
    width, height = (int(side) for side in rng.integers(size // 10, size // 3, 2))
    x, y = int(rng.integers(0, size - width)), int(rng.integers(0, size - height))
    if x < size * 3 // 4 and x + width > size // 4:
        y = int(rng.integers(0, max(1, round(ERASED_TO * size) - height)))
    covered = face.copy()
    covered[y : y + height, x : x + width] = rng.integers(0, 256, 3, dtype=np.uint8)
    return covered
