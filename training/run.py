"""One training run from folders of pictures to a folder with the model, its report and its pictures."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from maskwatch.arrays import Float32Array, UInt8Array
from models.engines import EngineName, load_network
from models.registry import ModelEntry, sha256_of
from training.batches import plain_faces
from training.data import Data
from training.datalist import DATA_LIST, write_data_list
from training.datareport import write_data_report
from training.export import CALIBRATION_FACES, export_float, export_int8, parity
from training.fit import BEST, Progress, fit, predict
from training.measure import figures_by_source
from training.plots import plot_confusion, plot_curves
from training.publish import FLOAT_LITERT, INT8_LITERT, KERAS_FILE, describe
from training.report import REPORT, Report, named_settings, versions
from training.samples import Sample, count_labels
from training.settings import TrainSettings

__all__ = ["train_model"]


def train_model(settings: TrainSettings, data: Data, resume: bool = False) -> Report:
    """Train, export, measure, and write everything into the run's folder.

    Args:
        settings: of the run.
        data: faces to learn from and to measure on.
        resume: go on with an interrupted run in the same folder.

    Returns:
        The report, as written to `report.json`.

    Raises:
        ConfigError: if the run's folder holds another run.
        ModelError: if the backbone's weights don't fit or the export fails.
    """
    _limit_threads(settings.threads)
    settings.out.mkdir(parents=True, exist_ok=True)
    train, val = data.train, data.val
    progress = fit(settings, train, val, resume)
    model = keras.saving.load_model(settings.out / BEST, compile=False, safe_mode=True)
    model.save(settings.out / KERAS_FILE)
    _export(model, settings, train)
    write_data_list(settings.out / DATA_LIST, data)
    write_data_report(settings.out / "data", data)
    report = _measure(model, settings, progress, train, val)
    (settings.out / REPORT).write_text(report.model_dump_json(indent=1) + "\n")
    plot_curves(report.epochs, settings.out / "curves.png")
    plot_confusion(report.figures["int8"]["all"]["confusion"], settings.out / "confusion.png")
    return report


def _limit_threads(threads: int) -> None:
    """Keep TensorFlow to some cores; without effect once it has started."""
    if threads and keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with contextlib.suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)


def _export(model: Any, settings: TrainSettings, train: Sequence[Sample]) -> None:
    """Write the two LiteRT files; the converter's own prints go to stderr, where logs belong."""
    rng = np.random.default_rng(settings.seed)
    chosen = rng.choice(len(train), min(CALIBRATION_FACES, len(train)), replace=False)
    faces = plain_faces([train[i] for i in chosen], settings.size_px)
    with contextlib.redirect_stdout(sys.stderr):
        export_float(model, settings.out / FLOAT_LITERT)
        export_int8(model, settings.out / INT8_LITERT, faces)


def _measure(
    model: Any, settings: TrainSettings, progress: Progress, train: Sequence[Sample], val: Sequence[Sample]
) -> Report:
    """Measure the Keras model and both exported files on the validation faces."""
    faces = plain_faces(val, settings.size_px)
    truth, sources = [sample.label for sample in val], [sample.source for sample in val]
    chances = {
        "keras": predict(model, faces),
        "float32": _litert(FLOAT_LITERT, settings, faces),
        "int8": _litert(INT8_LITERT, settings, faces),
    }
    return Report(
        settings=named_settings(settings),
        versions=versions(),
        faces={"train": count_labels(train), "val": count_labels(val)},
        epochs=progress.epochs,
        best_epoch=progress.best + 1,
        figures={file: figures_by_source(truth, chances[file], sources) for file in ("keras", "int8")},
        parity={file: parity(chances["keras"], chances[file]) for file in ("float32", "int8")},
        sha256={file: sha256_of(settings.out / file) for file in (KERAS_FILE, FLOAT_LITERT, INT8_LITERT)},
    )


def _litert(file: str, settings: TrainSettings, faces: UInt8Array) -> Float32Array:
    """Ask an exported file about faces through the engine that workers use."""
    manifest = describe(settings.out, "run", "0.0.0", settings.size_px, file)
    network = load_network(ModelEntry(settings.out, manifest), EngineName.LITERT)
    try:
        return network.run(faces)[0]
    finally:
        network.close()
