"""Masks drawn on bare faces, worn properly and wrongly: real ones that are worn wrongly are too few to learn from.

A mask is an outline, a look and its loops on a flat canvas in face coordinates (`training.facemap`), which is then
laid over the face by its landmarks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwatch.arrays import Float32Array, UInt8Array
from training.facemap import Canvas, FaceMap, paint

__all__ = ["CANVAS_SCALE", "draw_mask", "rounded"]

X_RANGE, Y_RANGE = (-1.5, 1.5), (-0.1, 2.75)
"""What of the face a mask and its loops can reach, in face coordinates."""

CANVAS_SCALE = (14.0, 46.0)
"""Least and most pixels of a canvas per unit: the network sees about 40."""

LANDMARK_JITTER = 0.03
"""Standard deviation of each landmark over the distance of the eyes: no two masks sit alike, and detectors err."""

Outline = NDArray[np.float64]

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

PAINTS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "surgical": ((232, 196, 150), (225, 180, 120), (240, 215, 185), (238, 238, 235), (245, 243, 240), (205, 215, 165),
                 (190, 205, 140), (38, 36, 36), (205, 190, 235)),
    "ffp": ((240, 240, 238), (245, 245, 245), (232, 236, 238), (42, 40, 40), (215, 205, 200)),
}  # fmt: skip
"""BGR under plain light."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of mask: how often it is drawn, its outline when worn properly (right half), and its colours."""

    name: str
    share: float
    outline: tuple[tuple[float, float], ...]
    paint: str | None


KINDS = (
    _Kind("surgical", 0.5, SURGICAL, "surgical"),
    _Kind("cloth", 0.28, CLOTH, None),
    _Kind("beak", 0.14, BEAK, "ffp"),
    _Kind("cup", 0.08, CUP, "ffp"),
)


def draw_mask(
    patch_bgr: UInt8Array, landmarks_xy: Float32Array, wrong: bool, rng: np.random.Generator
) -> UInt8Array | None:
    """Draw a mask on a bare face.

    Args:
        patch_bgr: (H, W, 3) uint8, the face's surroundings; not modified.
        landmarks_xy: (5, 2) float32 pixels of the patch, as `Sample.landmarks_xy`.
        wrong: draw it under the nose, on the chin or hanging from one ear instead of over nose, mouth and chin.
        rng: every random choice comes from it.

    Returns:
        A new (H, W, 3) uint8 BGR, or None where the landmarks don't allow it (a face in profile).
    """
    eyes = float(np.linalg.norm(landmarks_xy[1] - landmarks_xy[0]))
    jittered = landmarks_xy + rng.normal(0, LANDMARK_JITTER * eyes, (5, 2)).astype(np.float32)
    face = FaceMap.from_landmarks(jittered)
    if face is None:
        return None
    scale = min(CANVAS_SCALE[1], max(CANVAS_SCALE[0], face.unit_px))
    canvas = Canvas(scale, X_RANGE, Y_RANGE)
    kind = KINDS[int(rng.choice(len(KINDS), p=[kind.share for kind in KINDS]))]
    if wrong and rng.random() < HANGING:
        outline, loops = _hanging(rng)
    else:
        nose = face.seen_at(landmarks_xy[2])[1]
        mouth = face.seen_at(landmarks_xy[3:].mean(axis=0))[1]
        outline = _wrong_outline(kind, nose, mouth, rng) if wrong else _proper_outline(kind, nose, rng)
        loops = _loops(outline, wrong, float(face.slope[0]), rng)
    if _share_inside(face.to_picture(outline), patch_bgr) < LEAST_SEEN:
        return None
    _put_on(canvas, kind, outline, loops, rng)
    return paint(patch_bgr, face, canvas, rng, shadow=rng.uniform(0.1, 0.4))


LEAST_SEEN = 0.6
"""Share of the mask's outline that must be in the picture, or nobody could tell how it is worn."""

HANGING = 0.08
"""Share of wrong masks that hang from one ear: rare in life, most are under the nose or on the chin."""

UNDER_NOSE = 0.55
"""Share of the other wrong masks that cover the mouth and leave the nose free; the rest is on the chin."""


def _share_inside(points_xy: Outline, patch_bgr: UInt8Array) -> float:
    """Return the share of points that are in the picture."""
    height, width = patch_bgr.shape[:2]
    return float(((points_xy >= 0) & (points_xy < (width, height))).all(axis=1).mean())


def _put_on(canvas: Canvas, kind: _Kind, outline: Outline, loops: Sequence[Outline], rng: np.random.Generator) -> None:
    """Draw a mask and its loops on the canvas."""
    colour = _colour(kind, rng)
    _wear_loops(canvas, loops, colour, rng)
    body = np.zeros_like(canvas.alpha)
    canvas.fill(body, outline, 255)
    look = _look(canvas, kind, colour, outline, rng)
    cv2.copyTo(look, body, canvas.colour)
    np.maximum(canvas.alpha, body, out=canvas.alpha)


def _proper_outline(kind: _Kind, nose: float, rng: np.random.Generator) -> Outline:
    """Return the outline of a mask over nose, mouth and chin, a little different every time."""
    half = np.array(kind.outline)
    half[:, 0] *= rng.uniform(0.88, 1.06)
    half[:, 1] = 1.1 + (half[:, 1] - 1.1) * rng.uniform(0.92, 1.06) + rng.uniform(-0.06, 0.08)
    top = min(half[0, 1], nose - 0.15)
    half[:3, 1] += top - half[0, 1]
    return _whole(half, rng)


def _wrong_outline(kind: _Kind, nose: float, mouth: float, rng: np.random.Generator) -> Outline:
    """Return the outline of a mask under the nose or on the chin; `nose` and `mouth` are where they are seen."""
    if rng.random() < UNDER_NOSE:
        top, bottom = rng.uniform(nose + 0.1, max(nose + 0.2, mouth - 0.12)), rng.uniform(1.95, 2.2)
        if rng.random() < 0.5:
            return _slipped(kind, top, bottom, rng)
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


def _slipped(kind: _Kind, top: float, bottom: float, rng: np.random.Generator) -> Outline:
    """Return a proper mask's outline, moved down; where it went over the nose it is flat, or bulges a little."""
    half = np.array(kind.outline)
    half[:, 0] *= rng.uniform(0.85, 1.0)
    first = half[1, 1]
    half[:, 1] = top + (half[:, 1] - first) * (bottom - top) / (half[-1, 1] - first)
    half[0, 1] = top + rng.uniform(-0.02, 0.04)
    half[1:4, 1] = top + (half[1:4, 1] - top) * rng.uniform(0.0, 1.0)
    return _whole(half, rng)


def _hanging(rng: np.random.Generator) -> tuple[Outline, list[Outline]]:
    """Return outline and loop of a mask that hangs from one ear, seen from its narrow side."""
    side = rng.choice((-1.0, 1.0))
    middle, width, top = rng.uniform(0.75, 1.05), rng.uniform(0.18, 0.42), rng.uniform(0.6, 0.95)
    long = rng.uniform(0.8, 1.25)
    lean = rng.uniform(-0.12, 0.2)
    corners = np.array([
        (middle - width, top + 0.05), (middle + width, top), (middle + width - lean, top + long),
        (middle - width - lean, top + long + rng.uniform(-0.15, 0.15)),
    ]) + rng.normal(0, 0.03, (4, 2))  # fmt: skip
    loop = np.array([corners[0], EAR_TOP, corners[1]])
    flip = np.array([side, 1.0])
    return rounded(corners * flip), [loop * flip]


def _whole(half: Outline, rng: np.random.Generator) -> Outline:
    """Return both halves of an outline, each with its own wobble, as a smooth closed line."""
    left = half[1:-1][::-1] * (-1, 1)
    corners = np.concatenate([half, left])
    return rounded(corners + rng.normal(0, 0.018, corners.shape))


def rounded(corners: Outline, cut: float = 0.22) -> Outline:
    """Cut the corners of a closed line (N, 2) twice, each time by a share of its sides: (4N, 2).

    Source: Chaikin, "An algorithm for high-speed curve generation", 1974.
    """
    for _ in range(2):
        after = np.roll(corners, -1, axis=0)
        corners = np.stack([(1 - cut) * corners + cut * after, cut * corners + (1 - cut) * after], axis=1).reshape(
            -1, 2
        )
    return corners


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
    if rng.random() < 0.85:
        width, opacity = rng.uniform(0.02, 0.055), int(rng.integers(130, 256))
        for loop in loops:
            canvas.line(loop, width, opacity)


PATTERNED = 0.45
"""Share of cloth masks with a pattern."""

PRINTED = 0.12
"""Share of plain masks with something on them."""


def _colour(kind: _Kind, rng: np.random.Generator) -> Float32Array:
    """Return the mask's colour, (3,) float32 BGR: of its kind's, or any for cloth, where black is common."""
    if kind.paint is not None:
        paints = PAINTS[kind.paint]
        chosen = np.array(paints[int(rng.integers(len(paints)))], np.float32)
        return np.clip(chosen + rng.normal(0, 8, 3), 12, 250).astype(np.float32)
    if rng.random() < 0.35:
        return (np.float32(rng.uniform(18, 60)) + rng.normal(0, 4, 3)).astype(np.float32)
    return rng.uniform(25, 240, 3).astype(np.float32)


def _look(canvas: Canvas, kind: _Kind, colour: Float32Array, outline: Outline, rng: np.random.Generator) -> UInt8Array:
    """Return the mask's surface, (H, W, 3) uint8 BGR: its colour or pattern, folds and roundness."""
    surface = np.empty(canvas.colour.shape, np.float32)
    surface[:] = colour
    if kind.name == "cloth" and rng.random() < PATTERNED:
        surface = _pattern(canvas, colour, rng)
    elif rng.random() < PRINTED:
        _print(canvas, surface, outline, rng)
    relief = cv2.merge([_relief(canvas, kind, outline, rng)] * 3)
    return cv2.multiply(surface, relief, dtype=cv2.CV_8U).astype(np.uint8, copy=False)


def _pattern(canvas: Canvas, colour: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Return a printed cloth, (H, W, 3) float32: stripes, checks, dots or camouflage."""
    other = rng.uniform(20, 245, 3).astype(np.float32)
    height, width = canvas.alpha.shape
    which = int(rng.integers(4))
    if which == 3:
        cells = int(rng.integers(5, 16))
        spots = cv2.resize(rng.random((cells, cells), np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        third = rng.uniform(20, 220, 3).astype(np.float32)
        blend = np.where((spots > 0.62)[..., None], third, colour)
        return np.where((spots < 0.4)[..., None], other, blend).astype(np.float32)
    angle, period = rng.uniform(0, np.pi), rng.uniform(0.12, 0.4)
    wave = np.float32(2 * np.pi / period)
    along = np.cos((canvas.x * np.float32(np.cos(angle)) + canvas.y * np.float32(np.sin(angle))) * wave)
    across = np.cos((canvas.y * np.float32(np.cos(angle)) - canvas.x * np.float32(np.sin(angle))) * wave)
    level = (along, np.maximum(along, across), along + across - 0.6)[which]
    share = np.clip(level * 4 + 0.5, 0, 1)[..., None]
    return (colour + (other - colour) * share).astype(np.float32)


def _print(canvas: Canvas, surface: Float32Array, outline: Outline, rng: np.random.Generator) -> None:
    """Put something like a logo, a flag or writing on a plain mask."""
    ink = tuple(float(value) for value in rng.uniform(10, 250, 3))
    low, high = outline.min(axis=0), outline.max(axis=0)
    spot = low + (high - low) * rng.uniform(0.3, 0.7, 2)
    size = rng.uniform(0.08, 0.3)
    which = int(rng.integers(3))
    if which == 0:
        cv2.ellipse(
            surface,
            canvas.at([tuple(spot)])[0].tolist(),
            (round(size * canvas.scale * 16),) * 2,
            0,
            0,
            360,
            ink,
            -1,
            cv2.LINE_AA,
            4,
        )
    elif which == 1:
        cv2.fillPoly(surface, [canvas.at(spot + rng.uniform(-size, size, (5, 2)))], ink, cv2.LINE_AA, 4)
    else:
        for word in range(int(rng.integers(1, 4))):
            start = np.add(spot, (-size, 0.13 * word))
            ends = canvas.at([tuple(start), tuple(np.add(start, (2 * size * rng.uniform(0.6, 1), 0)))])
            cv2.polylines(surface, [ends], False, ink, max(1, round(0.06 * canvas.scale)), cv2.LINE_AA, 4)


def _relief(canvas: Canvas, kind: _Kind, outline: Outline, rng: np.random.Generator) -> Float32Array:
    """Return how bright each part of the surface is, (H, W) float32 around 1: roundness, light from a side, folds."""
    x, y = canvas.x, canvas.y
    top, bottom = outline[:, 1].min(), outline[:, 1].max()
    v = (y - np.float32(top)) / np.float32(bottom - top)
    relief = 1 - np.float32(rng.uniform(0.08, 0.22)) * x * x + np.float32(rng.uniform(-0.12, 0.12)) * x
    relief = relief + np.float32(rng.uniform(0.0, 0.12)) - np.float32(rng.uniform(0.1, 0.3)) * v * v
    bend = v + np.float32(rng.uniform(-0.05, 0.1)) * x * x
    if kind.name == "surgical":
        folds = int(rng.integers(2, 5))
        phase = bend * np.float32(folds) + np.float32(rng.uniform(-0.2, 0.2))
        # A fold is a ramp that ends in a step: its shadow.
        ramp = phase - np.floor(phase)
        relief = relief + np.float32(rng.uniform(0.04, 0.14)) * (ramp - np.float32(0.5))
        relief = relief - np.float32(rng.uniform(0.05, 0.25)) * np.exp(-ramp * 9)
    elif kind.name == "beak":
        edge = np.float32(rng.uniform(0.05, 0.14) * rng.choice((-1, 1)))
        relief = relief + edge * np.tanh(x * 12) - np.float32(rng.uniform(0.05, 0.15)) * np.exp(-((x * 16) ** 2))
        if rng.random() < 0.5:
            relief = relief - np.float32(0.1) * np.exp(-(((bend - np.float32(0.5)) * 18) ** 2))
    else:
        if rng.random() < 0.5:
            relief = relief - np.float32(rng.uniform(0.05, 0.2)) * np.exp(-((x * 22) ** 2))
        relief = relief + np.float32(0.08) * np.exp(-((x * 2.2) ** 2) - ((v - np.float32(0.3)) * 4) ** 2)
    # Creases run across more than down, and finer ones lie on the coarse ones.
    height, width = canvas.alpha.shape
    for rows, columns in ((9, 7), (26, 12)):
        cells = rng.normal(0, rng.uniform(0.02, 0.06), (rows, columns)).astype(np.float32)
        relief = relief + cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC)
    rim = _rim(canvas, outline)
    return (relief - rim * np.float32(rng.uniform(0.0, 0.2))).astype(np.float32)


def _rim(canvas: Canvas, outline: Outline) -> Float32Array:
    """Return the seam along a mask's rim, (H, W) float32 0..1."""
    line = np.zeros_like(canvas.alpha)
    inner = outline.mean(axis=0) + (outline - outline.mean(axis=0)) * 0.9
    cv2.polylines(line, [canvas.at(inner)], True, 255, 1, cv2.LINE_AA, 4)
    return line.astype(np.float32) * np.float32(1 / 255)
