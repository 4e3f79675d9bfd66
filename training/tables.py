"""The figures of a run as Markdown: `report.md`, and the part of the model card that holds figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from maskwatch.types import LABELS, MaskLabel
from models.scores import ClassificationFigures, FaceSetFigures, Figure
from training.report import Report

__all__ = ["calibration_text", "figures_text", "parity_text", "report_text", "table"]

WRONG = MaskLabel.INCORRECT_MASK.value

COLUMNS = (
    "faces",
    "two-class accuracy",
    "balanced accuracy",
    f"recall of {WRONG}",
    "its precision",
    "answered",
    "right of these",
    "calibration error",
)

EXPLAINED = (
    "95 % bootstrap intervals in brackets. Faces whose shorter side is under 24 px have a row of their own and count "
    "in no other. Two-class accuracy leaves masks worn wrongly out and compares the two other probabilities; balanced "
    "accuracy is the mean recall of the labels that occur. `answered` is the share of the faces of two classes whose "
    "highest probability reaches the threshold of `unknown`, `right of these` their two-class accuracy."
)


def report_text(name: str, report: Report) -> str:
    """Write `report.md` of a run."""
    settings = [[name, _plain(value)] for name, value in report.settings.items()]
    epochs = [
        [
            *(str(record.epoch + 1), record.phase, f"{record.rate:.2e}", f"{record.loss:.3f}"),
            *(f"{record.val_loss:.3f}", f"{record.val_accuracy:.4f}"),
            *(f"{record.val_balanced_accuracy:.4f}", f"{record.seconds:.0f}"),
        ]
        for record in report.epochs
    ]
    faces = [[split, *(str(count[label]) for label in LABELS)] for split, count in report.faces.items()]
    files = [[file, str(report.size_bytes[file]), digest] for file, digest in report.sha256.items()]
    heads = ("epoch", "phase", "rate", "loss", "val loss", "val accuracy", "val balanced", "seconds")
    parts = [
        f"# Run {name}",
        f"Epoch {report.best_epoch} of {len(report.epochs)} was kept.",
        "## Faces",
        table(("split", *map(str, LABELS)), faces),
        figures_text(report),
        "## Calibration",
        calibration_text(report),
        "## Exported files",
        parity_text(report),
        table(("file", "bytes", "sha256"), files),
        "## Epochs",
        table(heads, epochs),
        "## Settings",
        table(("setting", "value"), settings),
        table(("package", "version"), [list(pair) for pair in report.versions.items()]),
    ]
    return "\n\n".join(parts) + "\n"


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table."""
    return "\n".join("| " + " | ".join(row) + " |" for row in (heads, ["---"] * len(heads), *rows))


def figures_text(report: Report) -> str:
    """Write the tables of figures by source and by face size, for each file."""
    parts = ["## Figures", "On the validation faces. " + EXPLAINED]
    for file, figures in report.figures.items():
        parts += [f"### {file}", _tables(figures)]
    for file, figures in report.left_out.items():
        parts += [f"### {file}, on the sources that were left out of training", _tables(figures)]
    return "\n\n".join(parts)


def _tables(figures: FaceSetFigures) -> str:
    whole = {"all": figures["classification"], **figures["by_source"]}
    sizes = {name.replace("_", " ") + " px": size for name, size in figures["by_face_size"].items()}
    matrix = figures["classification"]["confusion"]
    confusion = [[str(label), *map(str, row)] for label, row in zip(LABELS, matrix, strict=True)]
    return "\n\n".join(
        (
            table(("source", *COLUMNS), _rows(whole)),
            table(("shorter side", *COLUMNS), _rows(sizes)),
            table(("true, then said", *map(str, LABELS)), confusion),
        )
    )


def _rows(groups: Mapping[str, ClassificationFigures]) -> list[list[str]]:
    return [[name, *_cells(measured)] for name, measured in groups.items() if measured["faces"]]


def _cells(measured: ClassificationFigures) -> list[str]:
    has_wrong = measured["recall"][WRONG]["n"] > 0
    figures = (
        measured["two_class_accuracy"],
        measured["balanced_accuracy"],
        measured["recall"][WRONG],
        measured["precision"][WRONG] if has_wrong else measured["recall"][WRONG],
        measured["coverage"],
        measured["accuracy_covered"],
        measured["ece"],
    )
    return [str(measured["faces"]), *map(_figure, figures)]


def _figure(figure: Figure) -> str:
    if figure["value"] is None:
        return "-"
    return f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"


def calibration_text(report: Report) -> str:
    """Say how the model was calibrated and what came out."""
    made, after = report.calibration, report.figures["keras"]["classification"]["ece"]["value"]
    before = "-" if report.ece_before is None else f"{report.ece_before:.3f}"
    wanted = "" if made.reached else ", the best that leaves 90 % answered (99 % right was wanted)"
    return (
        f"Temperature {made.temperature:.3f}, fitted on the validation faces and folded into the last layer's weights. "
        f"Expected calibration error there: {before} before, {'-' if after is None else f'{after:.3f}'} after. Below a "
        f"highest probability of {made.unknown_below:.2f} the answer is `unknown`: {100 * made.coverage:.1f} % of the "
        f"faces of two classes are answered, {100 * made.accuracy_covered:.2f} % of these right{wanted}."
    )


def parity_text(report: Report) -> str:
    """Say how the exported files compare with the Keras model."""
    rows = [
        [
            file,
            f"{100 * compared['same_label']:.2f} %",
            f"{compared['mean_difference']:.4f}",
            f"{compared['largest_difference']:.3f}",
            f"{100 * compared['two_class_difference']:+.2f}",
            f"{100 * compared['three_class_difference']:+.2f}",
        ]
        for file, compared in report.parity.items()
    ]
    heads = ("file", "same label", "mean difference", "largest", "two-class accuracy, points", "three-class, points")
    return "Against the Keras model, on the same faces; differences of probabilities, then of accuracies:\n\n" + table(
        heads, rows
    )
