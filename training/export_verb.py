"""The verb `export`: LiteRT files of a classifier, and how far they say the same."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from maskwatch.errors import ConfigError

if TYPE_CHECKING:
    from training.export_model import ExportReport
    from training.samples import Sample

__all__ = ["export"]

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--out", type=_FOLDER, required=True, help="Folder to write into; made if it isn't there.")
@click.option(
    "--data", type=_FOLDER, multiple=True, required=True, help="Labelled faces to calibrate int8 on. May be repeated."
)
@click.option(
    "--val",
    type=_FOLDER,
    multiple=True,
    help="Labelled faces to compare on. Left out: those of --data. May be repeated.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the choice of faces to calibrate on.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def export(model: Path, out: Path, data: tuple[Path, ...], val: tuple[Path, ...], seed: int, as_json: bool) -> None:
    """Export a classifier to LiteRT, float32 and int8, and compare both with it.

    MODEL is the folder of a training run, or a .keras file. --out gets model.keras, model.float32.tflite,
    model.int8.tflite and parity.json.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from maskwatch import log
    from maskwatch.settings.model import LogSettings

    log.configure(LogSettings(), "export")
    calibrate = _read(data)
    compare = _read(val) if val else calibrate
    try:
        from training.export_model import export_model
    except ImportError as error:
        raise ConfigError(
            f"export: {error.name or error} isn't installed; run: pip install 'maskwatch[train]'"
        ) from error
    report = export_model(model, out, calibrate, compare, seed)
    click.echo(report.model_dump_json(indent=1) if as_json else _table(report))


def _read(folders: tuple[Path, ...]) -> list[Sample]:
    """Read labelled faces; they are cut at their labelled boxes, so that no detector is needed.

    Raises:
        ConfigError: if a folder can't be used.
    """
    from training.samples import read_folder

    return [sample for folder in folders for sample in read_folder(folder)]


def _table(report: ExportReport) -> str:
    """Write the comparison for a person; differences of accuracies in points."""
    lines = [
        f"{'file':22}{'bytes':>10}{'faces':>7}{'same label':>12}{'mean':>9}{'largest':>9}{'2 class':>9}{'3 class':>9}"
    ]
    for file, one in report.parity.items():
        lines.append(
            f"{file:22}{report.size_bytes[file]:>10}{one['faces']:>7}{one['same_label']:>12.2%}"
            f"{one['mean_difference']:>9.4f}{one['largest_difference']:>9.3f}"
            f"{100 * one['two_class_difference']:>+9.2f}{100 * one['three_class_difference']:>+9.2f}"
        )
    return "\n".join(lines)
