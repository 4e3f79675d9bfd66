"""What a drawn mask is made of: colours, patterns, prints, folds and creases."""

from __future__ import annotations

from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwatch.arrays import Float32Array, UInt8Array
from training.facemap import Canvas

__all__ = ["Fabric", "fabric_colour", "fabric_look"]


class Fabric(StrEnum):
    """A surgical mask's pleats, a sewn cloth, a folded FFP2 or KN95, or a moulded cup."""

    PLEATED = "pleated"
    CLOTH = "cloth"
    BEAK = "beak"
    CUP = "cup"


PAPER = ((240, 240, 238), (245, 245, 245), (232, 236, 238), (42, 40, 40), (215, 205, 200))
PAINTS: dict[Fabric, tuple[tuple[int, int, int], ...]] = {
    Fabric.PLEATED: ((232, 196, 150), (225, 180, 120), (240, 215, 185), (238, 238, 235), (245, 243, 240),
                     (205, 215, 165), (190, 205, 140), (38, 36, 36), (205, 190, 235)),
    Fabric.BEAK: PAPER,
    Fabric.CUP: PAPER,
}  # fmt: skip
"""BGR under plain light; cloth has any colour."""

PATTERNED = 0.45
"""Share of cloth masks with a pattern."""

PRINTED = 0.12
"""Share of other plain masks with something on them."""

VALVED = 0.35
"""The same of FFP masks, which often have a valve."""


def fabric_colour(fabric: Fabric, rng: np.random.Generator) -> Float32Array:
    """Return the mask's colour, (3,) float32 BGR: one that its kind has, or any for cloth, where black is common."""
    if fabric in PAINTS:
        paints = PAINTS[fabric]
        chosen = np.array(paints[int(rng.integers(len(paints)))], np.float32)
        return np.clip(chosen + rng.normal(0, 8, 3), 12, 250).astype(np.float32)
    if rng.random() < 0.35:
        return (np.float32(rng.uniform(18, 60)) + rng.normal(0, 4, 3)).astype(np.float32)
    return rng.uniform(25, 240, 3).astype(np.float32)


def fabric_look(
    canvas: Canvas, fabric: Fabric, colour: Float32Array, outline: NDArray[np.float64], rng: np.random.Generator
) -> UInt8Array:
    """Return the mask's surface, (H, W, 3) uint8 BGR: its colour or pattern, folds and roundness."""
    surface = np.empty(canvas.colour.shape, np.float32)
    surface[:] = colour
    if fabric is Fabric.CLOTH and rng.random() < PATTERNED:
        surface = _pattern(canvas, colour, rng)
    elif rng.random() < (VALVED if fabric in (Fabric.BEAK, Fabric.CUP) else PRINTED):
        _print(canvas, surface, outline, rng)
    relief = cv2.merge([_relief(canvas, fabric, outline, rng)] * 3)
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


def _print(canvas: Canvas, surface: Float32Array, outline: NDArray[np.float64], rng: np.random.Generator) -> None:
    """Put something like a logo, a flag or writing on a plain mask."""
    ink = tuple(float(value) for value in rng.uniform(10, 250, 3))
    low, high = outline.min(axis=0), outline.max(axis=0)
    spot = low + (high - low) * rng.uniform(0.3, 0.7, 2)
    size = rng.uniform(0.08, 0.3)
    which = int(rng.integers(3))
    if which == 0:
        radius = round(size * canvas.scale * 16)
        cv2.circle(surface, canvas.at([tuple(spot)])[0].tolist(), radius, ink, -1, cv2.LINE_AA, 4)
    elif which == 1:
        cv2.fillPoly(surface, [canvas.at(spot + rng.uniform(-size, size, (5, 2)))], ink, cv2.LINE_AA, 4)
    else:
        for word in range(int(rng.integers(1, 4))):
            start = np.add(spot, (-size, 0.13 * word))
            ends = canvas.at([tuple(start), tuple(np.add(start, (2 * size * rng.uniform(0.6, 1), 0)))])
            cv2.polylines(surface, [ends], False, ink, max(1, round(0.06 * canvas.scale)), cv2.LINE_AA, 4)


def _relief(canvas: Canvas, fabric: Fabric, outline: NDArray[np.float64], rng: np.random.Generator) -> Float32Array:
    """Return how bright each part of the surface is, (H, W) float32 around 1: roundness, light from a side, folds."""
    x, y = canvas.x, canvas.y
    top, bottom = outline[:, 1].min(), outline[:, 1].max()
    v = (y - np.float32(top)) / np.float32(bottom - top)
    relief = 1 - np.float32(rng.uniform(0.08, 0.22)) * x * x + np.float32(rng.uniform(-0.12, 0.12)) * x
    relief = relief + np.float32(rng.uniform(0.0, 0.12)) - np.float32(rng.uniform(0.1, 0.3)) * v * v
    bend = v + np.float32(rng.uniform(-0.05, 0.1)) * x * x
    if fabric is Fabric.PLEATED:
        folds = int(rng.integers(2, 5))
        phase = bend * np.float32(folds) + np.float32(rng.uniform(-0.2, 0.2))
        # A fold is a ramp that ends in a step: its shadow.
        ramp = phase - np.floor(phase)
        relief = relief + np.float32(rng.uniform(0.04, 0.14)) * (ramp - np.float32(0.5))
        relief = relief - np.float32(rng.uniform(0.05, 0.25)) * np.exp(-ramp * 9)
    elif fabric is Fabric.BEAK:
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


def _rim(canvas: Canvas, outline: NDArray[np.float64]) -> Float32Array:
    """Return the seam along a mask's rim, (H, W) float32 0..1."""
    line = np.zeros_like(canvas.alpha)
    inner = outline.mean(axis=0) + (outline - outline.mean(axis=0)) * 0.9
    cv2.polylines(line, [canvas.at(inner)], True, 255, 1, cv2.LINE_AA, 4)
    return line.astype(np.float32) * np.float32(1 / 255)
