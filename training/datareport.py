"""What is in the data: counts, copies, and contact sheets to look at.

Alone: `python -m training.datareport --data DIR... [--val DIR...] --out DIR`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click
import cv2
import numpy as np
from pydantic import BaseModel

from maskwatch.types import LABELS
from training.commands import TrainingCommand
from training.duplicates import clusters_of, face_hash
from training.licences import NOT_STATED
from training.picture_hash import bits_apart
from training.samples import Sample
from training.sheets import TILES_WH, contact_sheet

if TYPE_CHECKING:
    from training.data import Data

__all__ = ["DataReport", "describe_data", "write_data_report"]

SIZES_PX = (24, 32, 64, 128)
"""Lower ends of the classes of a face's longest side."""

SHEET_FACES = TILES_WH[0] * TILES_WH[1]


class Group(BaseModel):
    """The faces of one split, source and label.

    Attributes:
        split: "train", "val", "left_out" or "dropped"; see `training.data.Data`.
        source: where the pictures came from.
        licence: what is stated of the source.
        label: one of the labels.
        faces: how many there are.
        pictures: how many pictures they are in.
        found: share of the faces that the detector finds.
        sizes: faces by the lower end of their class of size, in pixels.
    """

    split: str
    source: str
    licence: str
    label: str
    faces: int
    pictures: int
    found: float
    sizes: dict[str, int]


class Copies(BaseModel):
    """Near-duplicates; see `training.duplicates`.

    Attributes:
        clusters: groups of two and more pictures that are near-duplicates.
        pictures: how many pictures are in them.
        largest: pictures in the largest.
        across_sources: clusters whose pictures come from several sources, by the sources' names.
        across_labels: clusters of one-face pictures that have several labels: one of them is wrong.
        dropped: how many pictures are not learned from because a near-duplicate is measured on.
    """

    clusters: int
    pictures: int
    largest: int
    across_sources: dict[str, int]
    across_labels: int
    dropped: int


class DataReport(BaseModel):
    """What is in the data of a run.

    Attributes:
        groups: by split, source and label.
        copies: near-duplicates.
        corrected: labels of training faces that were changed and taken out by hand.
    """

    groups: list[Group]
    copies: Copies
    corrected: dict[str, int]


def describe_data(data: Data) -> DataReport:
    """Count what is in the data."""
    groups = []
    for split, samples in data.splits.items():
        for (source, label), faces in _by_source_and_label(samples).items():
            groups.append(
                Group(
                    split=split,
                    source=source,
                    licence=data.licences.get(source, NOT_STATED),
                    label=LABELS[label],
                    faces=len(faces),
                    pictures=len({face.file for face in faces}),
                    found=round(float(np.mean([face.found_box is not None for face in faces])), 3),
                    sizes=_sizes(faces),
                )
            )
    return DataReport(groups=groups, copies=_copies(data), corrected=data.corrected)


def _by_source_and_label(samples: Iterable[Sample]) -> dict[tuple[str, int], list[Sample]]:
    groups: dict[tuple[str, int], list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[(sample.source, sample.label)].append(sample)
    return dict(sorted(groups.items()))


def _sizes(faces: Iterable[Sample]) -> dict[str, int]:
    longest = [max(right - left, bottom - top) for left, top, right, bottom in (face.box_xyxy for face in faces)]
    counts = np.histogram(longest, (*SIZES_PX, np.inf))[0].tolist()
    return {str(size): count for size, count in zip(SIZES_PX, counts, strict=True)}


def _copies(data: Data) -> Copies:
    clusters: dict[int, list[Sample]] = defaultdict(list)
    for samples in data.splits.values():
        for sample in samples:
            clusters[sample.cluster].append(sample)
    several = [faces for faces in clusters.values() if _pictures(faces) > 1]
    sources = Counter(" + ".join(sorted({face.source for face in faces})) for faces in several)
    return Copies(
        clusters=len(several),
        pictures=sum(_pictures(faces) for faces in several),
        largest=max((_pictures(faces) for faces in several), default=0),
        across_sources={names: count for names, count in sorted(sources.items()) if " + " in names},
        across_labels=sum(len({face.label for face in faces if face.single}) > 1 for faces in several),
        dropped=_pictures(data.dropped),
    )


def _pictures(samples: Iterable[Sample]) -> int:
    return len({sample.file for sample in samples})


def write_data_report(folder: Path, data: Data, seed: int = 0) -> DataReport:
    """Write `data.json`, `data.md` and a contact sheet for each split, source and label.

    Args:
        folder: made if it isn't there; older sheets in it are removed.
        data: of a run.
        seed: of the choice of faces for the sheets.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("faces-*.png"):
        old.unlink()
    report = describe_data(data)
    (folder / "data.json").write_text(report.model_dump_json(indent=1) + "\n")
    (folder / "data.md").write_text(_markdown(report))
    rng = np.random.default_rng(seed)
    for split, samples in data.splits.items():
        for (source, label), faces in _by_source_and_label(samples).items():
            count = min(len(faces), SHEET_FACES)
            chosen = [faces[index] for index in sorted(rng.choice(len(faces), count, replace=False).tolist())]
            cv2.imwrite(str(folder / f"faces-{split}-{_file_name(source)}-{LABELS[label]}.png"), contact_sheet(chosen))
    if pairs := _crossing(data):
        cv2.imwrite(str(folder / "faces-near-duplicates.png"), contact_sheet(pairs[:SHEET_FACES]))
    return report


def _file_name(source: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in source)


def _crossing(data: Data) -> list[Sample]:
    """Return for each picture that was dropped the two faces that are most alike: the measured one, then its own."""
    measured: dict[int, list[tuple[bytes, Sample]]] = defaultdict(list)
    clusters = clusters_of(data.dropped)
    for face in (*data.val, *data.left_out):
        if face.cluster in clusters:
            measured[face.cluster].append((face_hash(face), face))
    closest: dict[str, tuple[int, Sample, Sample]] = {}
    for own in data.dropped:
        look = face_hash(own)
        for other, face in measured[own.cluster]:
            apart = bits_apart(look, other)
            if own.file not in closest or apart < closest[own.file][0]:
                closest[own.file] = (apart, face, own)
    return [face for _, *pair in closest.values() for face in pair]


def _markdown(report: DataReport) -> str:
    """Write the tables for a person."""
    sizes = [f"from {size} px" for size in SIZES_PX]
    head = ["split", "source", "licence", "label", "faces", "pictures", "found", *sizes]
    rows = [_row(group) for group in report.groups]
    copies = report.copies
    across = ", ".join(f"{names}: {count}" for names, count in copies.across_sources.items()) or "none"
    return "\n".join(
        [
            "# What is in the data",
            "",
            "`found` is the share of the faces that the detector finds; the last columns count faces by longest side.",
            "",
            *("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]),
            "",
            f"Near-duplicates: {copies.clusters} clusters of {copies.pictures} pictures, {copies.largest} in the "
            f"largest; across sources: {across}; with several labels: {copies.across_labels}. {copies.dropped} "
            "pictures are not learned from because a near-duplicate is measured on.",
            "",
            f"Labels changed by hand: {report.corrected['relabelled']}; faces taken out: "
            f"{report.corrected['removed']}.",
            "",
        ]
    )


def _row(group: Group) -> list[str]:
    counts = (group.faces, group.pictures, f"{group.found:.1%}", *group.sizes.values())
    return [group.split, group.source, group.licence.replace("|", "/"), group.label, *map(str, counts)]


@click.command(cls=TrainingCommand)
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), multiple=True, required=True)
@click.option("--val", type=click.Path(path_type=Path, file_okay=False), multiple=True)
@click.option("--licence", "licences", metavar="SOURCE=TEXT", multiple=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
def main(data: tuple[Path, ...], val: tuple[Path, ...], licences: tuple[str, ...], out: Path) -> None:
    """Write what is in folders of labelled pictures: tables, near-duplicates, contact sheets."""
    from training.data import read_data
    from training.settings import TrainSettings

    write_data_report(out, read_data(TrainSettings(data=data, val=val, out=out, licences=licences)))
    click.echo((out / "data.md").read_text())


if __name__ == "__main__":
    main()
