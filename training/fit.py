"""Two phases: the head on a frozen backbone, then all of it; each epoch is kept, so a run can be resumed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import structlog
from pydantic import BaseModel
from tqdm import tqdm

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.errors import ConfigError
from models.classifier import build_mobilenet_v2
from training.batches import EpochBatches, draw_epoch, plain_faces
from training.measure import balanced_accuracy
from training.samples import Sample
from training.settings import TrainSettings

__all__ = ["EpochRecord", "Progress", "fit"]

LAST, BEST, PROGRESS = "last.keras", "best.keras", "progress.json"

PREDICT_BATCH = 64


class EpochRecord(BaseModel):
    """Figures of one epoch; losses are cross-entropies, the one of training with smoothed labels."""

    phase: Literal["head", "fine"]
    epoch: int
    rate: float
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    val_balanced_accuracy: float
    seconds: float


class Progress(BaseModel):
    """Where a run stands; `progress.json` of the run's folder.

    Attributes:
        fingerprint: settings that must not change when the run is resumed.
        planned: how many epochs the optimizer's schedule was made for.
        epochs: one record per epoch that is done.
        best: index of the record whose weights are in `best.keras`.
    """

    fingerprint: dict[str, float | int | str]
    planned: int
    epochs: list[EpochRecord] = []
    best: int = -1


def fit(settings: TrainSettings, train: Sequence[Sample], val: Sequence[Sample], resume: bool) -> Progress:
    """Train, and leave `best.keras` (highest balanced accuracy on `val`) and `progress.json` in the run's folder.

    Args:
        settings: of the run.
        train: faces to learn from.
        val: faces to choose the best epoch by.
        resume: go on after the last finished epoch of an interrupted run.

    Raises:
        ConfigError: if the run to resume had other settings.
        ModelError: if the backbone's weights don't fit.
    """
    keras.utils.set_random_seed(settings.seed)
    progress = _begin(settings, resume)
    total = settings.epochs_head + settings.epochs_fine
    model = _start_model(settings, bool(progress.epochs))
    val_faces = plain_faces(val, settings.size_px)
    val_labels = np.array([sample.label for sample in val])
    first = len(progress.epochs)
    for epoch in range(first, total):
        phase: Literal["head", "fine"] = "head" if epoch < settings.epochs_head else "fine"
        if epoch in (first, settings.epochs_head):
            _free(model.get_layer("backbone"), phase, settings.fine_from)
            if epoch in (0, settings.epochs_head) or progress.planned != total:
                _compile(model, phase, settings, progress.epochs)
        record = _epoch(model, settings, train, val_faces, val_labels, phase, epoch)
        progress.planned = total
        progress.epochs.append(record)
        if progress.best < 0 or record.val_balanced_accuracy > progress.epochs[progress.best].val_balanced_accuracy:
            progress.best = epoch
            _save(model, settings.out / BEST, include_optimizer=False)
        _save(model, settings.out / LAST, include_optimizer=True)
        (settings.out / PROGRESS).write_text(progress.model_dump_json(indent=1))
        structlog.get_logger().info("training.epoch", **record.model_dump(), best=progress.best == epoch)
    return progress


def _fingerprint(settings: TrainSettings) -> dict[str, float | int | str]:
    """Return the settings that decide what an epoch does; the number of epochs may change on resuming."""
    names = ("size_px", "alpha", "epochs_head", "fine_from", "epoch_faces", "batch", "rate_head", "rate_fine", "seed")
    return {name: getattr(settings, name) for name in names}


def _begin(settings: TrainSettings, resume: bool) -> Progress:
    """Return the progress to go on from, an empty one for a new run."""
    path = settings.out / PROGRESS
    fresh = Progress(fingerprint=_fingerprint(settings), planned=settings.epochs_head + settings.epochs_fine)
    if not path.exists():
        return fresh
    if not resume:
        raise ConfigError(f"run {settings.out}: holds a run already; give --resume to go on, or another --out")
    progress = Progress.model_validate_json(path.read_text())
    changed = sorted(name for name, value in fresh.fingerprint.items() if progress.fingerprint.get(name) != value)
    if changed:
        before = ", ".join(f"{name}={progress.fingerprint.get(name)}" for name in changed)
        raise ConfigError(f"run {settings.out}: can't resume with other settings; it had {before}")
    return progress


def _start_model(settings: TrainSettings, resumed: bool) -> Any:
    """Build a new model, or load the one of the last finished epoch with its optimizer."""
    if resumed:
        return keras.saving.load_model(settings.out / LAST, compile=True, safe_mode=True)
    return build_mobilenet_v2(settings.size_px, settings.alpha, settings.backbone or "imagenet")


def _free(backbone: Any, phase: str, fine_from: str) -> None:
    """Freeze the backbone for the head's phase; else free its layers from the first whose name begins so.

    Raises:
        ConfigError: if there is no such layer.
    """
    names = [layer.name for layer in backbone.layers]
    start = next((i for i, name in enumerate(names) if name.startswith(fine_from)), None)
    if start is None:
        raise ConfigError(f"--fine-from {fine_from}: no layer of the backbone begins so; give e.g. block_6, or nothing")
    backbone.trainable = phase == "fine"
    if phase == "fine":
        for layer in backbone.layers[:start]:
            layer.trainable = False


def _compile(model: Any, phase: str, settings: TrainSettings, done: Sequence[EpochRecord]) -> None:
    """Give the model its optimizer: a constant rate for the head, a cosine over what is left of fine-tuning.

    A run that is resumed with another number of epochs goes on from the rate that it had, or from the first rate if
    that had come down to nothing.
    """
    rate: Any = settings.rate_head
    if phase == "fine":
        fine = [record for record in done if record.phase == "fine"]
        steps = -(-settings.epoch_faces // settings.batch) * (settings.epochs_fine - len(fine))
        start = (fine[-1].rate if fine else 0.0) or settings.rate_fine
        rate = keras.optimizers.schedules.CosineDecay(start, steps)
    # XLA was measured eight times slower than oneDNN's kernels for this network on a CPU.
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )


def _epoch(
    model: Any,
    settings: TrainSettings,
    train: Sequence[Sample],
    val_faces: UInt8Array,
    val_labels: np.ndarray[Any, np.dtype[np.int64]],
    phase: Literal["head", "fine"],
    epoch: int,
) -> EpochRecord:
    """Run one epoch and measure it."""
    started = time.monotonic()
    seed = settings.seed * 10_000 + epoch
    order = draw_epoch(train, settings.epoch_faces, seed)
    batches = EpochBatches(train, order, settings.size_px, settings.batch, seed)
    with tqdm(total=len(batches), desc=f"{phase} {epoch + 1}", unit="step", mininterval=1.0, disable=None) as bar:
        step = keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: _show(bar, logs))
        logs = model.fit(batches, epochs=1, shuffle=False, verbose=0, callbacks=[step]).history
    chances = predict(model, val_faces)
    predicted = chances.argmax(axis=1)
    return EpochRecord(
        phase=phase,
        epoch=epoch,
        rate=float(model.optimizer.learning_rate),
        loss=logs["loss"][-1],
        accuracy=logs["accuracy"][-1],
        val_loss=float(-np.log(np.maximum(chances[np.arange(len(val_labels)), val_labels], 1e-7)).mean()),
        val_accuracy=float((predicted == val_labels).mean()),
        val_balanced_accuracy=balanced_accuracy(val_labels, predicted),
        seconds=round(time.monotonic() - started, 1),
    )


def _show(bar: Any, logs: dict[str, float]) -> None:
    bar.set_postfix(loss=f"{logs['loss']:.3f}", accuracy=f"{logs['accuracy']:.3f}", refresh=False)
    bar.update()


def predict(model: Any, faces: UInt8Array) -> Float32Array:
    """Ask a Keras model about faces (N, S, S, 3) uint8 RGB; returns (N, 3) float32."""
    return np.asarray(model.predict(faces, batch_size=PREDICT_BATCH, verbose=0), np.float32)


def _save(model: Any, path: Path, include_optimizer: bool) -> None:
    """Write a model so that a crash leaves the old file or the new one, never half of one."""
    part = path.with_name(f"part-{path.name}")
    model.save(part, include_optimizer=include_optimizer)
    part.replace(path)
