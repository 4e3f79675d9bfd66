"""Train the face detector: `python -m training.detector --data DIR --start yunet_s_dynamic.onnx --out RUN`.

Starts from YuNet's published weights and goes on with scenes of masked, bare and wrongly masked faces. The published
network also teaches: its landmarks stand in for those that the scenes lack. Faces that nobody labelled are left out of
the background: those of a list sorted by eye (`--unboxed`), or, without one, whatever the published network takes for
a face. The best epoch is picked on a tenth of the training scenes; the validation scenes are for the report only.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import structlog

from maskwatch.labelled.unboxed import read_unboxed
from maskwatch.memory import keep_all_freed_memory
from training.commands import TrainingCommand
from training.detector_batches import Batch, SceneSampler
from training.detector_eval import evaluate_detector
from training.detector_merit import merit
from training.detector_model import PIXEL_SCALE, detector_of, for_use, load_for_training
from training.detector_scenes import Scene, mark_unboxed, read_scenes, split_scenes
from training.detector_teacher import teach
from training.detector_trainer import DetectorTrainer, TrainingPlan
from training.keras_file import load_keras_file

if TYPE_CHECKING:
    import keras

__all__ = ["train_detector"]

BEST = "best.keras"
STATE = "state.npz"
HISTORY = "history.jsonl"
REPORT = "report.json"

_DEFAULTS = TrainingPlan()


def train_detector(
    data: Path, start: Path, out: Path, plan: TrainingPlan, unboxed: Sequence[Path] = (), earlier: Path | None = None
) -> Path:
    """Run the training, or go on with one that was interrupted.

    Args:
        data: folder with the scenes `train.json`, `train/`, `val.json`, `val/`.
        start: the published network, see `training.detector_port`.
        out: folder of the run; `state.npz` in it is resumed, `best.keras` and `report.json` are written.
        plan: what to do.
        unboxed: lists of faces that nobody labelled, see `maskwatch.labelled.unboxed`.
        earlier: a `.keras` file of an earlier run, to go on from instead of `start`, which then only teaches.

    Returns:
        The best model's file.

    Raises:
        ConfigError: if the data or a list can't be read.
        SourceError: if a picture can't be read.
        ModelError: if `start` or `earlier` is another network.
    """
    lists = [read_unboxed(path) for path in unboxed]
    scenes, held = split_scenes(read_scenes(data / "train"))
    measured = read_scenes(data / "val")  # said now if it can't be, and not after the training

    import keras

    from training.detector_port import load_published

    published = partial(load_published, start, scale=PIXEL_SCALE)
    first = published if earlier is None else partial(load_for_training, earlier)
    out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(plan.seed)
    teach(detector_of(published()), scenes, ignore=not lists)
    mark_unboxed([*scenes, *held, *measured], lists)
    _train(first(), scenes, held, out, plan)
    _write_report(out, plan, first(), measured)
    return out / BEST


def _train(model: keras.Model, scenes: Sequence[Scene], held: Sequence[Scene], out: Path, plan: TrainingPlan) -> None:
    """Learn until the plan is done, from where the run stands."""
    log = structlog.get_logger()
    marks = sum(int(np.isfinite(scene.landmarks_xy[:, 0, 0]).sum()) for scene in scenes)
    log.info("detector.taught", landmarks=marks, ignored=sum(len(scene.ignore_xyxy) for scene in scenes))
    steps = max(1, 2 * len(scenes) // plan.batch)
    trainer = DetectorTrainer(model, plan, steps)
    if (out / STATE).exists():
        trainer.restore(out / STATE)
        log.info("detector.resumed", steps=trainer.steps_done)
    else:
        began = merit(detector_of(model), held)["merit"]
        log.info("detector.start", merit=round(began, 4), steps_per_epoch=steps)
    batches = _ahead(SceneSampler(scenes, plan.size_px, plan.seed + trainer.steps_done).batches(plan.batch))
    while trainer.progress < 1:
        _run_epoch(trainer, batches, steps, held, out)


def _ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Make the next batch while the last one is learned from."""
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        future = pool.submit(next, batches)
        while True:
            batch = future.result()
            future = pool.submit(next, batches)
            yield batch


def _run_epoch(
    trainer: DetectorTrainer, batches: Iterator[Batch], steps: int, held: Sequence[Scene], out: Path
) -> None:
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
        for_use(averaged).save(out / BEST)
    trainer.seconds = before + time.monotonic() - began
    row["seconds"] = trainer.seconds - before
    trainer.save(out / STATE)
    rounded = {name: round(value, 4) for name, value in row.items()}
    with (out / HISTORY).open("a") as stream:
        stream.write(json.dumps(rounded) + "\n")
    structlog.get_logger().info("detector.epoch", **rounded)


def _write_report(out: Path, plan: TrainingPlan, before: keras.Model, scenes: Sequence[Scene]) -> None:
    """Write what was done, and the figures on the validation scenes before and after."""
    figures = {
        name: [asdict(row) for row in evaluate_detector(detector_of(model), scenes)]
        for name, model in (("before", before), ("after", load_keras_file(out / BEST)))
    }
    history = [json.loads(line) for line in (out / HISTORY).read_text().splitlines()]
    report = {"plan": asdict(plan), "validation": figures, "history": history}
    (out / REPORT).write_text(json.dumps(report, indent=1) + "\n")


_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command(cls=TrainingCommand, context_settings={"show_default": True, "max_content_width": 100})
@click.option("--data", type=_FOLDER, required=True, help="Scenes: train.json, train/, val.json and val/ in it.")
@click.option("--start", type=_FILE, required=True, help="YuNet's published yunet_s_dynamic.onnx.")
@click.option("--out", type=_FOLDER, required=True, help="Folder of the run; an unfinished one goes on.")
@click.option("--unboxed", type=_FILE, multiple=True, help="List of faces that nobody labelled; repeatable.")
@click.option("--earlier", type=_FILE, help="Go on from the best.keras of another run; --start then only teaches.")
@click.option("--epochs", type=click.IntRange(1), default=_DEFAULTS.epochs, help="Rounds; each ends with a judgement.")
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    default=_DEFAULTS.minutes,
    help="Be done after as many, with a schedule that fits.",
)
@click.option("--batch", type=click.IntRange(1), default=_DEFAULTS.batch, help="Pictures in a step.")
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    default=_DEFAULTS.learning_rate,
    help="Highest; it falls to a hundredth.",
)
@click.option("--seed", type=int, default=_DEFAULTS.seed, help="Of everything random.")
@click.option("--freeze-stem", is_flag=True, help="Leave the first layers as they are: twice as fast.")
def main(data: Path, start: Path, out: Path, unboxed: tuple[Path, ...], earlier: Path | None, **plan: Any) -> None:
    """Train the face detector on labelled scenes and print where the best model is.

    OUT gets best.keras (for training.detector_export), report.json (recall by label and false positives on the
    validation scenes, before and after), history.jsonl (a line an epoch) and state.npz, from which the same command
    goes on after an interruption.
    """
    keep_all_freed_memory()
    click.echo(train_detector(data, start, out, TrainingPlan(**plan), unboxed, earlier))


if __name__ == "__main__":
    main()
