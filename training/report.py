"""The report of a run: everything that is needed to judge the model and to train it again."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel

from training.export import Parity
from training.fit import EpochRecord
from training.measure import Figures
from training.settings import TrainSettings

__all__ = ["REPORT", "Report", "named_settings", "versions"]

REPORT = "report.json"


class Report(BaseModel):
    """`report.json` of a run's folder.

    Attributes:
        settings: of the run; paths by their last two parts, so that a report tells nothing of a person's machine.
        versions: of the packages that decide what comes out.
        faces: how many of each label, by split.
        epochs: one record each.
        best_epoch: the epoch (from 1) whose weights were kept.
        figures: on the validation faces, by file ("keras", "int8") and source ("all" is all of them).
        parity: of the exported files with the Keras model, on the validation faces.
        sha256: of the files of weights, by name.
    """

    settings: dict[str, str | int | float | list[str] | None]
    versions: dict[str, str]
    faces: dict[str, dict[str, int]]
    epochs: list[EpochRecord]
    best_epoch: int
    figures: dict[str, dict[str, Figures]]
    parity: dict[str, Parity]
    sha256: dict[str, str]


def named_settings(settings: TrainSettings) -> dict[str, str | int | float | list[str] | None]:
    """Return settings with paths cut to their last two parts."""
    cut = {
        name: _short(value) if isinstance(value, Path) else [_short(one) for one in value]
        for name, value in settings
        if isinstance(value, Path | tuple)
    }
    return {**settings.model_dump(), **cut}


def _short(value: Path | str) -> str:
    return "/".join(value.resolve().parts[-2:]) if isinstance(value, Path) else value


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide what training yields."""
    import keras

    found = {name: version(name) for name in ("keras", "numpy", "opencv-python-headless")}
    backend = keras.backend.backend()
    return {
        "python": platform.python_version(),
        "backend": backend,
        backend: _backend_version(backend),
        **found,
    }


def _backend_version(backend: str) -> str:
    """Return the version of Keras' backend; TensorFlow has several distributions under one import name."""
    import importlib

    return str(importlib.import_module(backend).__version__)
