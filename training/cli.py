"""The verb `train`: a classifier from folders of labelled pictures."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click

from maskwatch.errors import ConfigError

if TYPE_CHECKING:
    from training.classic import ClassicReport
    from training.data import Data
    from training.report import Report
    from training.settings import TrainSettings

__all__ = ["train"]

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)

_USUAL: dict[str, dict[str, Any]] = {
    "standard": {"size_px": 128, "epochs_head": 2, "epochs_fine": 6, "rate_head": 1e-3},
    "classic": {"size_px": 224, "epochs_head": 20, "epochs_fine": 0, "rate_head": 1e-4},
}
"""What is meant where an option is left out and the recipes differ."""


@click.command()
@click.option(
    "--data",
    type=_FOLDER,
    multiple=True,
    required=True,
    help="Folder to learn from: class folders, or pictures with a COCO file beside them. May be repeated.",
)
@click.option(
    "--val",
    type=_FOLDER,
    multiple=True,
    help="Folder to measure on. Left out: a folder `val` beside a data folder `train`, else 15 % of the pictures.",
)
@click.option("--out", type=_FOLDER, required=True, help="Folder of the run; made if it isn't there.")
@click.option(
    "--recipe",
    type=click.Choice(["standard", "classic"]),
    default="standard",
    show_default=True,
    help="Ours, or that of the classic scripts: two classes, frozen backbone, random split.",
)
@click.option(
    "--backbone",
    "backbone_name",
    type=click.Choice(["mobilenet_v2", "inception_v3"]),
    default="mobilenet_v2",
    show_default=True,
    help="Architecture of the backbone.",
)
@click.option(
    "--backbone-weights",
    metavar="FILE|none",
    default="imagenet",
    help="Keras weights file of the backbone without its top. Left out: ImageNet's are downloaded; none: random ones.",
)
@click.option(
    "--start-from",
    type=_FILE,
    help="Trained .keras file to go on from, e.g. the shipped one, with faces of your own cameras. Starts fine-tuning "
    "at once unless --epochs-head says otherwise.",
)
@click.option(
    "--start-share",
    type=float,
    default=0.0,
    help="Share of --start-from's weights in the model that is kept, 0 to 1: holds on to what it knew. Left out: 0.",
)
@click.option("--face-finder", type=_FILE, help="YuNet ONNX file that finds faces in place of the shipped detector.")
@click.option(
    "--corrections",
    type=_FILE,
    help="File of labels to learn from other than as labelled; see training/corrections.py.",
)
@click.option(
    "--licence",
    "licences",
    metavar="SOURCE=TEXT",
    multiple=True,
    help="Licence of a source, for the list of pictures. Left out: what a file LICENCES beside the data says.",
)
@click.option("--epochs-head", type=int, help="Epochs with a frozen backbone. Left out: 2; classic: 20.")
@click.option("--epochs-fine", type=int, help="Epochs with the backbone learning. Left out: 6; classic: 0.")
@click.option(
    "--fine-from", default="", help='First layer of the backbone that learns, e.g. "block_6". Left out: all layers do.'
)
@click.option("--epoch-faces", type=int, default=8000, show_default=True, help="Faces drawn in an epoch.")
@click.option("--batch", type=int, default=32, show_default=True, help="Faces in a step.")
@click.option("--rate-head", type=float, help="Learning rate of the head. Left out: 0.001; classic: 0.0001.")
@click.option("--rate-fine", type=float, default=2e-4, show_default=True, help="Learning rate of fine-tuning.")
@click.option("--ema", type=float, default=0.999, show_default=True, help="Slowness of the averaged weights; 0: none.")
@click.option("--patience", type=int, default=0, help="Epochs without a better one after which it stops. 0: never.")
@click.option("--size", "size_px", type=int, help="Side of the network's input, px. Left out: 128; classic: 224.")
@click.option("--alpha", type=float, default=1.0, show_default=True, help="Width of MobileNetV2.")
@click.option(
    "--two-class-source",
    "two_class_sources",
    metavar="SOURCE",
    multiple=True,
    help="Source whose with_mask may hide masks worn wrongly. May be repeated.",
)
@click.option(
    "--leave-out",
    metavar="SOURCE",
    multiple=True,
    help="Source that is neither learned from nor chosen by. May be repeated.",
)
@click.option(
    "--without", metavar="NAME", multiple=True, help="Part of the augmentation to switch off. May be repeated."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of every random choice.")
@click.option("--threads", type=int, default=0, help="TensorFlow's threads. Left out: all cores.")
@click.option("--resume", is_flag=True, help="Go on with the interrupted run in --out.")
@click.option("--install", metavar="NAME", help="Install the model under this name when it is trained.")
@click.option("--install-version", default="1.0.0", show_default=True, help="Its version, MAJOR.MINOR.PATCH.")
@click.option("--models", type=_FOLDER, help="Folder to install into. Left out: the shipped models.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def train(
    resume: bool, install: str | None, install_version: str, models: Path | None, as_json: bool, **options: Any
) -> None:
    """Train a classifier from labelled pictures and export it.

    The run's folder gets the model (.keras, LiteRT float32 and int8), its card, report.json and report.md, diagrams,
    the worst mistakes, and a list of the pictures with their checksums. Each epoch is kept: an interrupted run goes on
    with --resume, and one whose training is finished is exported and measured again.
    """
    # TensorFlow prints some dozen lines at its start that say nothing to the person who trains.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from maskwatch import log
    from maskwatch.memory import keep_all_freed_memory
    from maskwatch.settings.model import LogSettings

    log.configure(LogSettings(), "train")
    keep_all_freed_memory()
    settings = _settings(options)
    out: Path = options["out"]
    if settings.recipe == "classic":
        if resume or install is not None:
            raise ConfigError("--recipe classic: can't be resumed or installed; leave --resume and --install out")
        classic = _train_classic(settings)
        click.echo(classic.model_dump_json(indent=1) if as_json else _classic_summary(classic, out))
        return
    report = _train(settings, resume)
    if install is not None:
        from training.publish import publish

        folder = publish(out, install, install_version, models)
        click.echo(f"installed in {folder}", err=True)
    click.echo(report.model_dump_json(indent=1) if as_json else _summary(report, out))


def _settings(options: dict[str, Any]) -> TrainSettings:
    """Fill in what was left out, and check the options.

    Raises:
        ConfigError: if one is out of bounds; the message names it.
    """
    from training.settings import settings_of

    usual = _USUAL[options["recipe"]]
    chosen: dict[str, Any] = {name: usual.get(name) if value is None else value for name, value in options.items()}
    if options["start_from"] is not None and options["epochs_head"] is None:
        chosen["epochs_head"] = 0
    siblings = [folder.with_name("val") for folder in options["data"] if folder.name == "train"]
    found = tuple(folder for folder in siblings if folder.is_dir())
    return settings_of({**chosen, "val": options["val"] or found}, {"size_px": "--size"})


def _read_and_load(settings: TrainSettings, module: str) -> tuple[Data, ModuleType]:
    """Read the data, and only then import what trains, which takes seconds.

    Raises:
        ConfigError: if the data can't be used, or Keras or its backend isn't installed.
    """
    from training.data import read_data

    data = read_data(settings)
    try:
        return data, importlib.import_module(f"training.{module}")
    except ImportError as error:
        raise ConfigError(
            f"train: {error.name or error} isn't installed; run: pip install 'maskwatch[train]'"
        ) from error


def _train(settings: TrainSettings, resume: bool) -> Report:
    """Run our recipe."""
    data, module = _read_and_load(settings, "run")
    report: Report = module.train_model(settings, data, resume)
    return report


def _train_classic(settings: TrainSettings) -> ClassicReport:
    """Repeat the classic recipe."""
    data, module = _read_and_load(settings, "classic")
    report: ClassicReport = module.train_classic(settings, data)
    return report


def _classic_summary(report: ClassicReport, out: Path) -> str:
    """Put the figures of the random split and of other sources side by side."""
    lines = [f"run {out}: epoch {report.best_epoch} of {len(report.history['loss'])} kept"]
    for name, measured in (("random split", report.random_split), ("other sources", report.across)):
        if measured:
            faces = int(measured["macro avg"]["support"])
            lines.append(f"{name}: {faces} faces, two-class accuracy {measured['accuracy']:.4f}")
    return "\n".join(lines)


def _summary(report: Report, out: Path) -> str:
    """Say in a few lines what came out."""
    lines = [f"run {out}: epoch {report.best_epoch} of {len(report.epochs)} kept"]
    for file, figures in report.figures.items():
        whole = figures["classification"]
        recall = whole["recall"]["incorrect_mask"]
        lines.append(
            f"{file}: {whole['faces']} faces, two-class accuracy {whole['two_class_accuracy']['value']}, "
            f"balanced accuracy {whole['balanced_accuracy']['value']}, recall of incorrect_mask {recall['value']}"
        )
    return "\n".join(lines)
