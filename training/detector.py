"""Train the face detector: `python -m training.detector --data DIR --start yunet_s_dynamic.onnx --out RUN`.

Starts from YuNet's published weights and goes on with scenes of masked, bare and wrongly masked faces. The published
network also teaches: its landmarks stand in for those that the scenes lack. Faces that nobody labelled are left out of
the background: those of a list sorted by eye (`--unboxed`), or, without one, whatever the published network takes for
a face. The best epoch is picked on a tenth of the training scenes; the validation scenes are for the report only.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import structlog

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.types import Detection, Profile
from models.detectors.face_network import FaceNetworkDetector
from models.detectors.yunet import build_yunet
from training.detector_data import Batch, Scene, SceneSampler, read_scenes, split_scenes
from training.detector_eval import DetectionScores, evaluate_detector, find_in_scenes, score_detections
from training.unboxed import add_unboxed, read_unboxed

if TYPE_CHECKING:
    import keras

__all__ = ["SIZES_WH", "TrainingPlan", "detector_of", "teach", "train_detector"]

SIZES_WH = tuple(size for profile in Profile for size in (profile.detector_size_wh, profile.detector_size_wh[::-1]))
"""Inputs of the shipped model: each profile's, and the same upright for portrait frames."""

_PIXEL_SCALE = 1 / 255
_TEACHER_SCORE = 0.5
_FALSE_POSITIVES = {Profile.ACCURATE: 0.1, Profile.FAST: 0.08}  # a picture, faces that nobody labelled not counted
_SCORES = np.arange(0.2, 0.96, 0.0125)


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What a run does.

    Attributes:
        epochs: rounds of twice as many steps as the training scenes fill batches; the network is judged after each.
        minutes: end earlier than `epochs` if it takes longer than this, with the whole schedule gone through.
        batch: pictures a step.
        size_px: side of the square training pictures, a multiple of 32.
        learning_rate: Adam's highest, after a warm-up; it falls to a hundredth along a cosine.
        freeze_stem: leave the layers before the first pooling as they are: edges and colours, 848 weights that take
            more than half of the time to train.
        average: share of the past in the running average of the weights, which is what is evaluated and kept.
        seed: of everything random.
    """

    epochs: int = 24
    minutes: float = 24 * 60.0
    batch: int = 16
    size_px: int = 320
    learning_rate: float = 8e-4
    freeze_stem: bool = False
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


def teach(teacher: FaceNetworkDetector, scenes: Sequence[Scene], *, ignore: bool) -> None:
    """Add the teacher's landmarks to labelled faces; changes the scenes.

    Args:
        teacher: the published network.
        scenes: what to learn from.
        ignore: whether what the teacher takes for a face and nobody labelled becomes an ignored place.
    """
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
        if ignore:
            scene.ignore_xyxy = np.array(extra, np.float32).reshape(-1, 4)


def _overlaps(boxes: Float32Array, box: Float32Array) -> Float32Array:
    sides = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(box[2:] - box[:2])
    return np.asarray(shared / np.maximum(areas - shared, 1e-6), np.float32)


def merit(detector: FaceNetworkDetector, scenes: Sequence[Scene]) -> dict[str, float]:
    """Return what epochs are picked by, `merit`, and the thresholds at which it was reached.

    The mean over both profiles and two overlaps (0.35, and 0.5 to see how well boxes fit) of recall at the lowest
    threshold that gives no more false positives a picture than the profile is allowed; twice as many at 0.5, because
    a box that fits badly counts as one. What lies on an ignored place isn't one. Recall is half that of all
    faces, half the mean over labels.
    """
    values, result = [], {}
    for profile in Profile:
        found = find_in_scenes(detector, scenes, profile, float(_SCORES[0]))
        for overlap, allowed in ((0.35, 1.0), (0.5, 2.0)):
            row = _at_rate(scenes, found, profile, overlap, allowed * _FALSE_POSITIVES[profile])
            hits = sum(row.recall[label] * count for label, count in row.faces.items())
            values.append((hits / max(sum(row.faces.values()), 1) + row.mean_recall) / 2)
            if overlap < 0.5:
                result[f"score_{profile}"] = row.min_score
                result |= {f"{profile}_{label}": share for label, share in row.recall.items()}
    return {"merit": float(np.mean(values)), **result}


def _at_rate(
    scenes: Sequence[Scene], found: Sequence[Sequence[Detection]], profile: Profile, overlap: float, allowed: float
) -> DetectionScores:
    """Find, by halving, the lowest threshold with at most that many false positives a picture."""
    low, high = 0, len(_SCORES) - 1
    while low < high:
        middle = (low + high) // 2
        row = score_detections(scenes, found, profile, float(_SCORES[middle]), overlap)
        low, high = (low, middle) if row.false_positives_unboxed_removed <= allowed else (middle + 1, high)
    return score_detections(scenes, found, profile, float(_SCORES[low]), overlap)


class _Trainer:
    """The weights, their running average, the optimiser and where the run stands; saved and resumed as one file."""

    def __init__(self, model: keras.Model, plan: TrainingPlan, steps: int) -> None:
        import keras
        import tensorflow as tf

        from training.detector_loss import cell_grid, detection_loss

        self.model = model
        self.steps_done = 0
        self.seconds = 0.0
        self.best = -1.0
        self._plan = plan
        for layer in model.layers:
            if plan.freeze_stem and layer.name.startswith("stem"):
                layer.trainable = False
        self._steps = steps * plan.epochs
        self._optimizer = keras.optimizers.Adam(plan.learning_rate, clipnorm=10.0)
        self._optimizer.build(model.trainable_variables)
        self._copy = build_yunet(scale=_PIXEL_SCALE)
        self.judged = detector_of(self._copy)  # made once, because every network in it is compiled at its first call
        self._average = [weights.copy() for weights in model.get_weights()]
        grid = tf.constant(cell_grid(plan.size_px))

        def step(images: Any, boxes: Any, landmarks: Any, ignored: Any) -> Any:
            with tf.GradientTape() as tape:
                losses = detection_loss(model(images, training=True), boxes, landmarks, ignored, grid)
            gradients = tape.gradient(losses["loss"], model.trainable_variables)
            self._optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            return losses

        self._step = tf.function(step, autograph=False)

    @property
    def progress(self) -> float:
        """Return how much of the plan is done, 0..1, in steps or in time, whichever is further."""
        return min(1.0, max(self.steps_done / self._steps, self.seconds / (60 * self._plan.minutes)))

    def step(self, batch: Any) -> dict[str, float]:
        """Learn from one batch; returns its losses."""
        warm = min(1.0, (self.steps_done + 1) / max(1, min(200, self._steps // 10)))
        fall = 0.01 + 0.99 * (1 + math.cos(math.pi * self.progress)) / 2
        self._optimizer.learning_rate.assign(self._plan.learning_rate * warm * fall)
        self.steps_done += 1
        losses = self._step(batch.images, batch.boxes_xyxy, batch.landmarks_xy, batch.ignore_xyxy)
        share = self._plan.average
        for kept, now in zip(self._average, self.model.get_weights(), strict=True):
            kept *= share
            kept += (1 - share) * now
        return {name: float(value) for name, value in losses.items()}

    def averaged(self) -> keras.Model:
        """Return a model with the averaged weights; the same object each time."""
        self._copy.set_weights(self._average)
        return self._copy

    def save(self, path: Path) -> None:
        """Write everything that `restore` needs; the file is whole or not there."""
        arrays = {f"weights{i:03}": value for i, value in enumerate(self.model.get_weights())}
        arrays |= {f"average{i:03}": value for i, value in enumerate(self._average)}
        arrays |= {f"optimizer{i:03}": np.asarray(value) for i, value in enumerate(self._optimizer.variables)}
        part = path.with_suffix(".part.npz")
        np.savez(part, steps=self.steps_done, seconds=self.seconds, best=self.best, **arrays)
        part.replace(path)

    def restore(self, path: Path) -> None:
        """Go on where `save` stopped."""
        with np.load(path) as stored:
            self.steps_done, self.seconds = int(stored["steps"]), float(stored["seconds"])
            self.best = float(stored["best"])
            names = sorted(stored.files)
            self.model.set_weights([stored[name] for name in names if name.startswith("weights")])
            self._average = [stored[name] for name in names if name.startswith("average")]
            saved = [stored[name] for name in names if name.startswith("optimizer")]
        for variable, value in zip(self._optimizer.variables, saved, strict=True):
            variable.assign(value)


def train_detector(
    data: Path, start: Path, out: Path, plan: TrainingPlan, unboxed: Sequence[Path] = (), earlier: Path | None = None
) -> Path:
    """Run the training, or go on with one that was interrupted.

    Args:
        data: folder with `train.json`, `train/`, `val.json`, `val/`.
        start: the published network, see `training.detector_port`.
        out: folder of the run; `state.npz` in it is resumed, `best.keras` and `report.json` are written.
        plan: what to do.
        unboxed: lists of faces that nobody labelled, see `training.unboxed`.
        earlier: a `.keras` file of an earlier run, to go on from instead of `start`, which then only teaches.

    Returns:
        The best model's file.

    Raises:
        ConfigError: if the data or the list can't be read.
        ModelError: if `start` is another network.
    """
    import keras

    from training.detector_port import load_published

    log = structlog.get_logger()
    out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(plan.seed)
    scenes, held = split_scenes(read_scenes(data / "train.json"))
    published = load_published(start, scale=_PIXEL_SCALE)
    teach(detector_of(published), scenes, ignore=not unboxed)
    add_unboxed([*scenes, *held], read_unboxed(*unboxed))
    log.info("detector.taught", landmarks=_known_landmarks(scenes), ignored=sum(len(s.ignore_xyxy) for s in scenes))
    steps = max(1, 2 * len(scenes) // plan.batch)
    first = load_published(start, scale=_PIXEL_SCALE) if earlier is None else _for_training(earlier)
    trainer = _Trainer(first, plan, steps)
    if (out / "state.npz").exists():
        trainer.restore(out / "state.npz")
        log.info("detector.resumed", steps=trainer.steps_done)
    else:
        log.info("detector.start", merit=round(merit(detector_of(first), held)["merit"], 4), steps_per_epoch=steps)
    batches = _ahead(SceneSampler(scenes, plan.size_px, plan.seed + trainer.steps_done).batches(plan.batch))
    while trainer.progress < 1:
        _run_epoch(trainer, batches, steps, held, out)
    before = load_published(start, scale=_PIXEL_SCALE) if earlier is None else _for_training(earlier)
    _report(data, out, plan, before, unboxed)
    return out / "best.keras"


def _ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Make the next batch while the last one is learned from."""
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        future = pool.submit(next, batches)
        while True:
            batch = future.result()
            future = pool.submit(next, batches)
            yield batch


def _run_epoch(trainer: _Trainer, batches: Iterator[Batch], steps: int, held: Sequence[Scene], out: Path) -> None:
    """Learn for some steps, keep the averaged weights if they are the best so far, and write down where it stands."""
    began, before = time.monotonic(), trainer.seconds
    losses: list[dict[str, float]] = []
    while len(losses) < steps and trainer.progress < 1:
        losses.append(trainer.step(next(batches)))
        trainer.seconds = before + time.monotonic() - began
    row = {"steps": trainer.steps_done, **{name: float(np.mean([loss[name] for loss in losses])) for name in losses[0]}}
    averaged = trainer.averaged()
    row |= merit(trainer.judged, held)
    if row["merit"] > trainer.best:
        trainer.best = row["merit"]
        for_use(averaged).save(out / "best.keras")
    trainer.seconds = before + time.monotonic() - began
    row["seconds"] = trainer.seconds - before
    trainer.save(out / "state.npz")
    rounded = {name: round(value, 4) for name, value in row.items()}
    with (out / "history.jsonl").open("a") as stream:
        stream.write(json.dumps(rounded) + "\n")
    structlog.get_logger().info("detector.epoch", **rounded)


def for_use(model: keras.Model) -> keras.Model:
    """Return the same network without the scaling of pixels that training adds: the stem's weights take it over."""
    plain = build_yunet()
    plain.set_weights(model.get_weights())
    stem = plain.get_layer("stem")
    kernel, bias = stem.get_weights()
    stem.set_weights([kernel * _PIXEL_SCALE, bias])
    return plain


def _for_training(file: Path) -> keras.Model:
    """Load a file that `for_use` made, with the scaling of pixels back in its place."""
    import keras

    scaled = build_yunet(scale=_PIXEL_SCALE)
    scaled.set_weights(keras.saving.load_model(file, compile=False).get_weights())
    stem = scaled.get_layer("stem")
    kernel, bias = stem.get_weights()
    stem.set_weights([kernel / _PIXEL_SCALE, bias])
    return scaled


def _known_landmarks(scenes: Sequence[Scene]) -> int:
    return int(sum(np.isfinite(scene.landmarks_xy[:, 0, 0]).sum() for scene in scenes))


def _report(data: Path, out: Path, plan: TrainingPlan, before: keras.Model, unboxed: Sequence[Path]) -> None:
    """Write what was done, and the figures on the validation scenes before and after."""
    import keras

    scenes = read_scenes(data / "val.json")
    add_unboxed(scenes, read_unboxed(*unboxed))
    best = keras.saving.load_model(out / "best.keras", compile=False)
    figures = {
        name: [asdict(row) for row in evaluate_detector(detector_of(model), scenes)]
        for name, model in (("before", before), ("after", best))
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
@click.option("--minutes", type=click.FloatRange(0, min_open=True), default=_DEFAULTS.minutes, show_default=True)
@click.option("--batch", type=click.IntRange(1), default=_DEFAULTS.batch, show_default=True)
@click.option("--learning-rate", type=float, default=_DEFAULTS.learning_rate, show_default=True)
@click.option("--seed", type=int, default=_DEFAULTS.seed, show_default=True)
@click.option("--earlier", type=click.Path(path_type=Path), default=None, help="Go on from this .keras file.")
@click.option("--freeze-stem", is_flag=True, help="Leave the first layers as they are: twice as fast.")
@click.option(
    "--unboxed", type=click.Path(path_type=Path), multiple=True, help="List of faces that nobody labelled; repeatable."
)
def main(
    data: Path,
    start: Path,
    out: Path,
    epochs: int,
    minutes: float,
    batch: int,
    learning_rate: float,
    seed: int,
    unboxed: tuple[Path, ...],
    earlier: Path | None,
    freeze_stem: bool,
) -> None:
    """Train the face detector and print where the best model is."""
    plan = TrainingPlan(
        epochs=epochs,
        minutes=minutes,
        batch=batch,
        learning_rate=learning_rate,
        freeze_stem=freeze_stem,
        seed=seed,
    )
    click.echo(train_detector(data, start, out, plan, unboxed, earlier))


if __name__ == "__main__":
    main()
