"""Making a classifier's probabilities mean what they say, and the confidence below which it can't tell."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from maskwatch.arrays import Float32Array
from maskwatch.types import LABELS, MaskLabel

__all__ = ["Calibration", "calibrated", "calibration_of", "fit_temperature", "fold_temperature", "unknown_below"]

TEMPERATURES = (0.2, 10.0)
"""Bounds of the search; a network outside of them isn't badly calibrated but broken."""

LEAST_UNKNOWN, STEP = 0.40, 0.01
"""A third is what three labels have by chance."""

WANTED_ACCURACY = 0.99
LEAST_COVERAGE = 0.90

SMALLEST = 1e-7

_WORN, _BARE = LABELS.index(MaskLabel.WITH_MASK), LABELS.index(MaskLabel.WITHOUT_MASK)


class Calibration(BaseModel):
    """How a classifier was calibrated on the validation faces; its files hold the result.

    Attributes:
        temperature: what the last layer's results were divided by; over 1, the network was too sure of itself.
        unknown_below: highest probability below which the answer is `unknown`.
        coverage: share of the faces of the two classes that are answered at this threshold.
        accuracy_covered: share of right answers among them.
        reached: whether this is the accuracy that was wanted; else it is the best that leaves enough covered.
    """

    temperature: float
    unknown_below: float
    coverage: float
    accuracy_covered: float
    reached: bool


def calibration_of(probabilities: Float32Array, truth: NDArray[np.int64], allowed: Float32Array) -> Calibration:
    """Calibrate.

    Args:
        probabilities: (N, 3) of the network as it was trained.
        truth: (N,) indices into `LABELS`.
        allowed: (N, 3) from `training.objective.allowed_labels`.
    """
    temperature = fit_temperature(probabilities, allowed)
    threshold, coverage, accuracy = unknown_below(calibrated(probabilities, temperature), truth)
    return Calibration(
        temperature=round(temperature, 4),
        unknown_below=round(threshold, 2),
        coverage=round(coverage, 4),
        accuracy_covered=round(accuracy, 4),
        reached=accuracy >= WANTED_ACCURACY,
    )


def calibrated(probabilities: Float32Array, temperature: float) -> Float32Array:
    """Return the probabilities (N, 3) that a network would give with its last results divided by a temperature."""
    powers = np.log(np.maximum(probabilities, SMALLEST)) / temperature
    powers = np.exp(powers - powers.max(axis=1, keepdims=True))
    softmax: Float32Array = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return softmax


def fit_temperature(probabilities: Float32Array, allowed: Float32Array) -> float:
    """Find the temperature under which the allowed labels are the most probable.

    Args:
        probabilities: (N, 3).
        allowed: (N, 3), 1 for each label that a face may have.

    Source:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    from scipy.optimize import minimize_scalar

    def loss(logarithm: float) -> float:
        together = (calibrated(probabilities, float(np.exp(logarithm))) * allowed).sum(axis=1)
        return float(-np.log(np.maximum(together, SMALLEST)).mean())

    found = minimize_scalar(loss, bounds=tuple(np.log(TEMPERATURES)), method="bounded")
    return float(np.exp(found.x))


def fold_temperature(model: Any, temperature: float) -> None:
    """Divide the last layer's weights by a temperature, so that the network gives calibrated probabilities itself."""
    layer = model.get_layer("probabilities")
    layer.set_weights([array / np.float32(temperature) for array in layer.get_weights()])


def unknown_below(probabilities: Float32Array, truth: NDArray[np.int64]) -> tuple[float, float, float]:
    """Choose the threshold of `unknown`: the lowest one at which enough of the answers of two classes are right.

    Args:
        probabilities: (N, 3), calibrated.
        truth: (N,) indices into `LABELS`.

    Returns:
        Threshold, coverage and two-class accuracy of what is covered. Where no threshold reaches the wanted accuracy
        with `LEAST_COVERAGE`, the one that comes nearest.
    """
    plain = np.isin(truth, (_WORN, _BARE))
    sure = probabilities[plain].max(axis=1, initial=0)
    right = (probabilities[plain, _WORN] > probabilities[plain, _BARE]) == (truth[plain] == _WORN)
    best = (0.0, 0.0, -1.0)
    for threshold in np.arange(LEAST_UNKNOWN, 1.0, STEP).round(2):
        covered = sure >= threshold
        coverage = float(covered.mean()) if len(covered) else 0.0
        if coverage < LEAST_COVERAGE:
            break
        accuracy = float(right[covered].mean())
        if accuracy > best[2]:
            best = (float(threshold), coverage, accuracy)
        if accuracy >= WANTED_ACCURACY:
            break
    return best if best[2] >= 0 else (0.0, 1.0 if len(sure) else 0.0, float(right.mean()) if len(right) else 0.0)
