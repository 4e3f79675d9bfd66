"""The backbones in one small recipe: what each says of the same faces, how large its files are, and what it costs."""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from maskwatch.errors import ConfigError
from models.backbones import BackboneName, BackboneWeights
from training.data import Data
from training.settings import TrainSettings
from training.study_runs import (
    SET_COLUMNS,
    Outcome,
    Variant,
    by_name,
    figures_of,
    finished,
    markdown,
    mean_and_spread,
    outcome_of,
    set_cells,
)

__all__ = ["BackboneOutcome", "backbone_table", "backbone_variants", "by_backbone", "run_backbone", "starts_of"]

BACKBONES: tuple[BackboneName, ...] = get_args(BackboneName)

KERAS, INT8 = "validation", "validation, int8"
"""Sets of an outcome: what the Keras model and what its int8 export says of the validation faces."""

WARMING_CALLS, TIMED_CALLS = 5, 51
"""Of the int8 file, one face each."""


class BackboneOutcome(Outcome):
    """What came out of training one backbone.

    Attributes:
        backbone: its name.
        start: what it started from: "ImageNet" (Keras' download), "random", or the name of a file.
        parameters: of backbone and head together.
        keras_bytes: of the packed `.keras` file.
        int8_bytes: of the int8 LiteRT file.
        ms_a_face: processor time of the int8 file on one thread: median of `calls` calls of one face each.
        calls: how many that were.
    """

    backbone: BackboneName
    start: str
    parameters: int
    keras_bytes: int
    int8_bytes: int
    ms_a_face: float
    calls: int


def by_backbone(words: Sequence[str], option: str) -> list[tuple[BackboneName, str]]:
    """Take NAME=VALUE words apart.

    Raises:
        ConfigError: if one isn't such a word, or there is no backbone of its name.
    """
    pairs: list[tuple[BackboneName, str]] = []
    for word in words:
        name, _, value = word.partition("=")
        known = next((backbone for backbone in BACKBONES if backbone == name), None)
        if known is None or not value:
            raise ConfigError(f"{option} {word}: expected NAME=VALUE with a NAME of {', '.join(BACKBONES)}")
        pairs.append((known, value))
    return pairs


def starts_of(words: Sequence[str]) -> list[tuple[BackboneName, BackboneWeights]]:
    """Return each backbone with what it starts from, in the order of `BACKBONES`.

    Args:
        words: NAME=FILE, NAME=random or NAME=imagenet; a name may come again with another start. A backbone that isn't
            named starts from Keras' download of ImageNet's weights.

    Raises:
        ConfigError: if a word can't be understood, its file isn't there, or a start comes twice.
    """
    given = [(name, _weights(name, value)) for name, value in by_backbone(words, "--weights")]
    starts: list[tuple[BackboneName, BackboneWeights]] = []
    for backbone in BACKBONES:
        own = [weights for name, weights in given if name == backbone]
        if len({_called(weights) for weights in own}) < len(own):
            raise ConfigError(f"--weights {backbone}=...: expected different starts, received one of a name twice")
        if not own:
            own = ["imagenet"]
        starts += [(backbone, weights) for weights in own]
    return starts


def _weights(name: str, value: str) -> BackboneWeights:
    if value == "random":
        return "none"
    if value == "imagenet":
        return "imagenet"
    if not Path(value).is_file():
        raise ConfigError(
            f"--weights {name}={value}: no such file; give a Keras weights file of {name} with include_top=False, "
            "random, or imagenet, which Keras downloads"
        )
    return Path(value)


def _called(weights: BackboneWeights) -> str:
    if isinstance(weights, Path):
        return weights.name.removesuffix(".h5").removesuffix(".weights")
    return "random" if weights == "none" else "ImageNet"


def backbone_variants(
    settings: TrainSettings,
    data: Data,
    starts: Sequence[tuple[BackboneName, BackboneWeights]],
    fine_from: Mapping[BackboneName, str],
) -> list[Variant]:
    """Return a training of each backbone and start.

    Args:
        settings: of all of them.
        data: of all of them.
        starts: from `starts_of`.
        fine_from: first layer that learns, by backbone: their layers have different names. Left out: all learn.
    """
    variants = []
    for backbone, weights in starts:
        own = {"backbone_name": backbone, "backbone_weights": weights, "fine_from": fine_from.get(backbone, "")}
        # Made anew, and not copied, so that it is checked again: backbones take pictures of different sizes.
        changed = TrainSettings(**{**settings.model_dump(), **own})
        variants.append(Variant(f"{backbone} from {_called(weights)}", changed, data, {KERAS: data.val}))
    return variants


def run_backbone(variant: Variant, folder: Path) -> BackboneOutcome:
    """Train one backbone, export and measure it, and keep the outcome; returns the kept one where there is one.

    Args:
        variant: from `backbone_variants`.
        folder: of the study.

    Raises:
        ConfigError: if the folder holds an outcome of other settings.
        ModelError: if the weights don't fit, or nothing can be exported, which is said before the training.
    """
    from training.export import require_converter

    require_converter()
    return finished(variant, folder, BackboneOutcome, lambda model, run: _judged(variant, model, run))


def _judged(variant: Variant, model: Any, run: Path) -> BackboneOutcome:
    """Make the files that would be shipped, and measure both."""
    from training.batches import plain_faces
    from training.export import calibration_faces, export_int8
    from training.packing import round_weights, save_small
    from training.publish import INT8_LITERT, KERAS_FILE, ask_litert

    settings, val = variant.settings, variant.data.val
    round_weights(model)
    save_small(model, run / KERAS_FILE)
    with contextlib.redirect_stdout(sys.stderr):
        export_int8(model, run / INT8_LITERT, calibration_faces(variant.data.train, settings.size_px, settings.seed))
    said = outcome_of(variant, model)
    chances = ask_litert(run, INT8_LITERT, settings.size_px, plain_faces(val, settings.size_px))
    said.figures[INT8], said.wrong_ap[INT8] = figures_of(val, chances)
    return BackboneOutcome(
        **dict(said),
        backbone=settings.backbone_name,
        start=_called(settings.backbone_weights),
        parameters=model.count_params(),
        keras_bytes=(run / KERAS_FILE).stat().st_size,
        int8_bytes=(run / INT8_LITERT).stat().st_size,
        ms_a_face=_ms_a_face(run, variant),
        calls=TIMED_CALLS,
    )


def _ms_a_face(run: Path, variant: Variant) -> float:
    """Time the int8 file on one thread as workers run it; processor time, so that other work counts for less."""
    from models.engines import load_network
    from models.manifest import EngineName
    from models.registry import ModelEntry
    from training.batches import plain_faces
    from training.publish import INT8_LITERT, describe

    size_px = variant.settings.size_px
    faces = plain_faces(variant.data.val[:WARMING_CALLS], size_px)
    network = load_network(ModelEntry(run, describe(run, "run", "0.0.0", size_px, INT8_LITERT)), EngineName.LITERT)
    taken = []
    try:
        for call in range(WARMING_CALLS + TIMED_CALLS):
            face = faces[call % len(faces)][None]
            began = time.thread_time()
            network.run(face)
            taken.append(time.thread_time() - began)
    finally:
        network.close()
    return round(1000 * statistics.median(taken[WARMING_CALLS:]), 3)


def backbone_table(outcomes: Sequence[BackboneOutcome]) -> str:
    """Return a Markdown table: a row for the Keras and the int8 file of each backbone, means over seeds.

    Args:
        outcomes: of all variants and seeds.
    """
    rows = []
    for runs in by_name(outcomes):
        first = runs[0]
        about = [first.backbone, first.start]
        million = f"{first.parameters / 1e6:.2f}"
        sizes = {KERAS: [run.keras_bytes / 1e6 for run in runs], INT8: [run.int8_bytes / 1e6 for run in runs]}
        times = {KERAS: "-", INT8: mean_and_spread([run.ms_a_face for run in runs], 2)}
        for part, file in ((KERAS, "Keras"), (INT8, "int8")):
            cost = [million, mean_and_spread(sizes[part], 1), times[part]]
            rows.append([*about, file, *cost, *set_cells(runs, part), str(len(runs))])
    head = ["backbone", "started from", "file", "million parameters", "MB", "ms a face", *SET_COLUMNS, "seeds"]
    return markdown(head, rows, words=3)
