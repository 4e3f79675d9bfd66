"""The verb `bench` and its sub-commands; what they need is imported when they run."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from maskwatch.options import config_option, settings_from

__all__ = ["bench"]

_Command = TypeVar("_Command", bound=Callable[..., Any])

_SECONDS = click.option("--seconds", type=click.FloatRange(0.1, 86_400), default=10.0, show_default=True)
_CORES = click.option(
    "--cores", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes, each pinned to a core."
)
_FACES = click.option(
    "--faces",
    type=click.IntRange(0, 16),
    help="Classify exactly so many boxes in every frame  [default: those that are found]",
)
_SOURCE = click.option("--source", required=True, help="A video, or a folder of pictures.")
_APART = click.option(
    "--fps",
    type=click.FloatRange(0.1, 60),
    default=5.0,
    show_default=True,
    help="Of the source's own time: how far the frames of a camera are apart.",
)
_PROFILE = click.option(
    "--profile",
    type=click.Choice(["accurate", "fast"]),
    default="accurate",
    show_default=True,
    help="Work the detector is given.",
)


def _output(command: _Command) -> _Command:
    """Add the options about what is printed and kept."""
    command = click.option(
        "--history",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Append the report to this file, one line of JSON each time.",
    )(command)
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)


@click.group()
def bench() -> None:
    """Measure how fast this machine is.

    Figures are worth something on a quiet machine only; the report says how busy it was (load_1m).
    docs/performance.md tells what each figure means.
    """
    from maskwatch import log
    from maskwatch.settings import LogSettings

    log.configure(LogSettings(level="warning"), "bench")
    # Read by numerical libraries when they are first imported: one process, one core.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")


@bench.command()
@_SOURCE
@_FACES
@_SECONDS
@_CORES
@_PROFILE
@_APART
@click.option("--engine", type=click.Choice(["litert", "keras"]), default="litert", show_default=True)
@click.option("--batch", type=click.IntRange(1, 128), default=8, show_default=True, help="Frames in one call.")
@click.option("--settled", is_flag=True, help="Let the tracker skip faces of people whose verdict is settled.")
@_output
def pipeline(as_json: bool, history: Path | None, **options: Any) -> None:
    """Frames a second through detection, tracking and classification, from JPEGs in memory.

    Drawing is timed apart (render_ms) and not counted.
    """
    from workers.bench.pipeline import PipelineBench, run_pipeline

    figures = run_pipeline(PipelineBench(**options))
    _tell("pipeline", options, figures, options["profile"], as_json, history)


@bench.command()
@_SOURCE
@_FACES
@_SECONDS
@_CORES
@_APART
@_output
def classic(as_json: bool, history: Path | None, **options: Any) -> None:
    """The loop of the well-known scripts: res10 SSD, then model.predict on the faces of one frame at 224 pixels.

    Needs TensorFlow and the SSD's files: pip install 'maskwatch[train,ssd]'.
    """
    from workers.bench.classic import ClassicBench, run_classic

    _tell("classic", options, run_classic(ClassicBench(**options)), None, as_json, history)


@bench.command()
@click.option("--cameras", type=click.IntRange(1, 10_000), default=8, show_default=True)
@click.option(
    "--fps", type=click.FloatRange(0.1, 1000), default=5.0, show_default=True, help="Analysed frames of each camera."
)
@click.option("--source", "sources", multiple=True, required=True, help="A video; several are shared out in turn.")
@_SECONDS
@click.option("--workers", type=click.IntRange(1, 256), help="Worker processes  [default: as `up` would]")
@click.option("--ingest", type=click.IntRange(1, 64), default=1, show_default=True, help="Ingest processes.")
@_PROFILE
@click.option("--batch", type=click.IntRange(1, 128), default=8, show_default=True, help="Frames taken at once.")
@click.option("--inject", is_flag=True, help="Offer prepared JPEGs straight to the broker, without ingest.")
@click.option(
    "--shedding/--no-shedding",
    default=True,
    show_default=True,
    help="Give way when the workers can't keep up: fewer frames, profile fast, fewer looks.",
)
@_output
def system(as_json: bool, history: Path | None, **options: Any) -> None:
    """The real processes and brokers, with cameras that read films.

    The sources are encoded once as 640x360 H.264 at 10 frames a second. Fails when less than 95 % of what was asked
    could be offered: then the figures are about the cameras, not about what analyses them.
    """
    from workers.bench.system import SystemBench, run_system

    plan = SystemBench(**options)
    figures = run_system(plan)
    _tell("system", options, figures, options["profile"], as_json, history)
    asked = plan.cameras * plan.fps
    if figures["offered_fps"] < 0.95 * asked:
        click.echo(
            f"maskwatch: bench system: offered {figures['offered_fps']:.1f} of {asked:.1f} frames/s "
            "(less than 95 %): this machine can't feed as many; give fewer --cameras or a lower --fps, or --inject",
            err=True,
        )
        sys.exit(1)


@bench.command()
@_SECONDS
@click.option(
    "--clients",
    "clients",
    default="1,2,4,8",
    show_default=True,
    help="How many producers and as many consumers, one measurement each.",
)
@click.option("--cameras", type=click.IntRange(1, 10_000), default=64, show_default=True)
@click.option("--batch", type=click.IntRange(1, 128), default=8, show_default=True, help="Frames taken at once.")
@click.option("--bytes", "size_bytes", type=click.IntRange(100, 1 << 20), default=40_000, show_default=True)
@_output
def broker(as_json: bool, history: Path | None, clients: str, **options: Any) -> None:
    """The frame queue alone: as many frames as fit through one server, offered, taken and done.

    --seconds is for each measurement.
    """
    from workers.bench.broker import BrokerBench, run_broker

    numbers = _numbers(clients)
    figures = run_broker(BrokerBench(clients=numbers, **options))
    _tell("broker", {"clients": list(numbers), **options}, figures, None, as_json, history)


@bench.command()
@config_option
@click.option("--seconds", type=click.FloatRange(0.2, 60), default=2.0, show_default=True, help="For each measurement.")
@click.option(
    "--faces", type=click.IntRange(0, 16), default=1, show_default=True, help="In each frame, on the average."
)
@_output
def advise(as_json: bool, history: Path | None, config: Path | None, seconds: float, faces: int) -> None:
    """How many of the configured cameras this machine holds, and what the limit is.

    Each stage is measured here for some seconds. A camera that doesn't answer is taken for a stream of its kind.
    """
    from maskwatch.errors import ConfigError
    from workers.bench.advise import advise as give_advice

    if config is None:
        raise ConfigError("bench advise: give the cameras with --config FILE")
    figures = give_advice(settings_from(config), seconds, faces)
    _tell("advise", {"config": str(config), "seconds": seconds, "faces": faces}, figures, None, as_json, history)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(word) for word in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(1 <= number <= 64 for number in numbers):
        raise click.UsageError(f"--clients {text}: expected numbers from 1 to 64 with commas, e.g. 1,2,4,8")
    return numbers


def _tell(
    name: str,
    options: Mapping[str, Any],
    figures: Mapping[str, Any],
    profile: str | None,
    as_json: bool,
    history: Path | None,
) -> None:
    from workers.bench.report import add_to_history, as_text, report

    said = report(name, options, figures, profile)
    click.echo(json.dumps(said) if as_json else as_text(said))
    if history is not None:
        add_to_history(history, said)
