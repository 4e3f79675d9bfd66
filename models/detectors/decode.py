"""From the network's maps to boxes: only cells that may pass the threshold are ever computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maskwatch.arrays import Float32Array, Int32Array
from models.detectors.yunet import STRIDES

__all__ = ["Candidates", "decode_maps", "suppress"]

MAX_CANDIDATES = 1000
"""Of one frame, best first: a bound on the time that a wall of texture can cost."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Cells of a batch that may be faces.

    Attributes:
        frame: (K,) int32, the picture in the batch.
        boxes_xyxy: (K, 4) float32 pixels of the network's input; may reach beyond it.
        scores: (K,) float32, 0..1.
        landmarks_xy: (K, 5, 2) float32 pixels of the network's input.
    """

    frame: Int32Array
    boxes_xyxy: Float32Array
    scores: Float32Array
    landmarks_xy: Float32Array


def decode_maps(maps: Sequence[Float32Array], min_score: float) -> Candidates:
    """Turn maps into boxes.

    A cell's score is the geometric mean of its class and its objectness probability. Its box is the centre's offset in
    cells from the cell's corner, and the logarithm of the sides in cells; landmarks are offsets like the centre's.

    Args:
        maps: (N, h, w, 16) float32 for each of `STRIDES`, raw.
        min_score: lowest score that is returned, above 0.

    Returns:
        All cells that reach it, of all pictures and strides.
    """
    # Both probabilities are at most 1, so neither may be below the square of the score that their mean must reach.
    floor = min(max(min_score * min_score, 1e-6), 1 - 1e-6)
    least = np.float32(np.log(floor / (1 - floor)))
    found = [_decode_level(level, stride, least) for level, stride in zip(maps, STRIDES, strict=True)]
    frame, boxes, scores, landmarks = (np.concatenate(parts) for parts in zip(*found, strict=True))
    keep = scores >= min_score
    return Candidates(frame[keep].astype(np.int32), boxes[keep], scores[keep], landmarks[keep])


def _decode_level(
    level: Float32Array, stride: int, least: np.float32
) -> tuple[Int32Array, Float32Array, Float32Array, Float32Array]:
    """Decode the cells of one stride whose two logits both reach `least`."""
    frame, row, column = np.nonzero((level[..., 0] >= least) & (level[..., 1] >= least))
    cells = level[frame, row, column]
    corner = np.stack([column, row], axis=1).astype(np.float32)
    logits = np.clip(cells[:, :2], -30, 30)
    scores = np.sqrt(np.prod(1 / (1 + np.exp(-logits)), axis=1))
    centre = corner + cells[:, 2:4]
    half = np.exp(np.clip(cells[:, 4:6], -10, 10)) / 2
    boxes = np.concatenate([centre - half, centre + half], axis=1) * stride
    landmarks = (corner[:, None] + cells[:, 6:16].reshape(-1, 5, 2)) * stride
    return frame.astype(np.int32), boxes, scores, landmarks


def suppress(boxes_xyxy: Float32Array, scores: Float32Array, max_overlap: float) -> Int32Array:
    """Keep the best box of every group that overlaps (greedy non-maximum suppression).

    Args:
        boxes_xyxy: (K, 4) float32.
        scores: (K,) float32.
        max_overlap: intersection over union above which the worse of two boxes goes.

    Returns:
        Indices of the kept boxes, best first; equal scores in their given order.
    """
    order = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    boxes = boxes_xyxy[order]
    low, high = boxes[:, :2], boxes[:, 2:]
    area = np.prod(high - low, axis=1)
    kept: list[int] = []
    left = np.arange(len(order))
    while len(left):  # as often as there are faces: comparing all candidates with all took three times as long
        best, left = left[0], left[1:]
        kept.append(best)
        sides = np.minimum(high[left], high[best]) - np.maximum(low[left], low[best])
        shared = np.prod(np.maximum(sides, 0), axis=1)
        left = left[shared <= max_overlap * (area[left] + area[best] - shared)]
    return order[kept].astype(np.int32)
