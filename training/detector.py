"""Train the face detector: `python -m training.detector --data DIR --start yunet_s_dynamic.onnx --out RUN`.

Starts from YuNet's published weights and goes on with scenes of masked, bare and wrongly masked faces. The published
network also teaches: its landmarks stand in for those that the scenes lack, and what it takes for an unlabelled face is
left out of the background. The best epoch is picked on a tenth of the training scenes; the validation scenes are for
the report only.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import structlog

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.types import Profile
from models.detectors.face_network import FaceNetworkDetector
from models.detectors.yunet import build_yunet
from training.detector_data import Scene, SceneSampler, read_scenes, split_scenes
from training.detector_eval import evaluate_detector, find_in_scenes, score_detections

if TYPE_CHECKING:
    import keras

__all__ = ["SIZES_WH", "TrainingPlan", "detector_of", "teach", "train_detector"]

SIZES_WH = tuple(size for profile in Profile for size in (profile.detector_size_wh, profile.detector_size_wh[::-1]))
"""Inputs of the shipped model: each profile's, and the same upright for portrait frames."""

_PIXEL_SCALE = 1 / 255
_TEACHER_SCORE = 0.5
_FALSE_POSITIVES = 0.25  # a picture: about what the published network gives, so that recalls can be compared


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What a run does.

    Attributes:
        epochs: passes over the training scenes.
        batch: pictures a step.
        size_px: side of the square training pictures, a multiple of 32.
        learning_rate: Adam's highest, after a warm-up; it falls to a fiftieth along a cosine.
        average: share of the past in the running average of the weights, which is what is evaluated and kept.
        seed: of everything random.
    """

    epochs: int = 24
    batch: int = 16
    size_px: int = 320
    learning_rate: float = 4e-4
    average: float = 0.998
    seed: int = 1


_DEFAULTS = TrainingPlan()


class _ModelNetwork:
    """A Keras model in memory behind the `Network` interface."""

    def __init__(self, model: keras.Model, size_wh: tuple[int, int]) -> None:
        import tensorflow as tf

        self.size_wh = size_wh
        self.output_names = tuple(model.output_names)
        shape = (None, size_wh[1], size_wh[0], 3)
        self._call = tf.function(
            lambda images: model(images, training=False), input_signature=[tf.TensorSpec(shape, tf.uint8)]
        )

    def run(self, images: UInt8Array) -> tuple[Float32Array, ...]:
        """Run a batch; see `Network.run`."""
        return tuple(part.numpy() for part in self._call(images))

    def close(self) -> None:
        """Nothing is held beyond the model."""


def detector_of(model: keras.Model, score: float = _TEACHER_SCORE) -> FaceNetworkDetector:
    """Wrap a model in memory as a detector."""
    return FaceNetworkDetector(SIZES_WH, lambda size_wh: _ModelNetwork(model, size_wh), score)


def teach(teacher: FaceNetworkDetector, scenes: Sequence[Scene]) -> None:
    """Add the teacher's landmarks to labelled faces, and its other finds to the ignored places; changes the scenes."""
    for scene, found in zip(scenes, find_in_scenes(teacher, scenes, Profile.ACCURATE, _TEACHER_SCORE), strict=True):
        extra = []
        for detection in found:
            box = np.array(detection.box_xyxy, np.float32)
            overlap = _overlaps(scene.boxes_xyxy, box)
            best = int(np.argmax(overlap)) if len(overlap) else -1
            if best >= 0 and overlap[best] >= 0.4:
                scene.landmarks_xy[best] = np.array(detection.landmarks_xy, np.float32)
            elif best < 0 or overlap[best] < 0.2:
                extra.append(box)
        scene.ignore_xyxy = np.array(extra, np.float32).reshape(-1, 4)


def _overlaps(boxes: Float32Array, box: Float32Array) -> Float32Array:
    sides = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(box[2:] - box[:2])
    return np.asarray(shared / np.maximum(areas - shared, 1e-6), np.float32)


def merit(model: keras.Model, scenes: Sequence[Scene]) -> float:
    """Return what epochs are picked by: recall at a fixed number of false positives.

    The mean over both profiles and two overlaps (0.35, and 0.5 to see how well boxes fit) of the recall of all faces,
    at the lowest threshold that gives no more than `_FALSE_POSITIVES` a picture; 1.6 times as many at 0.5, because a
    box that fits badly counts as one.
    """
    values = []
    for profile in Profile:
        found = find_in_scenes(detector_of(model), scenes, profile, 0.2)
        for overlap in (0.35, 0.5):
            for score in np.arange(0.2, 0.96, 0.025):
                row = score_detections(scenes, found, profile, float(score), overlap)
                if row.false_positives <= _FALSE_POSITIVES * (1 if overlap < 0.5 else 1.6):
                    break
            hits = sum(row.recall[label] * count for label, count in row.faces.items())
            values.append(hits / max(sum(row.faces.values()), 1))
    return float(np.mean(values))


class _Trainer:
    """The weights, their running average, the optimiser and where the run stands; saved and resumed as one file."""

    def __init__(self, model: keras.Model, plan: TrainingPlan, steps: int) -> None:
        import keras
        import tensorflow as tf

        from training.detector_loss import cell_grid, detection_loss

        self.model = model
        self.epoch = 0
        self.best = -1.0
        self._plan = plan
        total = steps * plan.epochs
        warm_up = max(1, min(150, total // 10))
        rate = keras.optimizers.schedules.CosineDecay(
            plan.learning_rate / 20, total - warm_up, 0.02, warmup_target=plan.learning_rate, warmup_steps=warm_up
        )
        self._optimizer = keras.optimizers.Adam(rate, clipnorm=10.0)
        self._optimizer.build(model.trainable_variables)
        self._average = [weights.copy() for weights in model.get_weights()]
        grid = tf.constant(cell_grid(plan.size_px))

        def step(images: Any, boxes: Any, landmarks: Any, ignored: Any) -> Any:
            with tf.GradientTape() as tape:
                losses = detection_loss(model(images, training=True), boxes, landmarks, ignored, grid)
            gradients = tape.gradient(losses["loss"], model.trainable_variables)
            self._optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            return losses

        self._step = tf.function(step, autograph=False)

    def step(self, batch: Any) -> dict[str, float]:
        """Learn from one batch; returns its losses."""
        losses = self._step(batch.images, batch.boxes_xyxy, batch.landmarks_xy, batch.ignore_xyxy)
        share = self._plan.average
        for kept, now in zip(self._average, self.model.get_weights(), strict=True):
            kept *= share
            kept += (1 - share) * now
        return {name: float(value) for name, value in losses.items()}

    def averaged(self) -> keras.Model:
        """Return a copy of the model with the averaged weights."""
        copy = build_yunet(scale=_PIXEL_SCALE)
        copy.set_weights(self._average)
        return copy

    def save(self, path: Path) -> None:
        """Write everything that `restore` needs; the file is whole or not there."""
        arrays = {f"weights{i:03}": value for i, value in enumerate(self.model.get_weights())}
        arrays |= {f"average{i:03}": value for i, value in enumerate(self._average)}
        arrays |= {f"optimizer{i:03}": np.asarray(value) for i, value in enumerate(self._optimizer.variables)}
        part = path.with_suffix(".part.npz")
        np.savez(part, epoch=self.epoch, best=self.best, **arrays)
        part.replace(path)

    def restore(self, path: Path) -> None:
        """Go on where `save` stopped."""
        with np.load(path) as stored:
            self.epoch, self.best = int(stored["epoch"]), float(stored["best"])
            names = sorted(stored.files)
            self.model.set_weights([stored[name] for name in names if name.startswith("weights")])
            self._average = [stored[name] for name in names if name.startswith("average")]
            saved = [stored[name] for name in names if name.startswith("optimizer")]
        for variable, value in zip(self._optimizer.variables, saved, strict=True):
            variable.assign(value)


def train_detector(data: Path, start: Path, out: Path, plan: TrainingPlan) -> Path:
    """Run the training, or go on with one that was interrupted.

    Args:
        data: folder with `train.json`, `train/`, `val.json`, `val/`.
        start: the published network, see `training.detector_port`.
        out: folder of the run; `state.npz` in it is resumed, `best.keras` and `report.json` are written.
        plan: what to do.

    Returns:
        The best model's file.

    Raises:
        ConfigError: if the data can't be read.
        ModelError: if `start` is another network.
    """
    import keras

    from training.detector_port import load_published

    log = structlog.get_logger()
    out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(plan.seed)
    scenes, held = split_scenes(read_scenes(data / "train.json"))
    published = load_published(start, scale=_PIXEL_SCALE)
    teach(detector_of(published), scenes)
    log.info("detector.taught", landmarks=_known_landmarks(scenes), ignored=sum(len(s.ignore_xyxy) for s in scenes))
    steps = len(scenes) // plan.batch
    trainer = _Trainer(load_published(start, scale=_PIXEL_SCALE), plan, steps)
    state, history = out / "state.npz", out / "history.jsonl"
    if state.exists():
        trainer.restore(state)
        log.info("detector.resumed", epoch=trainer.epoch)
    else:
        log.info("detector.start", merit=round(merit(published, held), 4), steps_per_epoch=steps)
    batches = SceneSampler(scenes, plan.size_px, plan.seed + 1000 * trainer.epoch).batches(plan.batch)
    while trainer.epoch < plan.epochs:
        began = time.monotonic()
        losses = [trainer.step(next(batches)) for _ in range(steps)]
        trainer.epoch += 1
        row = {"epoch": trainer.epoch, **{name: float(np.mean([loss[name] for loss in losses])) for name in losses[0]}}
        row["merit"] = merit(trainer.averaged(), held)
        if row["merit"] > trainer.best:
            trainer.best = row["merit"]
            for_use(trainer.averaged()).save(out / "best.keras")
        trainer.save(state)
        row["seconds"] = time.monotonic() - began
        with history.open("a") as stream:
            stream.write(json.dumps({name: round(value, 4) for name, value in row.items()}) + "\n")
        log.info("detector.epoch", **{name: round(value, 3) for name, value in row.items()})
    _report(data, out, plan, published)
    return out / "best.keras"


def for_use(model: keras.Model) -> keras.Model:
    """Return the same network without the scaling of pixels that training adds: the stem's weights take it over."""
    plain = build_yunet()
    plain.set_weights(model.get_weights())
    stem = plain.get_layer("stem")
    kernel, bias = stem.get_weights()
    stem.set_weights([kernel * _PIXEL_SCALE, bias])
    return plain


def _known_landmarks(scenes: Sequence[Scene]) -> int:
    return int(sum(np.isfinite(scene.landmarks_xy[:, 0, 0]).sum() for scene in scenes))


def _report(data: Path, out: Path, plan: TrainingPlan, published: keras.Model) -> None:
    """Write what was done, and the figures on the validation scenes before and after."""
    import keras

    scenes = read_scenes(data / "val.json")
    best = keras.saving.load_model(out / "best.keras", compile=False)
    figures = {
        name: [asdict(row) for row in evaluate_detector(detector_of(model), scenes)]
        for name, model in (("before", published), ("after", best))
    }
    history = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    report = {"plan": asdict(plan), "validation": figures, "history": history}
    (out / "report.json").write_text(json.dumps(report, indent=1) + "\n")


@click.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder with train.json and val.json.")
@click.option("--start", type=click.Path(path_type=Path), required=True, help="YuNet's published yunet_s_dynamic.onnx.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder of the run; an unfinished one goes on."
)
@click.option("--epochs", type=click.IntRange(1), default=_DEFAULTS.epochs, show_default=True)
@click.option("--batch", type=click.IntRange(1), default=_DEFAULTS.batch, show_default=True)
@click.option("--learning-rate", type=float, default=_DEFAULTS.learning_rate, show_default=True)
@click.option("--seed", type=int, default=_DEFAULTS.seed, show_default=True)
def main(data: Path, start: Path, out: Path, epochs: int, batch: int, learning_rate: float, seed: int) -> None:
    """Train the face detector and print where the best model is."""
    plan = TrainingPlan(epochs=epochs, batch=batch, learning_rate=learning_rate, seed=seed)
    click.echo(train_detector(data, start, out, plan))


if __name__ == "__main__":
    main()
