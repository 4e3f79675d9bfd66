"""Diagrams of a run: how it learned, what it mixes up, and whether its probabilities mean what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwatch.arrays import Float32Array
from maskwatch.types import LABELS
from training.fit import EpochRecord

__all__ = ["plot_classic", "plot_confusion", "plot_curves", "plot_precision_recall", "plot_reliability"]

RELIABILITY_BINS = 10
FEWEST_IN_BIN = 5
"""A bin of fewer faces says nothing; it is left out of the diagram."""


def plot_curves(epochs: Sequence[EpochRecord], path: Path) -> None:
    """Write a PNG with loss and accuracy by epoch; a line marks where fine-tuning began."""
    figure = _figure((9, 4))
    numbers = [record.epoch + 1 for record in epochs]
    panels = (
        ("loss", ("loss", "val_loss")),
        ("accuracy", ("accuracy", "val_accuracy", "val_balanced_accuracy")),
    )
    fine = next((record.epoch + 0.5 for record in epochs if record.phase == "fine"), None)
    for axes, (title, names) in zip(figure.subplots(1, 2), panels, strict=True):
        for name in names:
            axes.plot(numbers, [getattr(record, name) for record in epochs], marker="o", label=name)
        if fine is not None:
            axes.axvline(fine, color="grey", linestyle=":", label="fine-tuning begins")
        axes.set(title=title, xlabel="epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=110)


def plot_classic(history: Mapping[str, Sequence[float]], path: Path) -> None:
    """Write a PNG with the four curves of the classic scripts in one diagram: losses and accuracies by epoch."""
    figure = _figure((7, 5))
    axes = figure.subplots()
    for name in ("loss", "val_loss", "accuracy", "val_accuracy"):
        axes.plot(range(1, len(history[name]) + 1), history[name], marker=".", label=name)
    axes.set(title="training loss and accuracy", xlabel="epoch", ylabel="loss and accuracy")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)


def plot_confusion(confusion: Sequence[Sequence[int]], path: Path) -> None:
    """Write a PNG of a confusion matrix: rows are true labels, shades are shares of the row, numbers are faces."""
    counts = np.asarray(confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = _figure((5.5, 5))
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = [label.value for label in LABELS]
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names, rotation=90, va="center")
    axes.set(xlabel="predicted", ylabel="true")
    for (row, column), count in np.ndenumerate(counts):
        shade = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, f"{count}\n{shares[row, column]:.1%}", ha="center", va="center", color=shade)
    figure.savefig(path, dpi=110)


def plot_precision_recall(truth: NDArray[np.int64], probabilities: Float32Array, path: Path) -> None:
    """Write a PNG with precision by recall of each label as its probability's threshold falls.

    Args:
        truth: (N,) indices into `LABELS`.
        probabilities: (N, 3).
        path: the file.
    """
    figure = _figure((6.5, 5))
    axes = figure.subplots()
    for index, label in enumerate(LABELS):
        ranked = (truth == index)[np.argsort(-probabilities[:, index], kind="stable")]
        if ranked.any():
            found = np.cumsum(ranked)
            precision, recall = found / np.arange(1, len(ranked) + 1), found / found[-1]
            average = float(precision[ranked].mean())
            axes.plot(recall, precision, label=f"{label.value}: {found[-1]} faces, average precision {average:.3f}")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    figure.savefig(path, dpi=110)


def plot_reliability(
    truth: NDArray[np.int64], chances: dict[str, Float32Array], unknown_below: float, path: Path
) -> None:
    """Write a PNG with the share of right answers by confidence, and how many faces have which confidence.

    Args:
        truth: (N,) indices into `LABELS`.
        chances: (N, 3) probabilities by what the diagram calls them.
        unknown_below: threshold of `unknown`, drawn as a line.
        path: the file.
    """
    figure = _figure((6.5, 6.5))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    edges = np.linspace(0, 1, RELIABILITY_BINS + 1)
    upper.plot((0, 1), (0, 1), color="grey", linestyle=":", label="as it says")
    for name, probabilities in chances.items():
        sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
        bins = np.clip(np.digitize(sure, edges) - 1, 0, RELIABILITY_BINS - 1)
        shown = [number for number in range(RELIABILITY_BINS) if (bins == number).sum() >= FEWEST_IN_BIN]
        means = [(sure[bins == number].mean(), right[bins == number].mean()) for number in shown]
        upper.plot(*(zip(*means, strict=True) if means else ([], [])), marker="o", label=name)
        lower.hist(sure, bins=edges, histtype="step", label=name)
    for axes in (upper, lower):
        axes.axvline(unknown_below, color="red", linestyle="--", label=f"unknown below {unknown_below:.2f}")
        axes.grid(alpha=0.3)
    upper.set(ylabel="share of right answers", xlim=(0.3, 1), ylim=(0, 1.02))
    upper.legend(loc="lower right")
    lower.set(xlabel="highest probability", ylabel="faces", yscale="log")
    figure.savefig(path, dpi=110)


def _figure(size: tuple[float, float]) -> Any:
    """Return a figure without a window: `pyplot` and its global state aren't used."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure
