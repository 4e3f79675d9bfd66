"""What `maskwatch evaluate --json` says, as the Markdown tables of docs/accuracy.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maskwatch.types import LABELS

__all__ = [
    "Run",
    "classic_table",
    "classification_groups",
    "classification_table",
    "confusion_table",
    "detection_groups",
    "detection_table",
    "end_to_end_table",
    "faces_table",
    "label_table",
    "targets_table",
]

WORN, BARE, WRONG = (label.value for label in LABELS)

Said = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement.

    Attributes:
        name: what was measured, as the table calls it.
        said: the object that `maskwatch evaluate --json` printed, or as much of it as there is.
    """

    name: str
    said: Said


@dataclass(frozen=True, slots=True)
class _Target:
    """A figure that was aimed at.

    Attributes:
        name: of the row.
        run: "accurate" or "fast".
        keys: the way to the figure.
        goal: the value.
        least: whether the goal is the least; else it is the most.
    """

    name: str
    run: str
    keys: tuple[str, ...]
    goal: float
    least: bool = True


_TARGETS = (
    _Target("two-class accuracy", "accurate", ("classification", "two_class_accuracy"), 0.99),
    _Target("three-class balanced accuracy", "accurate", ("classification", "balanced_accuracy"), 0.93),
    _Target("recall of masks worn wrongly", "accurate", ("classification", "recall", WRONG), 0.88),
    _Target("precision of masks worn wrongly", "accurate", ("classification", "precision", WRONG), 0.85),
    _Target("two-class accuracy when not unknown", "accurate", ("classification", "accuracy_covered"), 0.99),
    _Target("coverage: share that isn't unknown", "accurate", ("classification", "coverage"), 0.90),
    *(
        _Target(f"{profile}: recall, {name}", profile, ("detection", "recall", label), goal)
        for profile, goals in (("accurate", (0.95, 0.985, 0.97)), ("fast", (0.88, 0.97, 0.96)))
        for name, label, goal in zip(("masked", "bare", "worn wrongly"), (WORN, BARE, WRONG), goals, strict=True)
    ),
    _Target("accurate: false positives a picture", "accurate", ("detection", "false_positives_per_image"), 0.25, False),
    _Target("fast: false positives a picture", "fast", ("detection", "false_positives_per_image"), 0.22, False),
)


def targets_table(accurate: Said, fast: Said) -> str:
    """Set the targets beside what came out."""
    rows = []
    for target in _TARGETS:
        one: Any = accurate if target.run == "accurate" else fast
        for key in target.keys:
            one = one[key]
        value = one["value"]
        reached = value is not None and (value >= target.goal if target.least else value <= target.goal)
        sign = "≥" if target.least else "≤"
        rows.append([target.name, f"{sign} {target.goal:g}", _figure(one), "yes" if reached else "**no**"])
    return _markdown(["", "target", "measured", "reached"], rows, "llll")


def detection_table(runs: Sequence[Run]) -> str:
    """Compare detectors at their own thresholds."""
    rows = []
    for run in runs:
        found = run.said["detection"]
        rows.append(
            [run.name, *(_figure(found["recall"][label]) for label in (WORN, BARE, WRONG)), _figure(found["precision"])]
            + [_figure(found[key], 2) for key in ("false_positives_per_image",)]
            + [_figure(found.get("false_positives_per_image_unboxed_removed"), 2), _figure(found["ap50"])]
        )
    head = ["detector", "recall masked", "bare", "worn wrongly", "precision", "false positives a picture"]
    return _markdown([*head, "without unlabelled faces", "AP50"], rows, "llllllll")


def detection_groups(runs: Sequence[Run]) -> str:
    """Show detection by source and by face size."""
    rows = []
    for run in runs:
        for kind in ("by_source", "by_face_size"):
            for name, group in run.said[kind].items():
                found = group["detection"]
                recalls = [_figure(found["recall"][label]) for label in (WORN, BARE, WRONG)]
                false = _figure(found["false_positives_per_image"], 2)
                rows.append([run.name, _group(name), str(found["faces"]), *recalls, false, _figure(found["ap50"])])
    head = ["detector", "of", "faces", "recall masked", "bare", "worn wrongly", "false positives a picture", "AP50"]
    return _markdown(head, rows, "llrlllll")


def classification_table(runs: Sequence[Run]) -> str:
    """Compare classifiers on the labelled boxes."""
    rows = []
    for run in runs:
        told = run.said["classification"]
        keys = ("two_class_accuracy", "accuracy", "balanced_accuracy")
        wrong = [_figure(told[key][WRONG]) for key in ("recall", "precision")]
        rest = [_figure(told[key]) for key in ("ece", "coverage", "accuracy_covered")]
        rows.append([run.name, *(_figure(told[key]) for key in keys), *wrong, *rest])
    head = ["classifier", "two classes", "three", "balanced", "worn wrongly: recall", "precision", "ECE", "coverage"]
    return _markdown([*head, "two classes, covered"], rows, "lllllllll")


def classification_groups(run: Run) -> str:
    """Show classification by source and by face size."""
    rows = []
    for kind in ("by_source", "by_face_size"):
        for name, group in run.said[kind].items():
            told = group.get("classification", group)
            keys = ("two_class_accuracy", "balanced_accuracy")
            wrong = [_figure(told[key][WRONG]) for key in ("recall", "precision")]
            rows.append([_group(name), str(told["faces"]), *(_figure(told[key]) for key in keys), *wrong])
    return _markdown(["of", "faces", "two classes", "balanced", "worn wrongly: recall", "precision"], rows, "lrllll")


def label_table(run: Run) -> str:
    """Show recall and precision of every label."""
    told = run.said["classification"]
    rows = [
        [
            f"`{label}`",
            str(told["recall"][label]["n"]),
            _figure(told["recall"][label]),
            _figure(told["precision"][label]),
        ]
        for label in LABELS
    ]
    return _markdown(["label", "faces", "recall", "precision"], rows, "lrll")


def confusion_table(run: Run) -> str:
    """Show what was taken for what."""
    rows = [
        [f"`{label}`", *map(str, counts)]
        for label, counts in zip(LABELS, run.said["classification"]["confusion"], strict=True)
    ]
    return _markdown(["labelled as, called", *(f"`{label}`" for label in LABELS)], rows, "lrrr")


def end_to_end_table(runs: Sequence[Run]) -> str:
    """Compare detector and classifier together."""
    rows = [
        [run.name]
        + [_figure(run.said["end_to_end"]["f1"][label]) for label in (WORN, BARE, WRONG)]
        + [_figure(run.said["end_to_end"]["two_class_accuracy"])]
        for run in runs
    ]
    head = ["detector", "F1 masked", "bare", "worn wrongly", "two-class accuracy of the faces it finds"]
    return _markdown(head, rows, "lllll")


def faces_table(runs: Sequence[Run]) -> str:
    """Show the classifier on pictures of one face each."""
    rows = []
    for run in runs:
        told = run.said["classification"]
        keys = ("two_class_accuracy", "ece", "coverage", "accuracy_covered")
        found = f"{run.said['faces_found']} of {run.said['pictures']}"
        rows.append([run.name, found, *(_figure(told[key]) for key in keys)])
    head = ["classifier", "found by the detector", "two classes", "ECE", "coverage", "two classes, covered"]
    return _markdown(head, rows, "llllll")


def classic_table(random_split: Said, across: Said) -> str:
    """Set what the classic recipe measures on its own random split beside what it does on pictures apart.

    Args:
        random_split: scikit-learn's classification report, as a dictionary.
        across: the same of other pictures.
    """
    rows = [
        [f"`{label}`: {key}", *(f"{part[label][key]:.3f}" for part in (random_split, across))]
        for label in (WORN, BARE)
        for key in ("precision", "recall")
    ]
    counted = [str(round(part["weighted avg"]["support"])) for part in (random_split, across)]
    rows.append(["**accuracy**", *(f"**{part['accuracy']:.3f}**" for part in (random_split, across))])
    return _markdown(["", "its random split", "pictures apart"], [["faces", *counted], *rows], "lll")


def _figure(one: Mapping[str, Any] | None, digits: int = 3) -> str:
    """Write a figure with its interval; a dash where there is none."""
    if one is None or one["value"] is None:
        return "-"
    value, low, high = (f"{one[key]:.{digits}f}" for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _group(name: str) -> str:
    """Name a source as it is, and a size for people: `24_to_48` becomes "24 to 48 px"."""
    is_size = name.startswith(("under_", "from_")) or "_to_" in name
    return name.replace("_", " ") + " px" if is_size else name


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]], align: str) -> str:
    marks = ["--:" if one == "r" else "---" for one in align]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, marks, *rows])
