"""One training of a study: what it is told, what came out of it, and the table that compares several."""

from __future__ import annotations

import gc
import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from maskwatch.arrays import Float32Array
from maskwatch.errors import ConfigError
from maskwatch.types import LABELS, MaskLabel
from models.scores import ClassificationFigures, classification_figures
from training.data import Data
from training.samples import Sample, count_labels
from training.settings import TrainSettings

__all__ = [
    "SET_COLUMNS",
    "Kept",
    "Outcome",
    "Variant",
    "average_precision",
    "by_name",
    "figures_of",
    "finished",
    "markdown",
    "mean_and_spread",
    "outcome_of",
    "run_variant",
    "set_cells",
    "table_by_set",
]

WRONG = LABELS.index(MaskLabel.INCORRECT_MASK)

SET_COLUMNS = ("two classes", "balanced", "wrong: recall", "precision", "AP")
"""What `set_cells` gives."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One training of a study.

    Attributes:
        name: what it is called in the table.
        settings: of the training.
        data: what it learns from and is chosen by.
        measured: sets of faces to measure it on, by name.
    """

    name: str
    settings: TrainSettings
    data: Data
    measured: dict[str, list[Sample]]


class Outcome(BaseModel):
    """What came out of one training; `NAME-SEED.json` of the study's folder.

    Attributes:
        name: of the variant.
        seed: of the training.
        recipe: the settings that may differ between studies; a file with others is refused.
        learned: faces learned from, by label.
        figures: of each measured set.
        wrong_ap: average precision of masks worn wrongly, by set: recall and precision at every threshold in one
            figure, so that a network that calls more faces wrong isn't better for it.
    """

    name: str
    seed: int
    recipe: dict[str, Any]
    learned: dict[str, int]
    figures: dict[str, ClassificationFigures]
    wrong_ap: dict[str, float | None]


Kept = TypeVar("Kept", bound=Outcome)


def run_variant(variant: Variant, folder: Path) -> Outcome:
    """Train one variant, measure it and keep the outcome; returns the kept one where there is one.

    Args:
        variant: what to do.
        folder: of the study.

    Raises:
        ConfigError: if the folder holds an outcome of other settings.
    """
    return finished(variant, folder, Outcome, lambda model, _: outcome_of(variant, model))


def finished(variant: Variant, folder: Path, kind: type[Kept], judge: Callable[[Any, Path], Kept]) -> Kept:
    """Train one variant unless its outcome is kept already, and keep what the judge says of it.

    Args:
        variant: what to do.
        folder: of the study.
        kind: of the outcome.
        judge: takes the best epoch's model and a folder that is removed afterwards.

    Raises:
        ConfigError: if the folder holds an outcome of other settings.
    """
    from training.fit import BEST, fit

    recipe = _recipe(variant.settings)
    name = re.sub(r"[^\w.-]+", "_", f"{variant.name}-{variant.settings.seed}")
    kept = folder / f"{name}.json"
    if kept.is_file():
        outcome = kind.model_validate_json(kept.read_bytes())
        if outcome.recipe != recipe:
            raise ConfigError(f"{kept}: was made with other settings; give another --out or remove it")
        return outcome
    run = folder / f"{name}.part"
    run.mkdir(parents=True, exist_ok=True)
    settings = variant.settings.model_copy(update={"out": run})
    fit(settings, variant.data.train, variant.data.val, resume=True)
    outcome = _judged(run / BEST, judge)
    kept.write_text(outcome.model_dump_json(indent=1) + "\n")
    shutil.rmtree(run)
    return outcome


def _recipe(settings: TrainSettings) -> dict[str, Any]:
    """Return the settings that decide what comes out; where the files are doesn't."""
    places = {
        "data",
        "val",
        "out",
        "backbone_weights",
        "start_from",
        "start_share",
        "face_finder",
        "corrections",
        "licences",
        "threads",
    }
    return json.loads(settings.model_dump_json(exclude=places))  # type: ignore[no-any-return]


def _judged(best: Path, judge: Callable[[Any, Path], Kept]) -> Kept:
    """Load the best epoch's network, ask the judge, and forget it."""
    import keras

    model = keras.saving.load_model(best, compile=False, safe_mode=True)
    outcome = judge(model, best.parent)
    # Networks of finished trainings stay in Keras' global state otherwise.
    keras.backend.clear_session()
    gc.collect()
    return outcome


def outcome_of(variant: Variant, model: Any) -> Outcome:
    """Ask a network about every set of a variant.

    Args:
        variant: what it was trained as.
        model: the keras.Model.
    """
    from training.batches import plain_faces
    from training.fit import predict

    figures, wrong_ap = {}, {}
    for name, samples in variant.measured.items():
        chances = predict(model, plain_faces(samples, variant.settings.size_px))
        figures[name], wrong_ap[name] = figures_of(samples, chances)
    return Outcome(
        name=variant.name,
        seed=variant.settings.seed,
        recipe=_recipe(variant.settings),
        learned=count_labels(variant.data.train),
        figures=figures,
        wrong_ap=wrong_ap,
    )


def figures_of(samples: Sequence[Sample], chances: Float32Array) -> tuple[ClassificationFigures, float | None]:
    """Return the figures of a set and the average precision of masks worn wrongly.

    Args:
        samples: N faces.
        chances: (N, 3) float32 probabilities of them.
    """
    truth = np.array([sample.label for sample in samples])
    pictures = np.unique([sample.sha256 for sample in samples], return_inverse=True)[1]
    figures = classification_figures(truth, chances, pictures=pictures)
    return figures, average_precision(truth == WRONG, chances[:, WRONG])


def average_precision(is_one: NDArray[np.bool_], scores: Float32Array) -> float | None:
    """Return the mean precision over the ranks of the true ones, best score first; None without a true one.

    Args:
        is_one: (N,) bool.
        scores: (N,) float32; equal ones count in their given order.
    """
    ranked = is_one[np.argsort(-scores, kind="stable")]
    if not ranked.any():
        return None
    precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    return round(float(precision[ranked].mean()), 4)


def table_by_set(outcomes: Sequence[Outcome]) -> str:
    """Return a Markdown table: a row for each variant and set, the mean over seeds, and how far seeds lie apart.

    Args:
        outcomes: of all variants and seeds.
    """
    rows = []
    for runs in by_name(outcomes):
        for part in runs[0].figures:
            faces = str(runs[0].figures[part]["faces"])
            rows.append([runs[0].name, part, faces, *set_cells(runs, part), str(len(runs))])
    return markdown(["variant", "measured on", "faces", *SET_COLUMNS, "seeds"], rows, words=2)


def by_name(outcomes: Sequence[Kept]) -> list[list[Kept]]:
    """Put the outcomes of each variant together, in the order in which the variants come."""
    names = dict.fromkeys(outcome.name for outcome in outcomes)
    return [[outcome for outcome in outcomes if outcome.name == name] for name in names]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]], words: int) -> str:
    """Lay out a Markdown table whose first columns are words and whose others are figures."""
    rule = ["---"] * words + ["---:"] * (len(head) - words)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


def set_cells(runs: Sequence[Outcome], part: str) -> list[str]:
    """Return a set's figures over the seeds of a variant, in the order of `SET_COLUMNS`."""
    figures = [run.figures[part] for run in runs]
    values = [
        [item["two_class_accuracy"]["value"] for item in figures],
        [item["balanced_accuracy"]["value"] for item in figures],
        [item["recall"][LABELS[WRONG]]["value"] for item in figures],
        [item["precision"][LABELS[WRONG]]["value"] for item in figures],
        [run.wrong_ap[part] for run in runs],
    ]
    return [mean_and_spread(value) for value in values]


def mean_and_spread(values: Sequence[float | None], decimals: int = 3) -> str:
    """Return the mean and half the distance of the extremes; a dash where there was nothing to count."""
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    spread = f" ± {(max(known) - min(known)) / 2:.{decimals}f}" if len(known) > 1 else ""
    return f"{np.mean(known):.{decimals}f}{spread}"
