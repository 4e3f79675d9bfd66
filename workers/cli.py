"""The verbs `worker`, `recorder`, `jobs`, `detect` and `evaluate`; what they need is imported when they run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from maskwatch.options import config_option, settings_from
from maskwatch.types import DETECTORS

__all__ = ["detect", "evaluate", "jobs", "recorder", "worker"]

_ENGINE = click.option(
    "--engine", type=click.Choice(["auto", "litert", "keras"]), help="What runs the networks  [default: auto]"
)


@click.command()
@config_option
@click.option("--name", help="Unique among the workers  [default: HOST-PID]")
@_ENGINE
def worker(config: Path | None, name: str | None, engine: str | None) -> None:
    """Find faces, follow people, classify masks.

    Takes frames of all cameras from Redis; start as many as there are cores. SIGTERM finishes the batch at hand.
    """
    settings = settings_from(config, {"worker": {"engine": engine}} if engine else {})
    _limit_threads(settings.worker.threads)
    from maskwatch import log
    from maskwatch.service import process_name, stop_on_signals

    log.configure(settings.log, "worker")
    stop = stop_on_signals()
    from workers.worker_process import run

    name = name or process_name()
    with _edge("worker.crashed", name):  # leases run out, which is how a deadly frame is found
        run(settings, name, stop)


@click.command()
@config_option
@click.option("--name", help="Unique among the recorders  [default: HOST-PID]")
def recorder(config: Path | None, name: str | None) -> None:
    """Keep events, their pictures and numbers of people.

    Takes what the workers found worth keeping from Redis and writes it to the record, SQLite or PostgreSQL
    (`store.url`), whose tables it makes. With PostgreSQL several may run. SIGTERM finishes the batch at hand.
    """
    settings = settings_from(config)
    from maskwatch import log
    from maskwatch.service import process_name, stop_on_signals

    log.configure(settings.log, "recorder")
    stop = stop_on_signals()
    from workers.recorder_process import run

    name = name or process_name()
    with _edge("recorder.crashed", name):  # what wasn't acknowledged is recorded by the next one
        run(settings, name, stop)


@click.command()
@config_option
@click.option("--name", help="Unique among those that do jobs  [default: HOST-PID]")
@click.option(
    "--queue", "queues", multiple=True, type=click.Choice(["quick", "long"]), help="Do these only  [default: both]"
)
@click.option("--one", is_flag=True, hidden=True, help="Be the worker of the one queue; `maskwatch jobs` starts these.")
@click.option(
    "--submit",
    type=click.Choice(["video", "report", "retention", "train"]),
    help="Ask for a job of this kind, print its id and end.",
)
@click.option("--spec", default="{}", metavar="JSON", help="What --submit asks for; docs/jobs.md has examples.")
@click.option("--list", "as_list", is_flag=True, help="Print the jobs, the newest first, and end.")
def jobs(
    config: Path | None, name: str | None, queues: tuple[str, ...], one: bool, submit: str | None, spec: str,
    as_list: bool,
) -> None:  # fmt: skip
    """Do what takes its time: recorded videos, reports, retention, notifications, training.

    Takes jobs from Redis, long ones (videos, training) one at a time and nicely, quick ones beside them. SIGTERM writes
    down how far a video is; the next process goes on there. Several may run, on several machines.
    """
    settings = settings_from(config)
    from maskwatch import log
    from maskwatch.service import process_name, stop_on_signals

    log.configure(settings.log, "jobs")
    if submit is not None or as_list:
        from workers.jobs.asking import list_jobs, submit_job

        for line in submit_job(settings, submit, spec) if submit is not None else list_jobs(settings):
            click.echo(line)
        return
    name = name or process_name()
    if one:
        from workers.jobs.process import run_queue

        run_queue(settings, queues[0], name)
        return
    stop = stop_on_signals()
    from workers.jobs.process import run

    run(settings, config, queues or ("quick", "long"), name, stop)


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for annotated files, JSON and CSV."
)
@click.option("--show", is_flag=True, help="Show the pictures in a window; q quits.")
@click.option(
    "--every", type=click.IntRange(1, 10_000), default=1, show_default=True, help="Of a video: one in so many."
)
@click.option(
    "--detector",
    type=click.Choice(DETECTORS),
    default="maskwatch",
    show_default=True,
    help="What finds the faces.",
)
@click.option(
    "--profile",
    type=click.Choice(["accurate", "fast"]),
    default="accurate",
    show_default=True,
    help="Work the detector is given.",
)
@_ENGINE
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def detect(
    inputs: tuple[str, ...],
    out: Path | None,
    show: bool,
    every: int,
    detector: str,
    profile: str,
    engine: str | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Annotate images, folders, videos or a webcam.

    INPUT is a picture, a folder of pictures and videos, a video, webcam:N or a URL. Prints how many people were found
    with which verdict. With --out, each input NAME gives NAME.annotated.jpg or NAME.annotated.mp4, NAME.json (people
    with boxes, labels and verdicts, frame by frame) and NAME.csv (a timeline); files of these names are replaced.

    People are followed through a video and judged over time. A single picture has no before and after: there the
    verdict is the label, where it is clear enough, and unknown otherwise.

    The models are the active ones (`maskwatch models list`); of the configuration only models.dir counts.

    An input that can't be read is reported, the others go on, and the exit code is 1.
    """
    _limit_threads(1)
    folder = settings_from(config).models_folder
    from workers.detect_verb import DetectRequest, run_detect

    request = DetectRequest(inputs, out, show, every, detector, profile, engine or "auto", as_json, folder)
    sys.exit(run_detect(request))


@click.command()
@click.option("--scenes", type=click.Path(path_type=Path), metavar="FILE", help="Scenes with boxes (COCO JSON).")
@click.option(
    "--images", type=click.Path(path_type=Path), metavar="DIR", help="Their pictures  [default: the folder FILE's name]"
)
@click.option("--faces", type=click.Path(path_type=Path), metavar="DIR", help="Class folders, in place of scenes.")
@click.option(
    "--unboxed", type=click.Path(path_type=Path), metavar="FILE", help="Faces that nobody labelled, by picture (JSON)."
)
@click.option("--profile", default="accurate", show_default=True, help="Work the detector is given: accurate, fast.")
@click.option("--detector", default="maskwatch", show_default=True, help="What finds the faces.")
@click.option("--classifier", default="maskwatch-mask", show_default=True, help="What tells how masks are worn.")
@_ENGINE
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Models beside the shipped  [default: as configured]",
)
@config_option
@click.option(
    "--iou",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.35,
    show_default=True,
    help="Overlap from which a face counts as found.",
)
@click.option(
    "--cases", type=click.Path(path_type=Path, file_okay=False), help="Folder for what went wrong: CSV, contact sheets."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def evaluate(
    scenes: Path | None,
    images: Path | None,
    faces: Path | None,
    unboxed: Path | None,
    profile: str,
    detector: str,
    classifier: str,
    engine: str | None,
    models: Path | None,
    config: Path | None,
    iou: float,
    cases: Path | None,
    as_json: bool,
) -> None:
    """Measure detector and classifier on labelled pictures.

    Scenes measure both, class folders (with_mask/, without_mask/, incorrect_mask/) the classifier. Every figure comes
    with a 95 % interval of resampled pictures; docs/accuracy.md says what each one means.

    A picture that can't be read is reported and left out, and the exit code is 1.
    """
    _limit_threads(1)
    from workers.evaluate_verb import EvaluateRequest, run_evaluate

    request = EvaluateRequest(
        scenes, images, faces, unboxed, profile, detector, classifier, engine or "auto",
        models or settings_from(config).models_folder, iou, cases, as_json,
    )  # fmt: skip
    sys.exit(run_evaluate(request))


@contextmanager
def _edge(event: str, name: str) -> Iterator[None]:
    """Be the edge of a process: what nobody expected is logged with its traceback, and the process fails."""
    import structlog

    from maskwatch.errors import MaskwatchError

    try:
        yield
    except MaskwatchError:
        raise
    except Exception:  # noqa: BLE001 - nothing is above it
        structlog.get_logger().exception(event, name=name)
        sys.exit(1)


def _limit_threads(threads: int) -> None:
    """Bound the threads of numerical libraries; they read this when they are first imported."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, str(threads))
