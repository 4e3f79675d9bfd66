"""What training makes small: a cross-entropy over the labels that a face may have, which are two where nobody looked.

A source that knows only "mask" and "no mask" says of a mask under the nose that it is one. Its `with_mask` faces are
therefore taught as "one of the two", and never that the third label is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from maskwatch.arrays import Float32Array
from maskwatch.types import LABELS, MaskLabel

__all__ = ["allowed_labels", "hits", "loss_of_allowed"]

SMOOTHING = 0.05
"""Label smoothing: two to five per cent of the labels are wrong."""

SMALLEST = 1e-7
"""Probabilities are raised to this before their logarithm."""

WITH, WRONG = LABELS.index(MaskLabel.WITH_MASK), LABELS.index(MaskLabel.INCORRECT_MASK)


def allowed_labels(labels: Sequence[int], two_class: Sequence[bool]) -> Float32Array:
    """Say which labels each face may have.

    Args:
        labels: N indices into `LABELS`.
        two_class: of each face, whether whoever labelled it knew no `incorrect_mask`.

    Returns:
        (N, 3) float32: 1 for each label that is allowed, else 0.
    """
    allowed = np.eye(len(LABELS), dtype=np.float32)[list(labels)]
    hidden = (np.asarray(labels) == WITH) & np.asarray(two_class, bool)
    allowed[hidden, WRONG] = 1.0
    return allowed


def loss_of_allowed(allowed: Any, probabilities: Any) -> Any:
    """Return -log of the probability of all allowed labels together, with label smoothing.

    Where one label is allowed this is the cross-entropy with smoothed labels.

    Args:
        allowed: (N, 3) from `allowed_labels`.
        probabilities: (N, 3) of the network.

    Returns:
        (N,) losses.

    Source:
        Jin and Ghahramani, "Learning with Multiple Labels", NIPS 2002, with a uniform prior; smoothing: Szegedy et
        al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016.
    """
    together = keras.ops.sum(allowed * probabilities, axis=-1)
    exact = -keras.ops.log(keras.ops.maximum(together, SMALLEST))
    even = -keras.ops.mean(keras.ops.log(keras.ops.maximum(probabilities, SMALLEST)), axis=-1)
    return (1 - SMOOTHING) * exact + SMOOTHING * even


def hits(allowed: Any, probabilities: Any) -> Any:
    """Return (N,) 1 where the most probable label is allowed, else 0."""
    said = keras.ops.one_hot(keras.ops.argmax(probabilities, axis=-1), len(LABELS), dtype=allowed.dtype)
    return keras.ops.sum(allowed * said, axis=-1)
