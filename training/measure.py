"""Figures of a classifier on labelled faces, with intervals, as a whole and by source."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# pydantic reads these, and before Python 3.12 it needs this one.
from typing_extensions import TypedDict

from maskwatch.arrays import Float32Array
from maskwatch.types import LABELS, MaskLabel

__all__ = ["Figures", "balanced_accuracy", "figures", "figures_by_source"]

Z = 1.96
"""Standard deviations of a 95 % interval."""

DRAWS = 1000
"""Bootstrap draws for the balanced accuracy; its interval moves by less than 0.002 between seeds."""


class Rate(TypedDict):
    """A share with its 95 % interval; `value` is None where there was nothing to count."""

    value: float | None
    low: float | None
    high: float | None
    count: int


class Figures(TypedDict):
    """What was measured on one set of faces.

    Keys:
        faces: how many there were.
        two_class_accuracy: masked properly or not masked, told apart; faces with a mask worn wrongly are left out, and
            the higher of the two probabilities decides.
        balanced_accuracy: mean recall of the labels that occur.
        recall: per label.
        precision: per label.
        confusion: rows are the true labels, columns the predicted ones, in the order of `LABELS`.
    """

    faces: int
    two_class_accuracy: Rate
    balanced_accuracy: Rate
    recall: dict[str, Rate]
    precision: dict[str, Rate]
    confusion: list[list[int]]


def wilson(successes: int, count: int) -> Rate:
    """Return a share with its Wilson score interval.

    Source:
        Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
    """
    if count == 0:
        return Rate(value=None, low=None, high=None, count=0)
    share = successes / count
    centre = (share + Z * Z / (2 * count)) / (1 + Z * Z / count)
    half = Z * math.sqrt(share * (1 - share) / count + Z * Z / (4 * count * count)) / (1 + Z * Z / count)
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return Rate(value=round(share, 4), low=round(low, 4), high=round(high, 4), count=count)


def balanced_accuracy(truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Return the mean recall of the labels that occur; nan without any face."""
    recalls = [float((predicted[truth == label] == label).mean()) for label in np.unique(truth)]
    return float(np.mean(recalls)) if recalls else math.nan


def figures(truth: Sequence[int], probabilities: Float32Array, seed: int = 0) -> Figures:
    """Measure.

    Args:
        truth: N indices into `LABELS`.
        probabilities: (N, 3) float32.
        seed: of the bootstrap.
    """
    true, predicted = np.asarray(truth, np.int64), probabilities.argmax(axis=1).astype(np.int64)
    confusion = np.zeros((len(LABELS), len(LABELS)), np.int64)
    np.add.at(confusion, (true, predicted), 1)
    worn, bare = LABELS.index(MaskLabel.WITH_MASK), LABELS.index(MaskLabel.WITHOUT_MASK)
    plain = np.isin(true, (worn, bare))
    says_worn = probabilities[plain, worn] > probabilities[plain, bare]
    hits = int((says_worn == (true[plain] == worn)).sum())
    return Figures(
        faces=len(true),
        two_class_accuracy=wilson(hits, int(plain.sum())),
        balanced_accuracy=_bootstrapped(true, predicted, seed),
        recall={name: wilson(int(confusion[i, i]), int(confusion[i].sum())) for i, name in enumerate(map(str, LABELS))},
        precision={
            name: wilson(int(confusion[i, i]), int(confusion[:, i].sum())) for i, name in enumerate(map(str, LABELS))
        },
        confusion=confusion.tolist(),
    )


def _bootstrapped(true: NDArray[np.int64], predicted: NDArray[np.int64], seed: int) -> Rate:
    """Return the balanced accuracy with a percentile interval of resampled faces, label by label."""
    if len(true) == 0:
        return Rate(value=None, low=None, high=None, count=0)
    rng = np.random.default_rng(seed)
    recalls = []
    for label in np.unique(true):
        hits = predicted[true == label] == label
        recalls.append(rng.binomial(len(hits), hits.mean(), DRAWS) / len(hits))
    low, high = np.percentile(np.mean(recalls, axis=0), (2.5, 97.5))
    value = balanced_accuracy(true, predicted)
    return Rate(value=round(value, 4), low=round(float(low), 4), high=round(float(high), 4), count=len(true))


def figures_by_source(truth: Sequence[int], probabilities: Float32Array, sources: Sequence[str]) -> dict[str, Figures]:
    """Measure all faces together ("all") and each source alone."""
    names = np.asarray(sources)
    true = np.asarray(truth, np.int64)
    result: dict[str, Any] = {"all": figures(truth, probabilities)}
    for name in sorted(set(sources)):
        chosen = names == name
        result[name] = figures(true[chosen].tolist(), probabilities[chosen])
    return result
