"""Pictures of a run: how it learned, and what it mixes up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maskwatch.types import LABELS
from training.fit import EpochRecord

__all__ = ["plot_confusion", "plot_curves"]


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


def _figure(size: tuple[float, float]) -> Any:
    """Return a figure without a window: `pyplot` and its global state aren't used."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure
