"""The report of a run: everything that is needed to judge the model and to train it again."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel

from models.scores import FaceSetFigures
from training.calibration import Calibration
from training.export import Parity
from training.fit import EpochRecord
from training.settings import TrainSettings

__all__ = ["REPORT", "Report", "named_settings", "versions"]

REPORT = "report.json"


class Report(BaseModel):
    """`report.json` of a run's folder.

    Attributes:
        settings: of the run; paths by their last two parts, so that a report tells nothing of a person's machine.
        versions: of the packages that decide what comes out.
        licences: what is stated of each source; see `training.licences`.
        faces: how many of each label, by split ("train", "val", "left_out", "dropped").
        epochs: one record each.
        best_epoch: the epoch (from 1) whose weights were kept.
        calibration: temperature and threshold of `unknown`; see `training.calibration`.
        ece_before: expected calibration error on the validation faces before calibration.
        figures: on the validation faces, by file ("keras", "int8").
        left_out: the same on the sources that were left out; empty where none was.
        parity: of the exported files with the Keras model, on the validation faces.
        sha256: of the files of weights, by name.
        size_bytes: of them.
    """

    settings: dict[str, str | int | float | list[str] | None]
    versions: dict[str, str]
    licences: dict[str, str]
    faces: dict[str, dict[str, int]]
    epochs: list[EpochRecord]
    best_epoch: int
    calibration: Calibration
    ece_before: float | None
    figures: dict[str, FaceSetFigures]
    left_out: dict[str, FaceSetFigures]
    parity: dict[str, Parity]
    sha256: dict[str, str]
    size_bytes: dict[str, int]


def named_settings(settings: TrainSettings) -> dict[str, str | int | float | list[str] | None]:
    """Return settings with paths cut to their last two parts."""
    return {name: _named(value) for name, value in settings}


def _named(value: object) -> str | int | float | list[str] | None:
    if isinstance(value, Path):
        return "/".join(value.resolve().parts[-2:])
    if isinstance(value, tuple):
        return [str(_named(part)) for part in value]
    assert value is None or isinstance(value, str | int | float)
    return value


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
