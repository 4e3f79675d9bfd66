"""Figures as a person reads them in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from maskwatch.types import LABELS
from models.scores import ClassificationFigures, DetectionFigures, FaceSetFigures, Figure, SceneFigures, SceneGroup

__all__ = ["face_lines", "figure_text", "scene_lines"]

_SHOWN: tuple[Literal["two_class_accuracy", "balanced_accuracy"], ...] = ("two_class_accuracy", "balanced_accuracy")


def scene_lines(about: Mapping[str, Any], figures: SceneFigures) -> list[str]:
    """Lay out the figures of scenes."""
    lines = [*_head(about), f"{figures['pictures']} pictures, faces of at least 24 px, 95 % intervals", ""]
    lines += _detection(figures["detection"], about["iou"])
    lines += ["", *_classification(figures["classification"]), "", "detector and classifier together"]
    lines += [_row(f"F1 {name}", one) for name, one in figures["end_to_end"]["f1"].items()]
    lines += [_row("two-class accuracy of found faces", figures["end_to_end"]["two_class_accuracy"])]
    for title, groups in (("by source", figures["by_source"]), ("by face size, px", figures["by_face_size"])):
        lines += ["", *_groups(title, groups)]
    return lines


def face_lines(about: Mapping[str, Any], figures: FaceSetFigures) -> list[str]:
    """Lay out the figures of class folders."""
    lines = [*_head(about), f"{figures['pictures']} pictures of one face, {about['faces_found']} found by the detector"]
    lines += ["", *_classification(figures["classification"])]
    for title, groups in (("by source", figures["by_source"]), ("by face size, px", figures["by_face_size"])):
        lines += ["", f"{title:<24}{'faces':>8}{'two-class':>12}{'balanced':>12}"]
        lines += [
            f"  {name:<22}{one['faces']:>8}" + "".join(f"{_short(one[key]):>12}" for key in _SHOWN)
            for name, one in groups.items()
        ]
    return lines


def figure_text(one: Figure) -> str:
    """Write a figure with its interval, e.g. "0.981 [0.972, 0.989]"; a dash where nothing was counted."""
    return "-" if one["value"] is None else f"{one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}]"


def _head(about: Mapping[str, Any]) -> list[str]:
    return [
        f"detector {about['detector_model']} (profile {about['profile']}, score {about['threshold']:g}), classifier "
        f"{about['classifier']} (unknown below {about['unknown_below']:g}), engine {about['engine']}"
    ]


def _row(name: str, one: Figure) -> str:
    return f"  {name:<44}{figure_text(one):<24}n {one['n']}"


def _detection(figures: DetectionFigures, iou: float) -> list[str]:
    lines = [f"detection, overlap at least {iou:g}"]
    lines += [_row(f"recall {name}", one) for name, one in figures["recall"].items()]
    lines += [
        _row("precision", figures["precision"]),
        _row("false positives a picture", figures["false_positives_per_image"]),
    ]
    if "false_positives_per_image_unboxed_removed" in figures:
        lines.append(_row("  without unlabelled faces", figures["false_positives_per_image_unboxed_removed"]))
    return [*lines, _row("average precision at overlap 0.5", figures["ap50"])]


def _classification(figures: ClassificationFigures) -> list[str]:
    lines = [
        f"classification of {figures['faces']} labelled faces",
        _row("accuracy, three labels", figures["accuracy"]),
        _row("balanced accuracy, three labels", figures["balanced_accuracy"]),
        _row("two-class accuracy", figures["two_class_accuracy"]),
    ]
    lines += [_row(f"recall {name}", one) for name, one in figures["recall"].items()]
    lines += [_row(f"precision {name}", one) for name, one in figures["precision"].items()]
    lines += [
        _row("expected calibration error", figures["ece"]),
        _row("coverage with unknown", figures["coverage"]),
        _row("two-class accuracy of those covered", figures["accuracy_covered"]),
        f"  {'true label, called':<24}" + "".join(f"{label.value:>16}" for label in LABELS),
    ]
    for label, counts in zip(LABELS, figures["confusion"], strict=True):
        lines.append(f"  {label.value:<24}" + "".join(f"{count:>16}" for count in counts))
    return lines


def _groups(title: str, groups: Mapping[str, SceneGroup]) -> Sequence[str]:
    names = ("faces", "masked", "bare", "wrong", "false/pic", "ap50", "two-class", "balanced")
    lines = [f"{title:<22}" + "".join(f"{name:>11}" for name in names)]
    for name, group in groups.items():
        found, told = group["detection"], group["classification"]
        cells = [str(found["faces"]), *(_short(one) for one in found["recall"].values())]
        cells += [_short(found["false_positives_per_image"]), _short(found["ap50"])]
        cells += [_short(told["two_class_accuracy"]), _short(told["balanced_accuracy"])]
        lines.append(f"  {name:<20}" + "".join(f"{cell:>11}" for cell in cells))
    return lines


def _short(one: Figure) -> str:
    return "-" if one["value"] is None else f"{one['value']:.3f}"
