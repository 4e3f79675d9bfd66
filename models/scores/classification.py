"""How well a classifier tells faces apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from maskwatch.arrays import Float32Array
from maskwatch.errors import ShapeError
from maskwatch.types import LABELS, MaskLabel
from models.scores.figure import Figure, Float64Array, Int64Array, Resampling, figure, ratio

__all__ = ["ECE_BINS", "ClassificationFigures", "balanced_accuracy", "classification_figures"]

ECE_BINS = 15
"""Bins of equal width over 0..1 for the calibration error.

Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
"""

_WORN, _BARE = LABELS.index(MaskLabel.WITH_MASK), LABELS.index(MaskLabel.WITHOUT_MASK)


class ClassificationFigures(TypedDict):
    """What was measured on one set of faces. The most probable label is the choice, unless a key says otherwise.

    Keys:
        faces: how many there were.
        accuracy: share of right choices.
        balanced_accuracy: mean recall of the labels that occur.
        two_class_accuracy: with mask or without: faces with a mask worn wrongly are left out, and the higher of the two
            other probabilities decides.
        recall: share of a label's faces that were recognised, per label.
        precision: share of the choices of a label that were right, per label.
        confusion: rows are the true labels, columns the chosen ones, in the order of `LABELS`.
        ece: expected calibration error of the highest probability.
        coverage: share of the faces of the two classes whose highest probability isn't below the `unknown` threshold.
        accuracy_covered: two-class accuracy of those.
    """

    faces: int
    accuracy: Figure
    balanced_accuracy: Figure
    two_class_accuracy: Figure
    recall: dict[str, Figure]
    precision: dict[str, Figure]
    confusion: list[list[int]]
    ece: Figure
    coverage: Figure
    accuracy_covered: Figure


def classification_figures(
    truth: Sequence[int] | NDArray[np.integer[Any]],
    probabilities: Float32Array,
    unknown_below: float = 0.0,
    pictures: Sequence[int] | NDArray[np.integer[Any]] | None = None,
    seed: int = 0,
) -> ClassificationFigures:
    """Measure.

    Args:
        truth: N indices into `LABELS`.
        probabilities: (N, 3) float32.
        unknown_below: highest probability below which a face's label counts as unknown.
        pictures: the picture of each face, for intervals that draw pictures; None where each face has its own.
        seed: of the bootstrap.

    Raises:
        ShapeError: if the arrays don't belong together.
    """
    true = np.asarray(truth, np.int64)
    chances = np.asarray(probabilities, np.float64).reshape(-1, len(LABELS))
    if len(chances) != len(true):
        raise ShapeError(f"probabilities: expected ({len(true)}, {len(LABELS)}), received {probabilities.shape}")
    picture = np.arange(len(true)) if pictures is None else np.unique(np.asarray(pictures), return_inverse=True)[1]
    resampling = Resampling(int(picture.max(initial=-1)) + 1, seed)
    labels = range(len(LABELS))
    said = chances.argmax(axis=1)
    cells = np.eye(len(LABELS) ** 2)[true * len(LABELS) + said].reshape(-1, len(LABELS), len(LABELS))
    confusion = resampling.sums(picture, cells)
    hits, faces, chosen = np.einsum("dii->di", confusion), confusion.sum(axis=2), confusion.sum(axis=1)
    recalls = ratio(hits, faces)
    return ClassificationFigures(
        faces=len(true),
        accuracy=figure(ratio(hits.sum(axis=1), faces.sum(axis=1)), len(true)),
        balanced_accuracy=figure(_mean_of_known(recalls), len(true)),
        recall={LABELS[i].value: figure(recalls[:, i], faces[0, i]) for i in labels},
        precision={LABELS[i].value: figure(ratio(hits[:, i], chosen[:, i]), chosen[0, i]) for i in labels},
        confusion=confusion[0].astype(int).tolist(),
        ece=figure(_calibration_error(resampling, picture, chances, said == true), len(true)),
        **_two_class(resampling, picture, true, chances, unknown_below),
    )


class _TwoClass(TypedDict):
    two_class_accuracy: Figure
    coverage: Figure
    accuracy_covered: Figure


def _two_class(
    resampling: Resampling, picture: Int64Array, true: Int64Array, chances: Float64Array, unknown_below: float
) -> _TwoClass:
    plain = np.isin(true, (_WORN, _BARE))
    right = plain & ((chances[:, _WORN] > chances[:, _BARE]) == (true == _WORN))
    covered = plain & (chances.max(axis=1, initial=0) >= unknown_below)
    all_plain, all_right, all_covered, both = resampling.sums(
        picture, np.stack([plain, right, covered, covered & right], axis=1)
    ).T
    return _TwoClass(
        two_class_accuracy=figure(ratio(all_right, all_plain), all_plain[0]),
        coverage=figure(ratio(all_covered, all_plain), all_plain[0]),
        accuracy_covered=figure(ratio(both, all_covered), all_covered[0]),
    )


def _mean_of_known(recalls: Float64Array) -> Float64Array:
    """Return the mean over the labels that a draw has; (R, 3) to (R,)."""
    known = np.isfinite(recalls)
    return ratio(np.where(known, recalls, 0.0).sum(axis=1), known.sum(axis=1).astype(np.float64))


def _calibration_error(
    resampling: Resampling, picture: Int64Array, chances: Float64Array, right: NDArray[np.bool_]
) -> Float64Array:
    """Return the mean distance of confidence and accuracy over the bins, each weighted by its faces."""
    sure = chances.max(axis=1, initial=0)
    bins = np.eye(ECE_BINS)[np.minimum((sure * ECE_BINS).astype(int), ECE_BINS - 1)]
    excess = resampling.sums(picture, bins * (sure - right)[:, None])
    faces = resampling.sums(picture, np.ones(len(sure)))
    return ratio(np.abs(excess).sum(axis=1), faces)


def balanced_accuracy(truth: Int64Array, predicted: Int64Array) -> float:
    """Return the mean recall of the labels that occur, without an interval; nan without any face."""
    recalls = [float((predicted[truth == label] == label).mean()) for label in np.unique(truth)]
    return float(np.mean(recalls)) if recalls else float("nan")
