"""What hides a part of a face and is no mask: hands, mugs, scarves, beards and phones below; glasses and hats above.

A network that has seen only masks and bare faces calls everything over a mouth a mask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np

from maskwatch.arrays import Float32Array, UInt8Array
from training.facemap import Canvas, FaceMap, paint, rounded, skin_bgr

__all__ = ["cover_mouth", "cover_top"]

LOW_X, LOW_Y = (-2.0, 2.0), (0.2, 3.2)
"""What of the surroundings a cover of the mouth can reach, in face coordinates."""

HIGH_X, HIGH_Y = (-1.8, 1.8), (-1.9, 0.6)
"""The same of a cover of the eyes and the hair."""


def cover_mouth(patch_bgr: UInt8Array, landmarks_xy: Float32Array, rng: np.random.Generator) -> UInt8Array:
    """Hide the mouth or the chin of a bare face behind something that is no mask.

    Args:
        patch_bgr: (H, W, 3) uint8, the face's surroundings; not modified.
        landmarks_xy: (5, 2) float32 pixels of the patch, as `Sample.landmarks_xy`.
        rng: every random choice comes from it.

    Returns:
        (H, W, 3) uint8 BGR: a new picture, or the same one where the landmarks don't allow it.
    """
    face = FaceMap.from_landmarks(landmarks_xy)
    if face is None:
        return patch_bgr
    canvas = Canvas.over(face, LOW_X, LOW_Y)
    skin = skin_bgr(patch_bgr, face)
    kinds: tuple[Callable[[Canvas, Float32Array, np.random.Generator], None], ...] = (
        _hand, _hand, _mug, _scarf, _beard, _phone,
    )  # fmt: skip
    kinds[int(rng.integers(len(kinds)))](canvas, skin, rng)
    _roughen(canvas, rng)
    return paint(patch_bgr, _before(face), canvas, rng, shadow=rng.uniform(0.1, 0.4))


def cover_top(
    patch_bgr: UInt8Array,
    box_xyxy: tuple[float, float, float, float],
    landmarks_xy: Float32Array | None,
    rng: np.random.Generator,
) -> UInt8Array:
    """Put dark glasses, a visor, a hat or hair over the upper half of a face; the label stays what it is.

    Args:
        patch_bgr: (H, W, 3) uint8, the face's surroundings; not modified.
        box_xyxy: the face in pixels of the patch.
        landmarks_xy: (5, 2) float32 pixels of the patch, or None: the place is guessed from the box.
        rng: every random choice comes from it.

    Returns:
        A new (H, W, 3) uint8 BGR.
    """
    face = FaceMap.from_landmarks(landmarks_xy) if landmarks_xy is not None else None
    face = face or FaceMap.from_box(box_xyxy)
    canvas = Canvas.over(face, HIGH_X, HIGH_Y)
    (_glasses, _hat, _visor, _fringe)[int(rng.integers(4))](canvas, rng)
    _roughen(canvas, rng)
    return paint(patch_bgr, _before(face), canvas, rng, shadow=rng.uniform(0.1, 0.4))


def _before(face: FaceMap) -> FaceMap:
    """Return the map of things that are before a face and not on it: they bend less around the head."""
    return replace(face, slope=face.slope * 0.5)


def _any_colour(rng: np.random.Generator) -> Float32Array:
    """Return any colour; every third is dark."""
    high = 70 if rng.random() < 0.35 else 245
    return rng.uniform(12, high, 3).astype(np.float32)


def _shade(colour: Float32Array, factor: float) -> tuple[float, float, float]:
    """Return a colour made lighter or darker."""
    blue, green, red = np.clip(colour * factor, 0, 255).tolist()
    return blue, green, red


def _roughen(canvas: Canvas, rng: np.random.Generator) -> None:
    """Give a plain surface light and dark patches."""
    height, width = canvas.alpha.shape
    cells = (1 + rng.normal(0, rng.uniform(0.03, 0.12), (9, 9))).astype(np.float32)
    light = cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC)
    canvas.colour[:] = cv2.multiply(canvas.colour, cv2.merge([light] * 3), dtype=cv2.CV_8U)


def _hand(canvas: Canvas, skin: Float32Array, rng: np.random.Generator) -> None:
    """A hand over the mouth or under the chin: fingers side by side, and the back of the hand they come from."""
    tone = skin * np.float32(rng.uniform(0.8, 1.1)) + rng.normal(0, 5, 3).astype(np.float32)
    canvas.colour[:] = _shade(tone, 1.0)
    side = rng.choice((-1.0, 1.0))
    tip = np.array([-side * rng.uniform(0.0, 0.7), rng.uniform(0.85, 1.25)])
    along = np.array([side * rng.uniform(0.5, 1.0), rng.uniform(0.1, 0.9)])
    along /= np.linalg.norm(along)
    across = np.array([-along[1], along[0]]) * side
    thick, long = rng.uniform(0.24, 0.32), rng.uniform(0.8, 1.1)
    fingers = int(rng.integers(2, 5))
    palm = tip + along * long + across * thick * (fingers - 1) / 2
    lines = []
    for finger in range(fingers):
        start = tip + across * thick * finger + along * rng.uniform(0.0, 0.18)
        end = palm + across * thick * 0.8 * (finger - (fingers - 1) / 2)
        lines.append(np.array([start, end]))
        canvas.line(lines[-1], thick, 255)
    canvas.line(np.array([palm, palm + along * 0.9]), thick * (fingers + 0.6), 255)
    for before, after in pairwise(lines):
        gap = canvas.at((before + after) / 2)
        dark = _shade(tone, rng.uniform(0.5, 0.75))
        cv2.polylines(canvas.colour, [gap], False, dark, max(1, round(0.05 * canvas.scale)), cv2.LINE_AA, 4)


def _mug(canvas: Canvas, skin: Float32Array, rng: np.random.Generator) -> None:
    """A mug or a glass at the mouth, its far rim seen, with a handle or fingers at its side."""
    colour = _any_colour(rng)
    canvas.colour[:] = _shade(colour, 1.0)
    x, half, top = rng.uniform(-0.25, 0.25), rng.uniform(0.38, 0.62), rng.uniform(0.85, 1.15)
    bottom, taper = top + rng.uniform(0.9, 1.5), rng.uniform(0.7, 1.0)
    side = rng.choice((-1.0, 1.0))
    canvas.line(
        [
            (x + side * half, top + 0.25),
            (x + side * (half + 0.32), top + 0.45),
            (x + side * half * taper, bottom - 0.3),
        ],
        0.12,
        255,
    )
    body = [(x - half, top), (x + half, top), (x + half * taper, bottom), (x - half * taper, bottom)]
    canvas.fill(canvas.alpha, body, 255)
    centre = canvas.at([(x, top)])[0].tolist()
    axes = (round(half * canvas.scale * 16), round(half * rng.uniform(0.1, 0.3) * canvas.scale * 16))
    cv2.ellipse(canvas.alpha, centre, axes, 0, 0, 360, 255, -1, cv2.LINE_AA, 4)
    round_light = (1 + rng.uniform(0.1, 0.35) * np.cos((canvas.x - x) / half * 2.2)).astype(np.float32)
    canvas.colour[:] = np.clip(canvas.colour * round_light[..., None], 0, 255)
    cv2.ellipse(canvas.colour, centre, axes, 0, 0, 360, _shade(colour, 0.6), -1, cv2.LINE_AA, 4)
    if rng.random() < 0.6:
        for finger in range(int(rng.integers(2, 5))):
            y = top + 0.3 + 0.24 * finger
            ends = canvas.at([(x + side * half * 1.1, y), (x + side * rng.uniform(-0.1, 0.2), y + 0.05)])
            cv2.polylines(canvas.colour, [ends], False, _shade(skin, 0.9), round(0.2 * canvas.scale), cv2.LINE_AA, 4)


def _scarf(canvas: Canvas, skin: Float32Array, rng: np.random.Generator) -> None:
    """A scarf or a collar up to the lips or the chin: wide as the neck, in uneven folds, far below the face."""
    colour, other = _any_colour(rng), _any_colour(rng)
    top, rise = rng.uniform(0.95, 1.5), rng.uniform(0.0, 0.35)
    xs = np.linspace(-1.9, 1.9, 9)
    rim = np.stack([xs, top - rise * (np.abs(xs) - 0.5) + rng.normal(0, 0.06, 9)], axis=1)
    canvas.fill(canvas.alpha, np.concatenate([rim, [(1.9, 3.3), (-1.9, 3.3)]]), 255)
    lean, count = rng.uniform(-0.5, 0.5), rng.uniform(3, 9)
    bands = np.sin((canvas.y + np.float32(lean) * canvas.x + np.float32(0.12) * canvas.x**2) * np.float32(count * 2))
    if rng.random() < 0.5:
        canvas.colour[:] = np.where(bands[..., None] > rng.uniform(-0.3, 0.6), colour, other)
    else:
        canvas.colour[:] = np.clip(colour * (1 + np.float32(0.25) * bands[..., None]), 0, 255)


def _beard(canvas: Canvas, skin: Float32Array, rng: np.random.Generator) -> None:
    """A full beard with its moustache and the lips in it."""
    tone = np.array([30, 40, 55], np.float32) * np.float32(rng.uniform(0.4, 1.6))
    if rng.random() < 0.25:
        tone = np.full(3, rng.uniform(120, 215), np.float32)
    low = rng.uniform(1.9, 2.6)
    wide = rng.uniform(0.8, 1.0)
    half = np.array(
        [(0, 0.8), (0.3, 0.86), (0.55, 1.05), (0.75, 0.95), (wide, 0.55), (wide, 1.2), (0.6, 1.8), (0, low)]
    )
    whole = np.concatenate([half, half[1:-1][::-1] * (-1, 1)])
    canvas.fill(canvas.alpha, rounded(whole + rng.normal(0, 0.03, whole.shape)), int(rng.integers(190, 250)))
    lips = canvas.at([(0, 1.12)])[0].tolist()
    axes = tuple(round(value * canvas.scale * 16) for value in (rng.uniform(0.25, 0.36), rng.uniform(0.05, 0.11)))
    cv2.ellipse(canvas.alpha, lips, axes, 0, 0, 360, 0, -1, cv2.LINE_AA, 4)
    hairs = rng.integers(40, 216, canvas.alpha.shape, dtype=np.uint8)
    combed = cv2.blur(hairs, (1, 5)).astype(np.float32)[..., None] * np.float32(1 / 128)
    canvas.colour[:] = np.clip(tone * combed, 0, 255)


def _phone(canvas: Canvas, skin: Float32Array, rng: np.random.Generator) -> None:
    """A phone before the mouth or at the cheek, and the fingers that hold it."""
    colour = _any_colour(rng) * np.float32(0.5)
    canvas.colour[:] = _shade(colour, 1.0)
    middle = np.array([rng.uniform(-0.8, 0.8), rng.uniform(1.15, 1.6)])
    angle, half = rng.uniform(-0.7, 0.7), np.array([rng.uniform(0.35, 0.5), rng.uniform(0.7, 0.95)])
    if rng.random() < 0.35:
        half = half[::-1]
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half
    canvas.fill(canvas.alpha, rounded(corners @ turn + middle, 0.1), 255)
    if rng.random() < 0.5:
        screen = canvas.at(corners * 0.88 @ turn + middle)
        cv2.fillPoly(canvas.colour, [screen], _shade(_any_colour(rng), 0.8), cv2.LINE_AA, 4)
    side = rng.choice((-1.0, 1.0))
    for finger in range(int(rng.integers(2, 5))):
        ends = np.array([(side * half[0] * 1.25, 0.1 + 0.24 * finger), (side * half[0] * 0.45, 0.24 * finger)])
        line = ends @ turn + middle
        canvas.line(line, 0.2, 255)
        width = round(0.2 * canvas.scale)
        cv2.polylines(canvas.colour, [canvas.at(line)], False, _shade(skin, 0.92), width, cv2.LINE_AA, 4)


def _glasses(canvas: Canvas, rng: np.random.Generator) -> None:
    """Dark or mirrored glasses."""
    colour = _any_colour(rng) * np.float32(0.45)
    canvas.colour[:] = _shade(colour, 1.0)
    width, height, power = rng.uniform(0.32, 0.45), rng.uniform(0.22, 0.36), rng.uniform(0.8, 2.5)
    opacity = int(rng.integers(150, 256))
    around = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    shape = np.stack([np.cos(around), np.sin(around)], axis=1)
    shape = np.sign(shape) * np.abs(shape) ** (1 / power) * (width, height)
    for x in (-0.5, 0.5):
        canvas.fill(canvas.alpha, shape + np.array([x, 0.04]), opacity)
        canvas.line([(x * 1.8, -0.05), (x * 2.4, -0.02)], 0.07, 230)
    canvas.line([(-0.15, -0.05), (0.15, -0.05)], 0.07, 230)
    canvas.colour[:] = np.clip(canvas.colour * (1 - np.float32(rng.uniform(0, 0.6)) * canvas.y[..., None]), 0, 255)


def _hat(canvas: Canvas, rng: np.random.Generator) -> None:
    """A cap, a helmet or a hood down to the forehead."""
    canvas.colour[:] = _shade(_any_colour(rng), 1.0)
    rim, wide = rng.uniform(-0.75, -0.35), rng.uniform(1.15, 1.35)
    curve = rng.uniform(-0.2, 0.25)
    half = np.array([(0, rim - 0.5 * curve), (0.6 * wide, rim), (wide, rim + curve), (wide, rim - 0.7), (0.7, -1.85)])
    canvas.fill(canvas.alpha, rounded(np.concatenate([half, half[1:][::-1] * (-1, 1)])), 255)
    if rng.random() < 0.5:
        band = canvas.at([(-wide, rim - 0.15 + curve), (0, rim - 0.2), (wide, rim - 0.15 + curve)])
        width = round(rng.uniform(0.1, 0.35) * canvas.scale)
        cv2.polylines(canvas.colour, [band], False, _shade(_any_colour(rng), 1.0), width, cv2.LINE_AA, 4)


def _visor(canvas: Canvas, rng: np.random.Generator) -> None:
    """The peak of a cap: its arc over the brows, darker below."""
    colour = _any_colour(rng)
    canvas.colour[:] = np.clip(colour * (0.8 - np.float32(0.5) * canvas.y[..., None]), 0, 255)
    top, low = rng.uniform(-1.0, -0.7), rng.uniform(-0.45, -0.2)
    half = np.array([(0, low), (0.6, low + 0.02), (1.1, low - 0.12), (1.15, top), (0, top - 0.1)])
    canvas.fill(canvas.alpha, rounded(np.concatenate([half, half[1:-1][::-1] * (-1, 1)])), 255)


def _fringe(canvas: Canvas, rng: np.random.Generator) -> None:
    """Hair over the forehead and down to the eyes."""
    tone = np.array([35, 45, 60], np.float32) * np.float32(rng.uniform(0.3, 2.2))
    xs = np.linspace(-1.2, 1.2, 11)
    ends = np.stack([xs, rng.uniform(-0.5, -0.1) + 0.25 * np.abs(xs) + rng.normal(0, 0.1, 11)], axis=1)
    canvas.fill(canvas.alpha, np.concatenate([ends, [(1.1, -1.3), (0.5, -1.7), (-0.5, -1.7), (-1.1, -1.3)]]), 255)
    hairs = rng.integers(60, 196, canvas.alpha.shape, dtype=np.uint8)
    combed = cv2.blur(hairs, (1, 7)).astype(np.float32)[..., None] * np.float32(1 / 128)
    canvas.colour[:] = np.clip(tone * combed, 0, 255)
