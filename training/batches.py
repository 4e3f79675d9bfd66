"""Drawing faces for training so that the rare label isn't swamped; the same seed gives the same epoch again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.types import LABELS
from training.augment import DRAWN, DRAWN_WRONG, augmented_face, plain_face
from training.objective import allowed_labels
from training.samples import Sample
from training.settings import TrainSettings

__all__ = ["EpochBatches", "draw_epoch", "plain_faces", "shares_to_draw"]

LABEL_SHARES = (0.46, 0.36, 0.18)
"""Share of each label among the faces that are shown. The third is rare (6 % of the data here) and the hardest; a
quarter of it made networks that called too many masks wrong that are worn well."""

SINGLE_FACE_WEIGHT = 0.5
"""How likely a face of class folders is drawn beside one of a scene: they are tighter, staged, and partly junk."""

MOST_WORKERS = 8
"""Threads that prepare faces while the network learns; more of them than this waited for each other."""


class EpochBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """One epoch of augmented faces.

    Args:
        samples: what to draw from.
        order: (M,) indices into the samples, from `draw_epoch`.
        settings: side of the faces, faces in a step, what is switched off, and which sources know two labels only.
        seed: with the step's number, decides every random choice.
    """

    def __init__(
        self, samples: Sequence[Sample], order: np.ndarray[Any, np.dtype[np.int64]], settings: TrainSettings, seed: int
    ) -> None:
        super().__init__(workers=min(settings.threads or os.cpu_count() or 1, MOST_WORKERS))
        self._samples, self._order, self._seed = samples, order, seed
        self._size_px, self._batch = settings.size_px, settings.batch
        self._off, self._two_class = frozenset(settings.without), frozenset(settings.two_class_sources)

    def __len__(self) -> int:
        """Return the number of steps."""
        return -(-len(self._order) // self._batch)

    def __getitem__(self, index: int) -> tuple[UInt8Array, Float32Array]:
        """Return faces (B, S, S, 3) uint8 RGB of one step and their allowed labels (B, 3) float32."""
        rng = np.random.default_rng((self._seed, index))
        chosen = [self._samples[i] for i in self._order[index * self._batch : (index + 1) * self._batch]]
        drawn = [augmented_face(sample, self._size_px, rng, self._off) for sample in chosen]
        labels = [label for _, label in drawn]
        # A label that the augmentation gave is known for sure.
        two_class = [
            sample.source in self._two_class and label == sample.label
            for sample, label in zip(chosen, labels, strict=True)
        ]
        return np.stack([face for face, _ in drawn]), allowed_labels(labels, two_class)


def shares_to_draw(off: frozenset[str] = frozenset()) -> tuple[float, float, float]:
    """Return the share of each label among the faces drawn, so that `LABEL_SHARES` are shown.

    The augmentation draws masks on bare faces, and so changes their label.

    Args:
        off: names from `AUGMENTATIONS` that are switched off.
    """
    worn = 0.0 if "drawn_masks" in off else DRAWN * (1 - DRAWN_WRONG)
    wrong = 0.0 if {"drawn_masks", "drawn_wrong"} & off else DRAWN * DRAWN_WRONG
    bare = LABEL_SHARES[1] / (1 - worn - wrong)
    return (LABEL_SHARES[0] - worn * bare, bare, LABEL_SHARES[2] - wrong * bare)


def draw_epoch(
    samples: Sequence[Sample], faces: int, seed: int, shares: tuple[float, float, float] = LABEL_SHARES
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Draw the faces of one epoch, labels in fixed shares, without repeating a face before its label is used up.

    Labels that the data doesn't hold leave their share to the others.

    Args:
        samples: what to draw from.
        faces: how many to draw.
        seed: decides the choice.
        shares: of each label among the faces drawn.

    Returns:
        (faces,) int64 indices in random order.
    """
    rng = np.random.default_rng(seed)
    labels = np.array([sample.label for sample in samples])
    weights = np.array([SINGLE_FACE_WEIGHT if sample.single else 1.0 for sample in samples])
    present = [label for label in range(len(LABELS)) if (labels == label).any()]
    total = sum(shares[label] for label in present)
    parts = []
    for label in present:
        members = np.flatnonzero(labels == label)
        wanted = max(1, round(faces * shares[label] / total))
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
