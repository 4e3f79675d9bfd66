"""Masks drawn on bare faces, worn properly and wrongly: real ones that are worn wrongly are too few to learn from.

A mask is an outline, a look and its loops on a flat canvas in face coordinates (`training.facemap`), which is then
laid over the face by its landmarks.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwatch.arrays import Float32Array, UInt8Array
from training.fabric import Fabric, fabric_colour, fabric_look
from training.facemap import Canvas, FaceMap, paint, rounded

__all__ = ["draw_mask"]

X_RANGE, Y_RANGE, HIGH_Y_RANGE = (-1.5, 1.5), (-0.1, 2.75), (-1.0, 1.8)
"""What of the face a mask and its loops can reach, in face coordinates, and one that sits too high."""

LANDMARK_JITTER = 0.03
"""Standard deviation of each landmark over the distance of the eyes: no two masks sit alike, and detectors err."""

Outline = NDArray[np.float64]
HalfOutline = tuple[tuple[float, float], ...]

SURGICAL = (
    (0, 0.32),
    (0.17, 0.37),
    (0.55, 0.53),
    (0.92, 0.50),
    (0.97, 0.62),
    (0.90, 1.05),
    (0.78, 1.4),
    (0.5, 1.8),
    (0, 1.98),
)
CLOTH = (
    (0, 0.28),
    (0.15, 0.34),
    (0.5, 0.56),
    (0.95, 0.52),
    (1.04, 0.66),
    (0.98, 1.05),
    (0.76, 1.5),
    (0.42, 1.86),
    (0, 1.98),
)
BEAK = ((0, 0.22), (0.14, 0.30), (0.45, 0.56), (0.82, 0.78), (0.88, 0.95), (0.74, 1.4), (0.38, 1.84), (0, 2.04))
CUP = ((0, 0.26), (0.24, 0.36), (0.6, 0.65), (0.78, 1.0), (0.72, 1.4), (0.45, 1.8), (0, 1.95))

EAR_TOP, EAR_LOW = (1.14, 0.08), (1.1, 0.62)
"""Where the loops of a mask go."""

EAR_DEPTH = 0.5
"""How much further out an ear is seen per tangent of the turn: it lies behind the surface that is painted on."""

KINDS = (
    (Fabric.PLEATED, 0.5, SURGICAL),
    (Fabric.CLOTH, 0.28, CLOTH),
    (Fabric.BEAK, 0.14, BEAK),
    (Fabric.CUP, 0.08, CUP),
)
"""Kinds of masks: what they are made of, how often they are drawn, the right half of their outline worn properly."""

LEAST_SEEN = 0.6
"""Share of the mask's outline that must be in the picture, or nobody could tell how it is worn."""

HANGING = 0.06
"""Share of wrong masks that hang from one ear: rare in life, most are under the nose or on the chin."""

TOO_HIGH = 0.07
"""Share of wrong masks that are over the nose and leave the mouth free, or over the eyes: people do both, for fun or
to sleep, and a network that hasn't seen it calls it worn properly."""

UNDER_NOSE = 0.55
"""Share of the other wrong masks that cover the mouth and leave the nose free; the rest is on the chin."""


LOOPS_SEEN = 0.9
"""Share of masks whose loops are seen; hair hides the others'. Without them a mask on the chin is any rag."""


def draw_mask(
    patch_bgr: UInt8Array, landmarks_xy: Float32Array, wrong: bool, rng: np.random.Generator
) -> UInt8Array | None:
    """Draw a mask on a bare face.

    Args:
        patch_bgr: (H, W, 3) uint8, the face's surroundings; not modified.
        landmarks_xy: (5, 2) float32 pixels of the patch, as `Sample.landmarks_xy`.
        wrong: draw it under the nose, on the chin, hanging from one ear or too high instead of over nose, mouth and
            chin.
        rng: every random choice comes from it.

    Returns:
        A new (H, W, 3) uint8 BGR, or None where the landmarks don't allow it (a face in profile).
    """
    eyes = float(np.linalg.norm(landmarks_xy[1] - landmarks_xy[0]))
    jittered = landmarks_xy + rng.normal(0, LANDMARK_JITTER * eyes, (5, 2)).astype(np.float32)
    face = FaceMap.from_landmarks(jittered)
    if face is None:
        return None
    fabric, _, usual = KINDS[int(rng.choice(len(KINDS), p=[share for _, share, _ in KINDS]))]
    nose, mouth = face.seen_at(landmarks_xy[2])[1], face.seen_at(landmarks_xy[3:].mean(axis=0))[1]
    turn, place, y_range = float(face.slope[0]), rng.random(), Y_RANGE
    if wrong and place < HANGING:
        outline, loops = _hanging(turn, rng)
    else:
        if not wrong:
            outline = _proper_outline(usual, nose, rng)
        elif place < HANGING + TOO_HIGH:
            outline, y_range = _high_outline(nose, mouth, rng), HIGH_Y_RANGE
            fabric = Fabric.PLEATED  # a dark cloth over the eyes would be sunglasses
        else:
            outline = _wrong_outline(usual, nose, mouth, rng)
        loops = _loops(outline, wrong, turn, rng)
    if _share_inside(face.to_picture(outline), patch_bgr) < LEAST_SEEN:
        return None
    canvas = Canvas.over(face, X_RANGE, y_range)
    _put_on(canvas, fabric, outline, loops, rng)
    return paint(patch_bgr, face, canvas, rng, shadow=rng.uniform(0.1, 0.4))


def _share_inside(points_xy: Outline, patch_bgr: UInt8Array) -> float:
    """Return the share of points that are in the picture."""
    height, width = patch_bgr.shape[:2]
    return float(((points_xy >= 0) & (points_xy < (width, height))).all(axis=1).mean())


def _put_on(
    canvas: Canvas, fabric: Fabric, outline: Outline, loops: Sequence[Outline], rng: np.random.Generator
) -> None:
    """Draw a mask and its loops on the canvas."""
    colour = fabric_colour(fabric, rng)
    _wear_loops(canvas, loops, colour, rng)
    body = np.zeros_like(canvas.alpha)
    canvas.fill(body, outline, 255)
    look = fabric_look(canvas, fabric, colour, outline, rng)
    cv2.copyTo(look, body, canvas.colour)
    np.maximum(canvas.alpha, body, out=canvas.alpha)


def _proper_outline(usual: HalfOutline, nose: float, rng: np.random.Generator) -> Outline:
    """Return the outline of a mask over nose, mouth and chin, a little different every time."""
    half = np.array(usual)
    half[:, 0] *= rng.uniform(0.88, 1.06)
    half[:, 1] = 1.1 + (half[:, 1] - 1.1) * rng.uniform(0.92, 1.06) + rng.uniform(-0.06, 0.12)
    top = min(half[0, 1], nose - 0.15)
    half[:3, 1] += top - half[0, 1]
    return _whole(half, rng)


def _wrong_outline(usual: HalfOutline, nose: float, mouth: float, rng: np.random.Generator) -> Outline:
    """Return the outline of a mask under the nose or on the chin; `nose` and `mouth` are where they are seen."""
    if rng.random() < UNDER_NOSE:
        top, bottom = rng.uniform(nose + 0.1, max(nose + 0.2, mouth - 0.12)), rng.uniform(1.95, 2.2)
        if rng.random() < 0.5:
            return _slipped(usual, top, bottom, rng)
        width, corner = rng.uniform(0.78, 1.0), rng.uniform(-0.2, 0.08)
    else:
        low = mouth + 0.16
        top = rng.uniform(low, low + 0.33)
        bottom = max(1.95, top + rng.uniform(0.45, 0.8))
        width, corner = rng.uniform(0.62, 0.92) - 0.3 * (top - low), rng.uniform(-0.3, 0.0)
    middle = (top + bottom) / 2
    half = np.array([
        (0, top), (0.35 * width, top + 0.15 * corner), (0.85 * width, top + 0.8 * corner), (width, top + corner + 0.08),
        (0.97 * width, middle + 0.3 * corner), (0.62 * width, bottom - 0.14), (0, bottom),
    ])  # fmt: skip
    return _whole(half, rng)


def _high_outline(nose: float, mouth: float, rng: np.random.Generator) -> Outline:
    """Return the outline of a mask that ends above the mouth: over the nose, or over the eyes."""
    if rng.random() < 0.5:
        top, bottom = rng.uniform(0.05, 0.35), max(nose + 0.12, mouth - rng.uniform(0.12, 0.25))
    else:
        top, bottom = rng.uniform(-0.75, -0.45), nose - rng.uniform(0.0, 0.3)
    width = rng.uniform(0.85, 1.02)
    half = np.array([
        (0, top), (0.5 * width, top - 0.02), (0.95 * width, top + 0.08), (width, (top + bottom) / 2),
        (0.9 * width, bottom - 0.1), (0.5 * width, bottom - 0.02), (0, bottom),
    ])  # fmt: skip
    return _whole(half, rng)


def _slipped(usual: HalfOutline, top: float, bottom: float, rng: np.random.Generator) -> Outline:
    """Return a proper mask's outline, moved down; where it went over the nose it is flat, or bulges a little."""
    half = np.array(usual)
    half[:, 0] *= rng.uniform(0.85, 1.0)
    first = half[1, 1]
    half[:, 1] = top + (half[:, 1] - first) * (bottom - top) / (half[-1, 1] - first)
    half[0, 1] = top + rng.uniform(-0.02, 0.04)
    half[1:4, 1] = top + (half[1:4, 1] - top) * rng.uniform(0.0, 1.0)
    return _whole(half, rng)


def _hanging(turn: float, rng: np.random.Generator) -> tuple[Outline, list[Outline]]:
    """Return outline and loop of a mask that hangs from one ear, seen from its narrow side: the nearer ear, if any."""
    side = rng.choice((-1.0, 1.0)) if abs(turn) < 0.2 else -np.sign(turn)
    middle, width, top = rng.uniform(0.9, 1.12), rng.uniform(0.14, 0.32), rng.uniform(0.5, 0.85)
    long = rng.uniform(0.85, 1.35)
    lean = rng.uniform(-0.12, 0.2)
    corners = np.array([
        (middle - width, top + 0.05), (middle + width, top), (middle + width - lean, top + long),
        (middle - width - lean, top + long + rng.uniform(-0.15, 0.15)),
    ]) + rng.normal(0, 0.03, (4, 2))  # fmt: skip
    loop = np.array([corners[0], EAR_TOP, corners[1]])
    flip = np.array([side, 1.0])
    return rounded(corners * flip, 0.1), [loop * flip]


def _whole(half: Outline, rng: np.random.Generator) -> Outline:
    """Return both halves of an outline, each with its own wobble, as a smooth closed line."""
    left = half[1:-1][::-1] * (-1, 1)
    corners = np.concatenate([half, left])
    return rounded(corners + rng.normal(0, 0.018, corners.shape))


def _loops(outline: Outline, wrong: bool, turn: float, rng: np.random.Generator) -> list[Outline]:
    """Return the lines from the mask's corners to the ears; the ear of a turned head's near side is far back."""
    loops = []
    low = outline[:, 1].max() - 0.35 * np.ptp(outline[:, 1])
    for side in (-1.0, 1.0):
        far = outline[:, 0] * side > 0.8 * (outline[:, 0] * side).max()
        rim = outline[far]
        upper, lower = rim[rim[:, 1].argmin()], rim[np.abs(rim[:, 1] - low).argmin()]
        for corner, ear in ((upper, EAR_TOP), (lower, EAR_LOW)):
            back = EAR_DEPTH * max(0.0, -side * turn)
            end = np.add(ear, (back, 0)) * (side, 1) + rng.normal(0, 0.05, 2)
            sag = (corner + end) / 2 + np.array([side * 0.03, rng.uniform(0.0, 0.1 if wrong else 0.04)])
            loops.append(np.array([corner * (0.97, 1), sag, end]))
    return loops


def _wear_loops(canvas: Canvas, loops: Sequence[Outline], colour: Float32Array, rng: np.random.Generator) -> None:
    """Draw the loops: white or in the mask's colour, thin as elastic or wide as cloth; some are hidden by hair."""
    canvas.colour[:] = colour if rng.random() < 0.4 else int(rng.integers(180, 240))
    if rng.random() < LOOPS_SEEN:
        width, opacity = rng.uniform(0.02, 0.055), int(rng.integers(130, 256))
        for loop in loops:
            canvas.line(loop, width, opacity)
