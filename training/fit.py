"""Two phases: the head on a frozen backbone, then all of it; each epoch is kept, so a run can be resumed.

What is measured and kept are the averages of the weights over the last steps (Polyak), which are better than any
step's own; learning goes on from the step's own. `best.keras` holds averages, `last.keras` the learning weights with
the optimizer, whose state the averages are part of.
"""

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
from models.backbones import build_classifier
from models.scores import balanced_accuracy
from training.batches import EpochBatches, draw_epoch, plain_faces, shares_to_draw
from training.objective import hits, loss_of_allowed
from training.samples import Sample
from training.settings import TrainSettings
from training.start import start_from

__all__ = ["EpochRecord", "Progress", "fit", "jit_compile", "predict"]

LAST, BEST, PROGRESS = "last.keras", "best.keras", "progress.json"

PREDICT_BATCH = 64

SHORTEST_AVERAGE = 10
"""Averages reach back over a tenth of a phase at most: a longer one would still hold the phase's first steps."""


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
        compiled_at: the epoch before which the optimizer was made.
        epochs: one record per epoch that is done.
        best: index of the record whose weights are in `best.keras`.
    """

    fingerprint: dict[str, float | int | str]
    planned: int
    compiled_at: int = 0
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
        ModelError: if the backbone's weights, or the model to start from, don't fit.
    """
    keras.utils.set_random_seed(settings.seed)
    progress = _begin(settings, resume)
    first, total = len(progress.epochs), settings.epochs_head + settings.epochs_fine
    if _is_over(progress, settings):
        return progress
    weights = "none" if first or settings.start_from else settings.backbone_weights
    model = build_classifier(settings.backbone_name, settings.size_px, settings.alpha, weights)
    if settings.start_from and not first:
        start_from(model, settings.start_from)
    val_faces = plain_faces(val, settings.size_px)
    val_labels = np.array([sample.label for sample in val])
    for epoch in range(first, total):
        phase: Literal["head", "fine"] = "head" if epoch < settings.epochs_head else "fine"
        if epoch in (first, settings.epochs_head):
            _prepare(model, phase, settings, progress)
        record, learning = _epoch(model, settings, train, val_faces, val_labels, phase, epoch)
        progress.planned = total
        progress.epochs.append(record)
        if progress.best < 0 or record.val_balanced_accuracy > progress.epochs[progress.best].val_balanced_accuracy:
            progress.best = epoch
            _save(model, settings.out / BEST)
        model.set_weights(learning)
        _save(model, settings.out / LAST)
        (settings.out / PROGRESS).write_text(progress.model_dump_json(indent=1))
        structlog.get_logger().info("training.epoch", **record.model_dump(), best=progress.best == epoch)
        if _is_over(progress, settings):
            break
    return progress


def _is_over(progress: Progress, settings: TrainSettings) -> bool:
    """Say whether all epochs are done, or fine-tuning hasn't got better for as long as it is given."""
    done = len(progress.epochs)
    if done >= settings.epochs_head + settings.epochs_fine:
        return True
    fine_since_best = done - max(progress.best + 1, settings.epochs_head)
    return 0 < settings.patience <= fine_since_best


def _fingerprint(settings: TrainSettings) -> dict[str, float | int | str]:
    """Return the settings that decide what an epoch does; the number of epochs may change on resuming."""
    names = ("size_px", "alpha", "epochs_head", "fine_from", "epoch_faces", "batch", "rate_head", "rate_fine", "seed")
    lists = ("two_class_sources", "leave_out", "without")
    return {
        **{name: getattr(settings, name) for name in (*names, "recipe", "backbone_name", "ema")},
        **{name: ", ".join(sorted(getattr(settings, name))) for name in lists},
    }


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


def _prepare(model: Any, phase: str, settings: TrainSettings, progress: Progress) -> None:
    """Make the model ready for its next epoch: what learns, the optimizer, and on resuming all that it had.

    The optimizer is new at the beginning of a phase and when the number of epochs was changed; else its state is read.
    Only arrays are read from `last.keras`, and never how to build anything.
    """
    done, total = len(progress.epochs), settings.epochs_head + settings.epochs_fine
    _free(model.get_layer("backbone"), phase, settings.fine_from)
    if done and not model.compiled:
        model.load_weights(settings.out / LAST)
    is_new = done in (0, settings.epochs_head) or progress.planned != total
    if is_new:
        progress.compiled_at = done
    _compile(model, phase, settings, progress.epochs[: progress.compiled_at])
    if not is_new:
        model.optimizer.build(model.trainable_variables)
        model.load_weights(settings.out / LAST)


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
    fine = [record for record in done if record.phase == "fine"]
    epochs = settings.epochs_head if phase == "head" else settings.epochs_fine - len(fine)
    steps = -(-settings.epoch_faces // settings.batch) * epochs
    if phase == "fine":
        start = (fine[-1].rate if fine else 0.0) or settings.rate_fine
        rate = keras.optimizers.schedules.CosineDecay(start, steps)
    momentum = max(0.0, min(settings.ema, 1 - SHORTEST_AVERAGE / steps))
    model.compile(
        optimizer=keras.optimizers.Adam(rate, use_ema=settings.ema > 0, ema_momentum=momentum),
        loss=loss_of_allowed,
        metrics=[keras.metrics.MeanMetricWrapper(hits, name="accuracy")],
        jit_compile=jit_compile(),
    )


def jit_compile() -> Literal[False, "auto"]:
    """Say what to tell Keras about compiling a step.

    On TensorFlow: not to. XLA was measured eight times slower than oneDNN's kernels for MobileNetV2 on a CPU. On
    JAX, where XLA is all there is, a step that isn't compiled runs operation by operation.
    """
    return False if keras.backend.backend() == "tensorflow" else "auto"


def _epoch(
    model: Any,
    settings: TrainSettings,
    train: Sequence[Sample],
    val_faces: UInt8Array,
    val_labels: np.ndarray[Any, np.dtype[np.int64]],
    phase: Literal["head", "fine"],
    epoch: int,
) -> tuple[EpochRecord, list[Any]]:
    """Run one epoch and measure it.

    Returns:
        Its figures, and the learning weights; the model is left with the averaged ones, which were measured.
    """
    started = time.monotonic()
    seed = settings.seed * 10_000 + epoch
    order = draw_epoch(train, settings.epoch_faces, seed, shares_to_draw(frozenset(settings.without)))
    batches = EpochBatches(train, order, settings, seed)
    learning: list[Any] = []
    # `fit` puts the averages into the model when it ends, and calls this before.
    keep = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: learning.extend(model.get_weights()))
    with tqdm(total=len(batches), desc=f"{phase} {epoch + 1}", unit="step", mininterval=1.0, disable=None) as bar:
        step = keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: _show(bar, logs))
        logs = model.fit(batches, epochs=1, shuffle=False, verbose=0, callbacks=[step, keep]).history
    # On JAX the model now shares the averages' memory with the optimizer, and asking it gives that memory away.
    model.set_weights([array.copy() for array in model.get_weights()])
    chances = predict(model, val_faces)
    predicted = chances.argmax(axis=1)
    record = EpochRecord(
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
    return record, learning


def _show(bar: Any, logs: dict[str, float]) -> None:
    bar.set_postfix(loss=f"{logs['loss']:.3f}", accuracy=f"{logs['accuracy']:.3f}", refresh=False)
    bar.update()


def predict(model: Any, faces: UInt8Array) -> Float32Array:
    """Ask a Keras model about faces (N, S, S, 3) uint8 RGB; returns (N, 3) float32."""
    return np.asarray(model.predict(faces, batch_size=PREDICT_BATCH, verbose=0), np.float32)


def _save(model: Any, path: Path) -> None:
    """Write a model so that a crash leaves the old file or the new one, never half of one."""
    part = path.with_name(f"part-{path.name}")
    model.save(part)
    part.replace(path)
