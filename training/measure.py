"""Figures of a classifier on labelled faces, as a whole and by source."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maskwatch.arrays import Float32Array
from models.scores import ClassificationFigures as Figures
from models.scores import Figure as Rate
from models.scores import balanced_accuracy, classification_figures

__all__ = ["Figures", "Rate", "balanced_accuracy", "figures_by_source"]


def figures_by_source(
    truth: Sequence[int],
    probabilities: Float32Array,
    sources: Sequence[str],
    unknown_below: float = 0.0,
    files: Sequence[str] | None = None,
) -> dict[str, Figures]:
    """Measure all faces together ("all") and each source alone.

    Args:
        truth: N indices into `LABELS`.
        probabilities: (N, 3) float32.
        sources: N names.
        unknown_below: highest probability below which a face's label counts as unknown.
        files: the picture of each face, so that intervals are drawn from pictures; None where each face has its own.
    """
    names, true = np.asarray(sources), np.asarray(truth, np.int64)
    pictures = np.arange(len(true)) if files is None else np.unique(np.asarray(files), return_inverse=True)[1]

    def measure(chosen: Sequence[int] | slice) -> Figures:
        return classification_figures(true[chosen], probabilities[chosen], unknown_below, pictures[chosen])

    each = {name: np.flatnonzero(names == name).tolist() for name in sorted(set(sources))}
    return {"all": measure(slice(None)), **{name: measure(chosen) for name, chosen in each.items()}}
