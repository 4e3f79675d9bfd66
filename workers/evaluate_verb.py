"""What the verb `evaluate` does around `judge_scenes` and `judge_faces`: reading, loading, measuring, exit codes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, cast

import click
import cv2
import numpy as np

from maskwatch import log
from maskwatch.arrays import Float32Array
from maskwatch.errors import ConfigError
from maskwatch.labelled import LabelledPicture, read_labelled
from maskwatch.labelled.unboxed import read_unboxed
from maskwatch.settings.model import LogSettings
from maskwatch.types import DETECTORS, LABELS, Profile
from models.classifier import MaskClassifier, load_classifier
from models.detectors import Detector, load_detector
from models.engines import EngineName, choose_engine
from models.manifest import ModelKind
from models.registry import Registry
from models.scores import face_set_figures, scene_figures
from models.store import ModelStore
from workers.evaluate import judge_faces, judge_scenes
from workers.evaluate_cases import find_cases, write_cases
from workers.evaluate_table import face_lines, scene_lines

__all__ = ["EvaluateRequest", "run_evaluate"]


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """The command line; see the verb's help."""

    scenes: Path | None
    images: Path | None
    faces: Path | None
    unboxed: Path | None
    profile: str
    detector: str
    classifier: str
    engine: str
    models: Path
    iou: float
    cases: Path | None
    as_json: bool


@dataclass(frozen=True, slots=True)
class _Judges:
    """What is asked."""

    profile: Profile
    engine: EngineName
    detector: Detector
    classifier: MaskClassifier


def run_evaluate(request: EvaluateRequest) -> int:
    """Measure and print.

    Returns:
        The exit code: 0, or 1 when a picture couldn't be read; the others are measured all the same.

    Raises:
        ConfigError: if the command line or the labels are wrong, or pictures are missing.
        ModelError: if a model can't be used.
    """
    log.configure(LogSettings(level="warning"), "evaluate")
    if (request.scenes is None) == (request.faces is None):
        raise ConfigError("evaluate: expected either --scenes FILE.json or --faces DIR; give one of them")
    if request.faces and (request.images or request.unboxed or request.cases):
        raise ConfigError("evaluate: --images, --unboxed and --cases belong to --scenes; leave them out with --faces")
    registry = ModelStore(request.models).registry
    _check_names(request, registry)
    pictures = _labelled(request)
    unboxed = _unboxed(request.unboxed, pictures) if request.unboxed else {}
    judges = _load(request, registry)
    measure = _measure_faces if request.scenes is None else _measure_scenes
    said, lines, damaged = measure(request, judges, pictures, unboxed)
    for problem in damaged:
        click.echo(f"maskwatch: {problem}; left out", err=True)
    click.echo(json.dumps(said, indent=1) if request.as_json else "\n".join(lines))
    return 1 if damaged else 0


def _check_names(request: EvaluateRequest, registry: Registry) -> None:
    """Refuse names that nothing has.

    Raises:
        ConfigError: with the nearest name that there is.
    """
    classifiers = [entry.manifest.name for entry in registry.list() if entry.manifest.kind is ModelKind.CLASSIFIER]
    for option, name, known in (
        ("--profile", request.profile, [profile.value for profile in Profile]),
        ("--detector", request.detector, list(DETECTORS)),
        ("--classifier", request.classifier, classifiers),
    ):
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "give one of them"
            raise ConfigError(f"{option} {name}: unknown; expected one of {', '.join(known) or 'none'}; {hint}")


def _labelled(request: EvaluateRequest) -> list[LabelledPicture]:
    """Read the labels and make sure that all pictures are there.

    Raises:
        ConfigError: if they aren't, or the labels can't be used.
    """
    if request.faces is not None:
        pictures = read_labelled(request.faces)
        if any(not picture.single for picture in pictures):
            raise ConfigError(
                f"--faces {request.faces}: expected class folders, received scenes; give them as --scenes"
            )
    else:
        assert request.scenes is not None
        if not request.scenes.is_file():
            raise ConfigError(f"--scenes {request.scenes}: no such file; expected a COCO detection file")
        pictures = read_labelled(request.images or request.scenes.with_suffix(""), request.scenes)
    missing = [picture.path for picture in pictures if not picture.path.is_file()]
    if missing or not pictures:
        where = request.scenes or request.faces
        lost = (
            f"{len(missing)} of {len(pictures)} are missing, the first is {missing[0]}" if missing else "received none"
        )
        raise ConfigError(f"{where}: expected its pictures, {lost}; give their folder with --images")
    return pictures


def _unboxed(path: Path, pictures: Sequence[LabelledPicture]) -> dict[str, Float32Array]:
    """Read the list of faces that nobody labelled.

    Raises:
        ConfigError: if it has another form or is about other pictures.
    """
    boxes = {name: np.array(places, np.float32).reshape(-1, 4) for name, places in read_unboxed(path).faces.items()}
    known = {picture.path.name for picture in pictures}
    if boxes and not known & set(boxes):
        raise ConfigError(f"{path}: names none of the {len(known)} pictures; give the list of these scenes")
    return boxes


def _load(request: EvaluateRequest, registry: Registry) -> _Judges:
    # One core, as a worker has it.
    cv2.setNumThreads(1)
    engine = choose_engine(cast(Literal["auto", "litert", "keras"], request.engine), "none")
    return _Judges(
        Profile(request.profile),
        engine,
        load_detector(request.detector, engine, registry=registry),
        load_classifier(engine, request.classifier, registry=registry),
    )


def _about(request: EvaluateRequest, judges: _Judges) -> dict[str, Any]:
    """Return who was asked, and what the figures rest on."""
    return {
        "profile": judges.profile.value,
        "detector": judges.detector.name,
        "detector_model": judges.detector.model,
        "classifier": judges.classifier.name,
        "engine": judges.engine.value,
        "threshold": judges.detector.score,
        "iou": request.iou,
        "unknown_below": judges.classifier.unknown_below,
        "labels": [label.value for label in LABELS],
    }


def _measure_scenes(
    request: EvaluateRequest,
    judges: _Judges,
    pictures: Sequence[LabelledPicture],
    unboxed: Mapping[str, Float32Array],
) -> tuple[dict[str, Any], list[str], list[str]]:
    judged = judge_scenes(pictures, judges.detector, judges.classifier, judges.profile, unboxed)
    _require_some(len(judged.pictures), judged.damaged)
    figures = scene_figures(
        judged.pictures, judges.detector.score, request.iou, judges.classifier.unknown_below,
        unboxed=request.unboxed is not None,
    )  # fmt: skip
    if request.cases is not None:
        found = find_cases(judged.pictures, judges.detector.score, request.iou)
        write_cases(request.cases, found, {picture.path.name: picture.path for picture in pictures})
    about = _about(request, judges)
    said = {**about, "damaged_pictures": len(judged.damaged), **figures}
    return said, scene_lines(about, figures), judged.damaged


def _measure_faces(
    request: EvaluateRequest,
    judges: _Judges,
    pictures: Sequence[LabelledPicture],
    unboxed: Mapping[str, Float32Array],
) -> tuple[dict[str, Any], list[str], list[str]]:
    judged = judge_faces(pictures, judges.detector, judges.classifier, judges.profile)
    _require_some(len(judged.names), judged.damaged)
    figures = face_set_figures(
        judged.truth, judged.probabilities, judged.boxes_xyxy, judged.sources, judges.classifier.unknown_below
    )
    about = _about(request, judges) | {"faces_found": judged.found}
    said = {**about, "damaged_pictures": len(judged.damaged), **figures}
    return said, face_lines(about, figures), judged.damaged


def _require_some(judged: int, damaged: Sequence[str]) -> None:
    if judged == 0:
        raise ConfigError(f"evaluate: none of the {len(damaged)} pictures can be read, e.g. {damaged[0]}")
