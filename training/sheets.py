"""Contact sheets: many faces in one picture, to look at."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from maskwatch.arrays import UInt8Array
from models.crop import crop_faces
from training.samples import Sample

__all__ = ["TILES_WH", "contact_sheet"]

TILES_WH = (12, 6)
"""Faces in a row, and rows that are looked at together without scrolling."""

FACE_PX = 96


def contact_sheet(samples: Sequence[Sample]) -> UInt8Array:
    """Draw faces as the live pipeline cuts them, with the detector's landmarks, row by row.

    Args:
        samples: at least one.

    Returns:
        (h, w, 3) uint8 BGR; a face that the detector doesn't find is cut at its labelled box and has a red rim.
    """
    columns = min(TILES_WH[0], len(samples))
    rows = -(-len(samples) // columns)
    sheet = np.zeros((rows * FACE_PX, columns * FACE_PX, 3), np.uint8)
    for place, sample in enumerate(samples):
        y, x = (FACE_PX * part for part in divmod(place, columns))
        sheet[y : y + FACE_PX, x : x + FACE_PX] = _tile(sample)
    return sheet


def _tile(sample: Sample) -> UInt8Array:
    marked = sample.patch_bgr.copy()
    box = np.array([sample.found_box or sample.patch_box], np.float32)
    side = float(max(box[0, 2] - box[0, 0], box[0, 3] - box[0, 1]))
    for x, y in [] if sample.landmarks_xy is None else sample.landmarks_xy.round().astype(int).tolist():
        cv2.circle(marked, (x, y), max(1, round(side / 40)), (0, 255, 255), -1)
    tile = np.ascontiguousarray(crop_faces(marked, box, FACE_PX)[0][..., ::-1])
    if sample.found_box is None:
        cv2.rectangle(tile, (0, 0), (FACE_PX - 1, FACE_PX - 1), (0, 0, 255), 2)
    return tile
