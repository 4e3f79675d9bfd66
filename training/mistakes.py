"""A contact sheet of the answers that were wrong with the most confidence: mislabelled, ambiguous, or ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.types import LABELS
from models.crop import crop_faces
from training.samples import Sample

__all__ = ["draw_mistakes", "worst_mistakes"]

MOST = 48
COLUMNS = 8
FACE_PX, CAPTION_PX = 144, 50

SHORT = dict(zip(LABELS, ("with", "without", "wrong"), strict=True))


def worst_mistakes(truth: Sequence[int], probabilities: Float32Array) -> list[int]:
    """Return indices of the wrong answers, the most confident first, at most `MOST`."""
    said = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(said != np.asarray(truth))
    ranked: list[int] = wrong[np.argsort(-probabilities[wrong, said[wrong]], kind="stable")].tolist()
    return ranked[:MOST]


def draw_mistakes(samples: Sequence[Sample], probabilities: Float32Array, path: Path) -> None:
    """Write a PNG of the worst mistakes, each with what is true, what was said, its score, source and side in pixels.

    Args:
        samples: N faces that were measured.
        probabilities: (N, 3) of them.
        path: the file; with nothing wrong, an empty row.
    """
    worst = worst_mistakes([sample.label for sample in samples], probabilities)
    rows = max(1, -(-len(worst) // COLUMNS))
    height = FACE_PX + CAPTION_PX
    sheet = np.full((rows * height, COLUMNS * FACE_PX, 3), 255, np.uint8)
    for place, index in enumerate(worst):
        y, x = height * (place // COLUMNS), FACE_PX * (place % COLUMNS)
        sheet[y : y + height, x : x + FACE_PX] = _tile(samples[index], probabilities[index])
    cv2.imwrite(str(path), sheet)


def _tile(sample: Sample, chances: Float32Array) -> UInt8Array:
    """Draw one face as it was cut, (FACE_PX + CAPTION_PX, FACE_PX, 3) uint8 BGR, with two lines below it."""
    tile = np.full((FACE_PX + CAPTION_PX, FACE_PX, 3), 255, np.uint8)
    face = crop_faces(sample.patch_bgr, np.array([sample.patch_box], np.float32), FACE_PX - 2)[0]
    tile[1 : FACE_PX - 1, 1 : FACE_PX - 1] = face[..., ::-1]
    said = int(chances.argmax())
    left, top, right, bottom = sample.box_xyxy
    lines = (
        (f"true {SHORT[LABELS[sample.label]]}", (0, 110, 0)),
        (f"said {SHORT[LABELS[said]]} {chances[said]:.2f}", (0, 0, 190)),
        (f"{sample.source[:12]} {min(right - left, bottom - top):.0f} px", (90, 90, 90)),
    )
    for number, (text, colour) in enumerate(lines):
        place = (4, FACE_PX + 14 + 15 * number)
        cv2.putText(tile, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.38, colour, 1, cv2.LINE_AA)
    return tile
