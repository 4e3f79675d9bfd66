"""A bare face without features, for tests of what is drawn over faces."""

from __future__ import annotations

import numpy as np

from maskwatch.arrays import Float32Array, UInt8Array
from training.samples import Sample

__all__ = ["BOX", "CHIN", "EYES", "LANDMARKS", "MOUTH", "NOSE", "bare_sample", "painted_at", "plain_patch"]

LANDMARKS: Float32Array = np.array([[60, 60], [100, 60], [80, 85], [65, 104], [95, 104]], np.float32)
"""(5, 2) pixels of `plain_patch`: a frontal face, its eyes 40 px apart."""

BOX = (36.0, 20.0, 124.0, 136.0)
EYES, NOSE, MOUTH, CHIN = ((60, 60), (100, 60)), ((80, 85),), ((70, 104), (80, 104), (90, 104)), ((80, 130),)
"""Pixels (x, y) of its parts."""


def plain_patch() -> UInt8Array:
    """Return (160, 160, 3) uint8 BGR of one colour that no mask and no hand has."""
    return np.full((160, 160, 3), (60, 200, 255), np.uint8)


def painted_at(picture: UInt8Array, points: tuple[tuple[int, int], ...]) -> bool:
    """Tell whether a plain patch was painted at all of these pixels; a shadow doesn't count."""
    return all(
        np.abs(picture[y, x].astype(int) - plain_patch()[y, x]).sum() > 60
        and np.ptp(picture[y, x] / plain_patch()[y, x]) > 0.05
        for x, y in points
    )


def bare_sample(label: int = 1, landmarks_xy: Float32Array | None = LANDMARKS) -> Sample:
    """Return a sample on a plain patch, bare unless told otherwise."""
    return Sample("train/a.jpg", "a", label, "0" * 64, BOX, plain_patch(), BOX, single=False, landmarks_xy=landmarks_xy)
