"""Exporting a model that is trained already, and comparing what comes out with it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from maskwatch.errors import ModelError
from maskwatch.types import LABELS
from training.batches import plain_faces
from training.export import Parity, calibration_faces, export_float, export_int8, parity
from training.fit import predict
from training.keras_file import load_keras_file
from training.packing import save_small
from training.publish import FLOAT_LITERT, INT8_LITERT, KERAS_FILE, ask_litert
from training.samples import Sample

__all__ = ["PARITY", "ExportReport", "export_model", "load_classifier_file"]

PARITY = "parity.json"


class ExportReport(BaseModel):
    """`parity.json` of an export.

    Attributes:
        model: the file that was exported.
        size_bytes: of the exported files, by name.
        parity: of each of them with the Keras model.
    """

    model: str
    size_bytes: dict[str, int]
    parity: dict[str, Parity]


def export_model(source: Path, out: Path, data: Sequence[Sample], val: Sequence[Sample], seed: int = 1) -> ExportReport:
    """Write a model as LiteRT, float32 and int8, beside a packed copy of it, with `parity.json`.

    Args:
        source: a run's folder or a `.keras` file.
        out: folder to write into; made if it isn't there.
        data: faces that the int8 file is calibrated on; a few hundred of them are drawn.
        val: faces that the files are compared on.
        seed: of that draw.

    Raises:
        ConfigError: if there is no such model.
        ModelError: if it isn't a classifier that can be used, or the converter fails.
    """
    path = source / KERAS_FILE if source.is_dir() else source
    model = load_classifier_file(path)
    size_px = int(model.input_shape[1])
    out.mkdir(parents=True, exist_ok=True)
    save_small(model, out / KERAS_FILE)
    with contextlib.redirect_stdout(sys.stderr):
        export_float(model, out / FLOAT_LITERT)
        export_int8(model, out / INT8_LITERT, calibration_faces(data, size_px, seed))
    faces, truth = plain_faces(val, size_px), [sample.label for sample in val]
    expected = predict(model, faces)
    files = (FLOAT_LITERT, INT8_LITERT)
    report = ExportReport(
        model=path.name,
        size_bytes={file: (out / file).stat().st_size for file in files},
        parity={file: parity(expected, ask_litert(out, file, size_px, faces), truth) for file in files},
    )
    (out / PARITY).write_text(report.model_dump_json(indent=1) + "\n")
    return report


def load_classifier_file(path: Path) -> Any:
    """Load the `.keras` file of a classifier; code in it is refused.

    Returns:
        The `keras.Model`, not compiled.

    Raises:
        ConfigError: if it can't be read.
        ModelError: if it isn't a classifier of faces.
    """
    model = load_keras_file(path)
    taken, given = tuple(model.input_shape[1:]), tuple(model.output_shape[1:])
    if len(taken) != 3 or taken[0] != taken[1] or taken[2] != 3 or given != (len(LABELS),):
        raise ModelError(
            f"model {path}: expected square pictures in and {len(LABELS)} probabilities out, received {taken} and "
            f"{given}; give a classifier"
        )
    return model
