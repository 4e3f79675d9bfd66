"""The recipe of the classic scripts, repeated so that its promise and what it keeps can be shown side by side.

Two classes, a frozen ImageNet backbone, one sigmoid, binary cross-entropy, Adam at 1e-4 with decay, batches of 32, 20
epochs, and a random stratified split: faces of one picture, and copies of it, fall on both sides.

Source: the training script that most public mask classifiers share (A. Rosebrock, "COVID-19: Face Mask Detector with
OpenCV, Keras/TensorFlow, and Deep Learning", 2020), with a sigmoid in place of its softmax over two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import keras
import numpy as np
import structlog
from numpy.typing import NDArray
from pydantic import BaseModel
from tqdm import tqdm

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.errors import ConfigError
from maskwatch.types import LABELS, MaskLabel
from models.backbones import build_backbone
from training.batches import plain_faces
from training.data import Data
from training.fit import PREDICT_BATCH, jit_compile
from training.plots import plot_classic
from training.report import REPORT, named_settings, versions
from training.samples import Sample, count_labels
from training.settings import TrainSettings

__all__ = ["ClassicReport", "build_classic", "stratified_split", "train_classic"]

TEST_SHARE = 0.2
HIDDEN, DROPOUT, POOL = 128, 0.5, 7
ROTATION_DEG, ZOOM, SHIFT, SHEAR_DEG = 20.0, 0.15, 0.2, 0.15

MODEL_FILE = "classic.keras"

WORN = LABELS.index(MaskLabel.WITH_MASK)
TWO = (WORN, LABELS.index(MaskLabel.WITHOUT_MASK))


class ClassicReport(BaseModel):
    """`report.json` of a classic run.

    Attributes:
        settings: of the run.
        versions: of the packages that decide what comes out.
        faces: how many of each label, by split.
        best_epoch: the epoch (from 1) whose weights were kept: the highest accuracy on the random split.
        history: "loss", "accuracy", "val_loss" and "val_accuracy" by epoch, on the random split.
        random_split: classification report of the held-out fifth, as the classic scripts print it.
        across: the same on the validation folders, near-duplicates of which were taken out of training.
    """

    settings: dict[str, str | int | float | list[str] | None]
    versions: dict[str, str]
    faces: dict[str, dict[str, int]]
    best_epoch: int
    history: dict[str, list[float]]
    random_split: dict[str, Any]
    across: dict[str, Any]


class _Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Faces in a random order, changed as Keras' classic image generator was told to."""

    def __init__(self, faces: UInt8Array, worn: Float32Array, batch: int, seed: int) -> None:
        super().__init__()
        self._faces, self._worn, self._batch, self._seed = faces, worn, batch, seed
        self._epoch = 0
        self._order = np.random.default_rng((seed, 0)).permutation(len(faces))

    def __len__(self) -> int:
        return -(-len(self._faces) // self._batch)

    def __getitem__(self, index: int) -> tuple[UInt8Array, Float32Array]:
        rng = np.random.default_rng((self._seed, self._epoch, index))
        chosen = self._order[index * self._batch : (index + 1) * self._batch]
        return np.stack([_changed(self._faces[i], rng) for i in chosen]), self._worn[chosen]

    def on_epoch_end(self) -> None:
        self._epoch += 1
        self._order = np.random.default_rng((self._seed, self._epoch)).permutation(len(self._faces))


def _changed(face: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Rotate, zoom, shift, shear and mirror a face, filling up with the nearest pixels."""
    size = face.shape[0]
    matrix = cv2.getRotationMatrix2D(
        (size / 2, size / 2), rng.uniform(-ROTATION_DEG, ROTATION_DEG), rng.uniform(1 - ZOOM, 1 + ZOOM)
    )
    shear = np.tan(np.radians(rng.uniform(-SHEAR_DEG, SHEAR_DEG)))
    matrix[:, 1] += shear * matrix[:, 0]
    matrix[:, 2] += rng.uniform(-SHIFT, SHIFT, 2) * size
    moved = cv2.warpAffine(face, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE).astype(np.uint8, copy=False)
    return np.ascontiguousarray(moved[:, ::-1]) if rng.random() < 0.5 else moved


def train_classic(settings: TrainSettings, data: Data) -> ClassicReport:
    """Train as the classic scripts do, and measure on the random split and across sources.

    Args:
        settings: of the run; `epochs_head`, `batch`, `rate_head`, `size_px`, the backbone and the seed are used.
        data: `data.train` is split at random; `data.val` and what was left out are the other sources.

    Returns:
        The report, as written to `report.json`.

    Raises:
        ConfigError: if the run's folder holds a run already, or one of the two classes is missing.
        ModelError: if the backbone's weights don't fit.
    """
    if (settings.out / REPORT).exists():
        raise ConfigError(f"run {settings.out}: holds a run already; give another --out")
    keras.utils.set_random_seed(settings.seed)
    samples = [sample for sample in data.train if sample.label in TWO]
    others = [sample for sample in (*data.val, *data.left_out) if sample.label in TWO]
    learned, held = stratified_split([sample.label for sample in samples], settings.seed)
    parts = {
        "train": [samples[i] for i in learned],
        "random_split": [samples[i] for i in held],
        "across": others,
    }
    if {sample.label for sample in parts["train"]} != set(TWO):
        raise ConfigError(f"--recipe classic: expected faces with and without mask, received {count_labels(samples)}")
    settings.out.mkdir(parents=True, exist_ok=True)
    history = _fit(settings, parts["train"], parts["random_split"])
    model = keras.saving.load_model(settings.out / MODEL_FILE, compile=False, safe_mode=True)
    report = ClassicReport(
        settings=named_settings(settings),
        versions=versions(),
        faces={name: count_labels(part) for name, part in parts.items()},
        best_epoch=int(np.argmax(history["val_accuracy"])) + 1,
        history=history,
        random_split=_classification_report(model, parts["random_split"], settings.size_px),
        across=_classification_report(model, others, settings.size_px),
    )
    (settings.out / REPORT).write_text(report.model_dump_json(indent=1) + "\n")
    plot_classic(history, settings.out / "curves.png")
    return report


def stratified_split(labels: Sequence[int], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split faces at random, the same share of each label on both sides: indices of 80 % and of 20 %."""
    from sklearn.model_selection import train_test_split

    learned, held = train_test_split(np.arange(len(labels)), test_size=TEST_SHARE, stratify=labels, random_state=seed)
    return learned, held


def build_classic(settings: TrainSettings) -> Any:
    """Build the classic network: (N, S, S, 3) RGB 0..255 to (N, 1), the probability of a mask.

    Raises:
        ModelError: if the backbone's weights don't fit.
    """
    backbone = build_backbone(settings.backbone_name, settings.size_px, settings.alpha, settings.backbone_weights)
    backbone.trainable = False
    pictures = keras.Input((settings.size_px, settings.size_px, 3), dtype="uint8", name="faces_rgb")
    features = backbone(keras.layers.Rescaling(1 / 127.5, offset=-1.0)(pictures), training=False)
    # 7x7 is all of what MobileNetV2 leaves of 224 px; a smaller input leaves less.
    pool = min(POOL, int(features.shape[1]))
    features = keras.layers.Flatten()(keras.layers.AveragePooling2D((pool, pool))(features))
    features = keras.layers.Dropout(DROPOUT)(keras.layers.Dense(HIDDEN, activation="relu")(features))
    return keras.Model(pictures, keras.layers.Dense(1, activation="sigmoid")(features), name="classic")


def _fit(settings: TrainSettings, train: Sequence[Sample], held: Sequence[Sample]) -> dict[str, list[float]]:
    """Train, keep the epoch with the highest accuracy on the held-out faces, and return what each epoch measured."""
    model = build_classic(settings)
    rate = keras.optimizers.schedules.InverseTimeDecay(settings.rate_head, 1, settings.rate_head / settings.epochs_head)
    optimizer = keras.optimizers.Adam(rate)
    model.compile(optimizer=optimizer, loss="binary_crossentropy", metrics=["accuracy"], jit_compile=jit_compile())
    batches = _Batches(plain_faces(train, settings.size_px), _worn(train), settings.batch, settings.seed)
    log = structlog.get_logger()
    with tqdm(total=len(batches) * settings.epochs_head, desc="classic", unit="step", disable=None) as bar:
        callbacks = [
            keras.callbacks.ModelCheckpoint(settings.out / MODEL_FILE, monitor="val_accuracy", save_best_only=True),
            keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda *_, **__: bar.update(),
                on_epoch_end=lambda epoch, logs: log.info("training.epoch", epoch=epoch, **logs),
            ),
        ]
        fitted = model.fit(
            batches,
            validation_data=(plain_faces(held, settings.size_px), _worn(held)),
            epochs=settings.epochs_head,
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
        )
    return {name: [float(value) for value in values] for name, values in fitted.history.items()}


def _worn(samples: Sequence[Sample]) -> Float32Array:
    """Return (N, 1) float32: 1 with a mask, 0 without."""
    return np.array([[sample.label == WORN] for sample in samples], np.float32)


def _classification_report(model: Any, samples: Sequence[Sample], size_px: int) -> dict[str, Any]:
    """Measure as the classic scripts do; empty without faces."""
    from sklearn.metrics import classification_report

    if not samples:
        return {}
    chances = np.asarray(model.predict(plain_faces(samples, size_px), batch_size=PREDICT_BATCH, verbose=0))[:, 0]
    said = np.where(chances >= 0.5, *TWO)
    measured: dict[str, Any] = classification_report(
        [sample.label for sample in samples],
        said,
        labels=list(TWO),
        target_names=[LABELS[label].value for label in TWO],
        output_dict=True,
        zero_division=0,
    )
    return measured
