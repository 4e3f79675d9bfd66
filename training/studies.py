"""What each part of the recipe contributes, what a source costs that wasn't learned from, and the backbones compared.

All are short trainings of one small recipe, compared with one another and never with the full recipe's figures:

    python -m training.studies ablation --data DIR... --val DIR... --out DIR
    python -m training.studies sources --data DIR... --val DIR... --out DIR
    python -m training.studies backbones --data DIR... --val DIR... --out DIR --weights NAME=FILE...

A training that is finished is one file in the study's folder and isn't repeated; one that was interrupted goes on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import structlog

from maskwatch.errors import ConfigError
from training.augment import AUGMENTATIONS
from training.commands import TrainingCommand
from training.data import Data, read_data, split_data
from training.samples import Sample
from training.settings import TrainSettings, settings_of
from training.study_backbones import backbone_table, backbone_variants, by_backbone, run_backbone, starts_of
from training.study_runs import Kept, Variant, run_variant, table_by_set

__all__ = ["GROUPS", "ablation_variants", "main", "source_variants"]

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


def _study(
    name: str,
    options: dict[str, Any],
    plan: Callable[[TrainSettings, Data], list[Variant]],
    run: Callable[[Variant, Path], Kept],
) -> list[Kept]:
    """Run a study and write `NAME.json`; returns its outcomes.

    Args:
        name: of the study.
        options: of its command.
        plan: makes its trainings.
        run: does one of them.
    """
    from maskwatch import log
    from maskwatch.memory import keep_all_freed_memory
    from maskwatch.settings.model import LogSettings

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    log.configure(LogSettings(), "studies")
    keep_all_freed_memory()
    seeds: tuple[int, ...] = options.pop("seeds")
    only: tuple[str, ...] = options.pop("only")
    settings = settings_of({**RECIPE, **options}, {"epochs_fine": "--epochs"})
    if settings.threads:
        os.environ["TF_NUM_INTRAOP_THREADS"] = str(settings.threads)  # read when TensorFlow is imported, which is later
    settings.out.mkdir(parents=True, exist_ok=True)
    variants = _chosen(plan(settings, read_data(settings)), only)
    outcomes = []
    for seed in seeds:
        for number, variant in enumerate(variants, 1):
            structlog.get_logger().info("study.variant", name=variant.name, seed=seed, number=number, of=len(variants))
            seeded = replace(variant, settings=variant.settings.model_copy(update={"seed": seed}))
            outcomes.append(run(seeded, settings.out))
    (settings.out / f"{name}.json").write_text(
        json.dumps([outcome.model_dump(mode="json") for outcome in outcomes], indent=1) + "\n"
    )
    return outcomes


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
    """Add the options that all studies have."""
    for option in (
        click.option("--data", type=_FOLDER, multiple=True, required=True, help="Folder to learn from."),
        click.option("--val", type=_FOLDER, multiple=True, required=True, help="Folder to measure on."),
        click.option("--out", type=_FOLDER, required=True, help="Folder of the study."),
        click.option("--corrections", type=click.Path(path_type=Path), help="File of corrected labels."),
        click.option("--two-class-source", "two_class_sources", multiple=True, help="Source that knows two labels."),
        click.option("--epochs", "epochs_fine", type=int, default=4, show_default=True, help="Of fine-tuning."),
        click.option("--epoch-faces", type=int, default=4000, show_default=True, help="Faces drawn in an epoch."),
        click.option("--only", multiple=True, help="Run this variant; repeatable. Left out: all of them."),
        click.option("--seed", "seeds", type=int, multiple=True, default=(1,), show_default=True, help="Repeatable."),
        click.option("--threads", type=int, default=0, help="TensorFlow's threads. Left out: all cores."),
    ):
        command = option(command)
    return command


def _one_backbone(command: Callable[..., None]) -> Callable[..., None]:
    """Add what the studies of one backbone are told about it."""
    for option in (
        click.option("--backbone-weights", default="imagenet", help="Keras weights file to start from."),
        click.option("--fine-from", default="", help="First layer of the backbone that learns. Left out: all do."),
    ):
        command = option(command)
    return command


@click.group()
def main() -> None:
    """Short trainings that show what each part of the recipe does."""


@main.command(cls=TrainingCommand)
@_options
@_one_backbone
@click.option("--leave-out", multiple=True, help="Source to measure on apart, which isn't learned from.")
def ablation(**options: Any) -> None:
    """Train with everything on and with each part of the augmentation off; write ablation.json and a table."""
    click.echo(table_by_set(_study("ablation", options, ablation_variants, run_variant)))


@main.command(cls=TrainingCommand)
@_options
@_one_backbone
def sources(**options: Any) -> None:
    """Train with all sources and without each; write sources.json and a table."""
    click.echo(table_by_set(_study("sources", options, source_variants, run_variant)))


@main.command(cls=TrainingCommand)
@_options
@click.option(
    "--weights",
    metavar="NAME=FILE|random|imagenet",
    multiple=True,
    help="What a backbone starts from; repeatable, also for one backbone. Left out: Keras' download of ImageNet's.",
)
@click.option(
    "--fine-from",
    metavar="NAME=LAYER",
    multiple=True,
    help="First layer of a backbone that learns; repeatable. Left out: all do.",
)
@click.option(
    "--epochs-head", type=int, default=1, show_default=True, help="Of the head, the backbone frozen; see --epochs."
)
def backbones(weights: tuple[str, ...], fine_from: tuple[str, ...], **options: Any) -> None:
    """Train each backbone alike; write backbones.json and a table with the sizes and times of the files.

    With --epochs 0 the backbones stay frozen and only their heads learn.
    """
    starts, first_layers = starts_of(weights), dict(by_backbone(fine_from, "--fine-from"))

    def plan(settings: TrainSettings, data: Data) -> list[Variant]:
        return backbone_variants(settings, data, starts, first_layers)

    click.echo(backbone_table(_study("backbones", options, plan, run_backbone)))


if __name__ == "__main__":
    main()
