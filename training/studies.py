"""What each part of the recipe contributes, and how well a source is told apart that wasn't learned from.

Both are many short trainings of one small recipe, compared with one another and never with the full recipe's figures:

    python -m training.studies ablation --data DIR... --val DIR... --out DIR
    python -m training.studies sources --data DIR... --val DIR... --out DIR

A training that is finished is one file in the study's folder and isn't repeated; one that was interrupted goes on.
"""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import structlog
from numpy.typing import NDArray
from pydantic import BaseModel

from maskwatch.arrays import Float32Array
from maskwatch.errors import ConfigError
from maskwatch.types import LABELS, MaskLabel
from models.scores import ClassificationFigures, classification_figures
from training.augment import AUGMENTATIONS
from training.data import Data, read_data, split_data
from training.samples import Sample, count_labels
from training.settings import TrainSettings

__all__ = [
    "GROUPS",
    "Outcome",
    "Variant",
    "ablation_variants",
    "average_precision",
    "run_variant",
    "source_variants",
    "table",
]

RECIPE: dict[str, Any] = {"size_px": 96, "epochs_head": 1, "ema": 0.99}
"""Small enough for some twenty trainings in an afternoon on two cores; the order of the variants is what counts. The
averaged weights follow faster than in the full recipe, because there are fewer steps."""

GROUPS = {
    "picture quality": ("colour", "jpeg", "blur", "shrink", "noise"),
    "all that is drawn": ("drawn_masks", "drawn_wrong", "covers"),
    "all augmentation": AUGMENTATIONS,
}
"""Parts that are also switched off together: each may stand in for another."""

ALL_ON = "all on"
WRONG = LABELS.index(MaskLabel.INCORRECT_MASK)


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


def ablation_variants(settings: TrainSettings, data: Data) -> list[Variant]:
    """Return the trainings of the ablation: everything on, each part off, groups off, partial labels off.

    They are measured on the validation faces and, apart, on the sources left out, which say more: what augmentation is
    for is pictures unlike those that were learned from.
    """
    off = {name: (name,) for name in AUGMENTATIONS} | GROUPS
    changes: dict[str, dict[str, Any]] = {ALL_ON: {}}
    changes |= {f"without {name}": {"without": names} for name, names in off.items()}
    if settings.two_class_sources:
        changes["two-class sources taken at their word"] = {"two_class_sources": ()}
    measured = {"validation": data.val} | ({"left out": data.left_out} if data.left_out else {})
    return [Variant(name, settings.model_copy(update=change), data, measured) for name, change in changes.items()]


def source_variants(settings: TrainSettings, data: Data) -> list[Variant]:
    """Return the trainings with all sources and without each, measured on the same validation faces of that source.

    A source without validation faces is measured on those that it has for learning, which only the training without it
    can be.
    """
    own = {source: [face for face in data.val if face.source == source] for source in _sources(data.val)}
    variants = [Variant(ALL_ON, settings, data, {"validation": data.val} | own)]
    for source in _sources(data.train):
        rest = split_data(data.train, data.val, (source,))
        if not rest.val or len({sample.label for sample in rest.train}) < 2:
            raise ConfigError(f"source {source}: nothing would be left to learn from and choose by; add a source")
        changed = settings.model_copy(update={"leave_out": (source,)})
        variants.append(Variant(f"without {source}", changed, rest, {source: own.get(source) or rest.left_out}))
    return variants


def _sources(samples: Sequence[Sample]) -> list[str]:
    return sorted({sample.source for sample in samples})


def run_variant(variant: Variant, folder: Path) -> Outcome:
    """Train one variant, measure it and keep the outcome; returns the kept one where there is one.

    Args:
        variant: what to do.
        folder: of the study.

    Raises:
        ConfigError: if the folder holds an outcome of other settings.
    """
    from training.fit import fit

    seed, recipe = variant.settings.seed, _recipe(variant.settings)
    name = re.sub(r"[^\w.-]+", "_", f"{variant.name}-{seed}")
    kept = folder / f"{name}.json"
    if kept.is_file():
        outcome = Outcome.model_validate_json(kept.read_bytes())
        if outcome.recipe != recipe:
            raise ConfigError(f"{kept}: was made with other settings; give another --out or remove it")
        return outcome
    run = folder / f"{name}.part"
    run.mkdir(parents=True, exist_ok=True)
    settings = variant.settings.model_copy(update={"out": run})
    fit(settings, variant.data.train, variant.data.val, resume=True)
    outcome = _measured(variant, run, recipe)
    kept.write_text(outcome.model_dump_json(indent=1) + "\n")
    shutil.rmtree(run)
    return outcome


def _recipe(settings: TrainSettings) -> dict[str, Any]:
    """Return the settings that decide what comes out; where the files are doesn't."""
    places = {"data", "val", "out", "backbone_weights", "face_finder", "corrections", "licences", "threads"}
    return json.loads(settings.model_dump_json(exclude=places))  # type: ignore[no-any-return]


def _measured(variant: Variant, run: Path, recipe: dict[str, Any]) -> Outcome:
    """Ask the best epoch's network about every set, and forget it."""
    import keras

    from training.batches import plain_faces
    from training.fit import BEST, predict

    model = keras.saving.load_model(run / BEST, compile=False, safe_mode=True)
    figures, wrong_ap = {}, {}
    for name, samples in variant.measured.items():
        chances = predict(model, plain_faces(samples, variant.settings.size_px))
        truth = np.array([sample.label for sample in samples])
        pictures = np.unique([sample.sha256 for sample in samples], return_inverse=True)[1]
        figures[name] = classification_figures(truth, chances, pictures=pictures)
        wrong_ap[name] = average_precision(truth == WRONG, chances[:, WRONG])
    learned = count_labels(variant.data.train)
    # Networks of finished trainings stay in Keras' global state otherwise.
    keras.backend.clear_session()
    gc.collect()
    return Outcome(
        name=variant.name,
        seed=variant.settings.seed,
        recipe=recipe,
        learned=learned,
        figures=figures,
        wrong_ap=wrong_ap,
    )


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


def table(outcomes: Sequence[Outcome], sets: Mapping[str, Sequence[str]]) -> str:
    """Return a Markdown table: a row for each variant and set, the mean over seeds, and how far seeds lie apart.

    Args:
        outcomes: of all variants and seeds.
        sets: the sets to show of each variant, by its name.
    """
    head = ["variant", "measured on", "faces", "two classes", "balanced", "wrong: recall", "precision", "AP", "seeds"]
    rows = [head, ["---"] * 2 + ["---:"] * (len(head) - 2)]
    for name, shown in sets.items():
        runs = [outcome for outcome in outcomes if outcome.name == name]
        for part in shown:
            figures = [run.figures[part] for run in runs]
            values = [
                [item["two_class_accuracy"]["value"] for item in figures],
                [item["balanced_accuracy"]["value"] for item in figures],
                [item["recall"][LABELS[WRONG]]["value"] for item in figures],
                [item["precision"][LABELS[WRONG]]["value"] for item in figures],
                [run.wrong_ap[part] for run in runs],
            ]
            rows.append([name, part, str(figures[0]["faces"]), *map(_mean, values), str(len(runs))])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _mean(values: Sequence[float | None]) -> str:
    """Return the mean and half the distance of the extremes; a dash where there was nothing to count."""
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    spread = f" ± {(max(known) - min(known)) / 2:.3f}" if len(known) > 1 else ""
    return f"{np.mean(known):.3f}{spread}"


def _study(name: str, plan: Callable[[TrainSettings, Data], list[Variant]], options: dict[str, Any]) -> None:
    """Run a study and write `NAME.json`; prints the table."""
    from maskwatch import log
    from maskwatch.settings.model import LogSettings

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    log.configure(LogSettings(), "studies")
    seeds: tuple[int, ...] = options.pop("seeds")
    only: tuple[str, ...] = options.pop("only")
    settings = TrainSettings(**RECIPE, **options)
    if settings.threads:
        os.environ["TF_NUM_INTRAOP_THREADS"] = str(settings.threads)  # read when TensorFlow is imported, which is later
    settings.out.mkdir(parents=True, exist_ok=True)
    variants = _chosen(plan(settings, read_data(settings)), only)
    outcomes = []
    for seed in seeds:
        for number, variant in enumerate(variants, 1):
            structlog.get_logger().info("study.variant", name=variant.name, seed=seed, number=number, of=len(variants))
            seeded = replace(variant, settings=variant.settings.model_copy(update={"seed": seed}))
            outcomes.append(run_variant(seeded, settings.out))
    (settings.out / f"{name}.json").write_text(
        json.dumps([outcome.model_dump(mode="json") for outcome in outcomes], indent=1) + "\n"
    )
    click.echo(table(outcomes, {variant.name: tuple(variant.measured) for variant in variants}))


def _chosen(variants: list[Variant], only: Sequence[str]) -> list[Variant]:
    """Return the variants of these names, or all of them when none is named.

    Raises:
        ConfigError: if there is none of a name.
    """
    names = [variant.name for variant in variants]
    for name in only:
        if name not in names:
            raise ConfigError(f"--only {name}: expected one of {', '.join(names)}; leave it out to run all of them")
    return [variant for variant in variants if not only or variant.name in only]


_FOLDER = click.Path(path_type=Path, file_okay=False)


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that both studies have."""
    for option in (
        click.option("--data", type=_FOLDER, multiple=True, required=True, help="Folder to learn from."),
        click.option("--val", type=_FOLDER, multiple=True, required=True, help="Folder to measure on."),
        click.option("--out", type=_FOLDER, required=True, help="Folder of the study."),
        click.option("--backbone-weights", default="imagenet", help="Keras weights file to start from."),
        click.option("--corrections", type=click.Path(path_type=Path), help="File of corrected labels."),
        click.option("--two-class-source", "two_class_sources", multiple=True, help="Source that knows two labels."),
        click.option("--epochs", "epochs_fine", type=int, default=4, show_default=True, help="Of fine-tuning."),
        click.option("--epoch-faces", type=int, default=4000, show_default=True, help="Faces drawn in an epoch."),
        click.option("--fine-from", default="", help="First layer of the backbone that learns. Left out: all do."),
        click.option("--only", multiple=True, help="Run this variant; repeatable. Left out: all of them."),
        click.option("--seed", "seeds", type=int, multiple=True, default=(1,), show_default=True, help="Repeatable."),
        click.option("--threads", type=int, default=0, help="TensorFlow's threads. Left out: all cores."),
    ):
        command = option(command)
    return command


@click.group()
def main() -> None:
    """Short trainings that show what each part of the recipe does."""


@main.command()
@_options
@click.option("--leave-out", multiple=True, help="Source to measure on apart, which isn't learned from.")
def ablation(**options: Any) -> None:
    """Train with everything on and with each part of the augmentation off; write ablation.json and a table."""
    _study("ablation", ablation_variants, options)


@main.command()
@_options
def sources(**options: Any) -> None:
    """Train with all sources and without each; write sources.json and a table."""
    _study("sources", source_variants, options)


if __name__ == "__main__":
    main()
