"""Drawing faces for training so that the rare label isn't swamped; the same seed gives the same epoch again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.types import LABELS
from training.augment import augmented_face, plain_face
from training.samples import Sample

__all__ = ["EpochBatches", "draw_epoch", "plain_faces"]

LABEL_SHARES = (0.40, 0.35, 0.25)
"""Share of each label among the faces drawn. The third is rare (3 % of the data here) and the hardest; more of it
than a quarter would show each of its few faces too often."""

SINGLE_FACE_WEIGHT = 0.5
"""How likely a face of class folders is drawn beside one of a scene: they are tighter, staged, and partly junk."""

SMOOTHING = 0.05
"""Label smoothing: two to five per cent of the labels are wrong."""


class EpochBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """One epoch of augmented faces.

    Args:
        samples: what to draw from.
        order: (M,) indices into the samples, from `draw_epoch`.
        size_px: side of the faces.
        batch: faces in a step.
        seed: with the step's number, decides every random choice.
    """

    def __init__(
        self, samples: Sequence[Sample], order: np.ndarray[Any, np.dtype[np.int64]], size_px: int, batch: int, seed: int
    ) -> None:
        super().__init__()
        self._samples, self._order = samples, order
        self._size_px, self._batch, self._seed = size_px, batch, seed

    def __len__(self) -> int:
        """Return the number of steps."""
        return -(-len(self._order) // self._batch)

    def __getitem__(self, index: int) -> tuple[UInt8Array, Float32Array]:
        """Return faces (B, S, S, 3) uint8 RGB and smoothed one-hot labels (B, 3) float32 of one step."""
        rng = np.random.default_rng((self._seed, index))
        chosen = [self._samples[i] for i in self._order[index * self._batch : (index + 1) * self._batch]]
        faces = np.stack([augmented_face(sample, self._size_px, rng) for sample in chosen])
        exact = np.eye(len(LABELS), dtype=np.float32)[[sample.label for sample in chosen]]
        return faces, exact * np.float32(1 - SMOOTHING) + np.float32(SMOOTHING / len(LABELS))


def draw_epoch(samples: Sequence[Sample], faces: int, seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Draw the faces of one epoch, labels in fixed shares, without repeating a face before its label is used up.

    Labels that the data doesn't hold leave their share to the others.

    Args:
        samples: what to draw from.
        faces: how many to draw.
        seed: decides the choice.

    Returns:
        (faces,) int64 indices in random order.
    """
    rng = np.random.default_rng(seed)
    labels = np.array([sample.label for sample in samples])
    weights = np.array([SINGLE_FACE_WEIGHT if sample.single else 1.0 for sample in samples])
    present = [label for label in range(len(LABELS)) if (labels == label).any()]
    total = sum(LABEL_SHARES[label] for label in present)
    parts = []
    for label in present:
        members = np.flatnonzero(labels == label)
        wanted = max(1, round(faces * LABEL_SHARES[label] / total))
        parts.append(_draw(members, weights[members], wanted, rng))
    return rng.permutation(np.concatenate(parts))[:faces]


def _draw(
    members: np.ndarray[Any, np.dtype[np.int64]], weights: Float32Array, wanted: int, rng: np.random.Generator
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Draw with weights, going through all members before one comes again."""
    drawn = []
    while wanted > 0:
        count = min(wanted, len(members))
        drawn.append(rng.choice(members, count, replace=False, p=weights / weights.sum()))
        wanted -= count
    return np.concatenate(drawn)


def plain_faces(samples: Sequence[Sample], size_px: int) -> UInt8Array:
    """Cut faces without changing them: (N, size_px, size_px, 3) uint8 RGB."""
    return np.stack([plain_face(sample, size_px) for sample in samples])
