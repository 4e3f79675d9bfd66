"""Going on from a trained model: its weights at the beginning, and a share of them in what is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from maskwatch.errors import ConfigError
from training.keras_file import load_keras_file

__all__ = ["blend", "start_from"]


def start_from(model: Any, path: Path) -> None:
    """Take over the weights of a trained model of the same shape.

    Raises:
        ConfigError: if the file can't be read, or holds a network of another shape.
        ModelError: if it holds no network that is accepted.
    """
    model.set_weights(_weights(model, path))


def blend(model: Any, path: Path, share: float) -> None:
    """Mix the weights that the model started from into those that it learned, each as a mean of the two.

    What was learned last is kept for the most part, and so is what the start did better on pictures unlike those.

    Args:
        model: as learned.
        path: what it started from.
        share: of the start, 0..1.

    Raises:
        ConfigError: if the file can't be read, or holds a network of another shape.
        ModelError: if it holds no network that is accepted.

    Source:
        Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022.
    """
    start = _weights(model, path)
    model.set_weights([(1 - share) * new + share * old for new, old in zip(model.get_weights(), start, strict=True)])


def _weights(model: Any, path: Path) -> list[Any]:
    weights = load_keras_file(path).get_weights()
    expected, received = [[item.shape for item in part] for part in (model.get_weights(), weights)]
    if expected != received:
        raise ConfigError(
            f"--start-from {path}: expected a classifier of this backbone, width and labels ({len(expected)} arrays of "
            f"weights), received a network of another shape ({len(received)}); give the options that it was made with"
        )
    return weights  # type: ignore[no-any-return]
