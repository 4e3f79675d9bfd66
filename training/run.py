"""One training run from folders of pictures to a folder with the model, its report and its pictures."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import structlog
from numpy.typing import NDArray

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.errors import ModelError
from models.registry import sha256_of
from models.scores import MAIN, FaceSetFigures, classification_figures, face_set_figures, shorter_sides
from training.batches import plain_faces
from training.calibration import Calibration, calibration_of, fold_temperature
from training.card import card_text
from training.data import Data
from training.datalist import DATA_LIST, write_data_list
from training.datareport import write_data_report
from training.export import calibration_faces, export_float, export_int8, parity, require_converter
from training.fit import BEST, Progress, fit, predict
from training.mistakes import draw_mistakes
from training.objective import allowed_labels
from training.packing import round_weights, save_small
from training.plots import plot_confusion, plot_curves, plot_precision_recall, plot_reliability
from training.publish import FLOAT_LITERT, INT8_LITERT, KERAS_FILE, ask_litert
from training.report import REPORT, Report, named_settings, versions
from training.samples import Sample, count_labels
from training.settings import TrainSettings
from training.start import blend
from training.tables import report_text

__all__ = ["train_model"]

FILES = (KERAS_FILE, FLOAT_LITERT, INT8_LITERT)


@dataclass(frozen=True, slots=True)
class _Judged:
    """What the files of a run say of the validation faces.

    Attributes:
        calibration: of the model.
        before: (N, 3) probabilities of the Keras model before its calibration.
        chances: (N, 3) by file ("keras", "float32", "int8"), calibrated.
        left_out: the same for the sources that were left out.
    """

    calibration: Calibration
    before: Float32Array
    chances: dict[str, Float32Array]
    left_out: dict[str, Float32Array]


def train_model(settings: TrainSettings, data: Data, resume: bool = False) -> Report:
    """Train, calibrate, export, measure, and write everything into the run's folder.

    Args:
        settings: of the run.
        data: faces to learn from and to measure on.
        resume: go on with an interrupted run in the same folder; one whose training is finished is not trained again.

    Returns:
        The report, as written to `report.json`.

    Raises:
        ConfigError: if the run's folder holds another run.
        ModelError: if the backbone's weights don't fit or the export fails.
    """
    _limit_threads(settings.threads)
    try:
        require_converter()
    except ModelError as error:
        # Said now, and again when all is trained: what is trained till then is kept.
        structlog.get_logger().warning("training.no_export", reason=str(error))
    settings.out.mkdir(parents=True, exist_ok=True)
    progress = fit(settings, data.train, data.val, resume)
    structlog.get_logger().info("training.exporting", best_epoch=progress.best + 1)
    model = keras.saving.load_model(settings.out / BEST, compile=False, safe_mode=True)
    if settings.start_from is not None and settings.start_share:
        blend(model, settings.start_from, settings.start_share)
    judged = _finish(model, settings, data)
    report = _report(settings, progress, data, judged)
    _write(settings, data, report, judged)
    return report


def _limit_threads(threads: int) -> None:
    """Keep TensorFlow to some cores; without effect once it has started."""
    if threads and keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with contextlib.suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)


def _finish(model: Any, settings: TrainSettings, data: Data) -> _Judged:
    """Calibrate the best epoch's model, write its files, and ask each about the faces to measure on."""
    faces = plain_faces(data.val, settings.size_px)
    before = predict(model, faces)
    large = _large(data.val)
    two_class = np.array([sample.source in settings.two_class_sources for sample in data.val])[large]
    truth = _truth(data.val)[large]
    calibration = calibration_of(before[large], truth, allowed_labels(truth.tolist(), two_class.tolist()))
    fold_temperature(model, calibration.temperature)
    round_weights(model)
    save_small(model, settings.out / KERAS_FILE)
    _export(model, settings, data.train)
    left_out = plain_faces(data.left_out, settings.size_px) if data.left_out else None
    return _Judged(
        calibration,
        before,
        _ask(model, settings, faces),
        {} if left_out is None else _ask(model, settings, left_out),
    )


def _export(model: Any, settings: TrainSettings, train: Sequence[Sample]) -> None:
    """Write the two LiteRT files; the converter's own prints go to stderr, where logs belong."""
    faces = calibration_faces(train, settings.size_px, settings.seed)
    with contextlib.redirect_stdout(sys.stderr):
        export_float(model, settings.out / FLOAT_LITERT)
        export_int8(model, settings.out / INT8_LITERT, faces)


def _ask(model: Any, settings: TrainSettings, faces: UInt8Array) -> dict[str, Float32Array]:
    """Ask the Keras model and both exported files about faces."""
    return {
        "keras": predict(model, faces),
        "float32": ask_litert(settings.out, FLOAT_LITERT, settings.size_px, faces),
        "int8": ask_litert(settings.out, INT8_LITERT, settings.size_px, faces),
    }


def _truth(samples: Sequence[Sample]) -> NDArray[np.int64]:
    return np.array([sample.label for sample in samples], np.int64)


def _large(samples: Sequence[Sample]) -> NDArray[np.bool_]:
    """Return (N,) bool: which faces are large enough for their labels to be more than guesses; all if none is."""
    large = MAIN.holds(shorter_sides(np.array([sample.box_xyxy for sample in samples], np.float32)))
    return large if large.any() else ~large


def _figures(samples: Sequence[Sample], chances: Float32Array, unknown_below: float) -> FaceSetFigures:
    boxes = np.array([sample.box_xyxy for sample in samples], np.float32)
    sources = [sample.source for sample in samples]
    return face_set_figures(_truth(samples).astype(np.int32), chances, boxes, sources, unknown_below)


def _report(settings: TrainSettings, progress: Progress, data: Data, judged: _Judged) -> Report:
    """Put all figures together."""
    truth, threshold = _truth(data.val), judged.calibration.unknown_below
    large, measured = _large(data.val), ("keras", "int8")
    return Report(
        settings=named_settings(settings),
        versions=versions(),
        licences=data.licences,
        faces={split: count_labels(samples) for split, samples in data.splits.items()},
        epochs=progress.epochs,
        best_epoch=progress.best + 1,
        calibration=judged.calibration,
        ece_before=classification_figures(truth[large], judged.before[large])["ece"]["value"],
        figures={file: _figures(data.val, judged.chances[file], threshold) for file in measured},
        left_out={
            file: _figures(data.left_out, judged.left_out[file], threshold) for file in measured if judged.left_out
        },
        parity={
            file: parity(judged.chances["keras"], judged.chances[file], truth.tolist()) for file in ("float32", "int8")
        },
        sha256={file: sha256_of(settings.out / file) for file in FILES},
        size_bytes={file: (settings.out / file).stat().st_size for file in FILES},
    )


def _write(settings: TrainSettings, data: Data, report: Report, judged: _Judged) -> None:
    """Write the report, the card, the lists of the data, the diagrams and the worst mistakes."""
    out, truth = settings.out, _truth(data.val)
    (out / REPORT).write_text(report.model_dump_json(indent=1) + "\n")
    (out / "report.md").write_text(report_text(out.name, report))
    (out / "CARD.md").write_text(card_text(out.name, "(not released)", report))
    write_data_list(out / DATA_LIST, data)
    write_data_report(out / "data", data)
    plot_curves(report.epochs, out / "curves.png")
    plot_confusion(report.figures["int8"]["classification"]["confusion"], out / "confusion.png")
    large = _large(data.val)
    plot_precision_recall(truth[large], judged.chances["int8"][large], out / "precision_recall.png")
    compared = {"before calibration": judged.before, "calibrated": judged.chances["keras"]}
    compared["calibrated, int8"] = judged.chances["int8"]
    shown = {name: chances[large] for name, chances in compared.items()}
    plot_reliability(truth[large], shown, report.calibration.unknown_below, out / "reliability.png")
    draw_mistakes(data.val, judged.chances["int8"], out / "worst.png")
