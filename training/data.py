"""The faces of a run: to learn from and to measure on. They are read before Keras is imported, which takes seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from maskwatch.errors import ConfigError
from training.corrections import apply_corrections, read_corrections
from training.duplicates import clusters_of, with_clusters
from training.facefinder import FaceFinder, live_finder, yunet_finder
from training.licences import licences_of
from training.samples import Sample, count_labels, read_folder
from training.settings import TrainSettings

__all__ = ["Data", "read_data", "split_data"]

HELD_OUT = 0.15
"""Share of the pictures that is measured on where no validation folder is given."""


@dataclass(frozen=True, slots=True)
class Data:
    """The faces of a run; each is in one of the four lists.

    Attributes:
        train: to learn from.
        val: to measure on and to choose the best epoch by.
        left_out: of the sources in `leave_out`, from all folders: neither learned from nor chosen by.
        dropped: not learned from, because a near-duplicate of the picture is in `val` or `left_out`.
        corrected: how many labels of `train` were changed (`relabelled`) and taken out (`removed`) by hand.
        licences: what is stated of each source; see `training.licences`.
    """

    train: list[Sample]
    val: list[Sample]
    left_out: list[Sample]
    dropped: list[Sample]
    corrected: dict[str, int]
    licences: dict[str, str]

    @property
    def splits(self) -> dict[str, list[Sample]]:
        """The four lists by name."""
        return {"train": self.train, "val": self.val, "left_out": self.left_out, "dropped": self.dropped}


def read_data(settings: TrainSettings) -> Data:
    """Read the faces to learn from and those to measure on; holds some back where no folder is given.

    Raises:
        ConfigError: if there is nothing to learn from or to measure on, or a source to leave out doesn't occur.
        ModelError: if the shipped detector can't be used.
    """
    finder = yunet_finder(settings.face_finder) if settings.face_finder else live_finder()
    train, val = _read(settings.data, finder), _read(settings.val, finder)
    corrected = {"relabelled": 0, "removed": 0}
    if settings.corrections:
        train, corrected = apply_corrections(train, read_corrections(settings.corrections))
    folders = (*settings.data, *settings.val)
    licences = licences_of(folders, {sample.source for sample in (*train, *val)}, settings.licences)
    data = split_data(train, val, settings.leave_out, corrected, licences)
    if not data.val or len({sample.label for sample in data.train}) < 2:
        raise ConfigError(
            f"data: expected faces of at least two labels and some to measure on, received {count_labels(data.train)} "
            f"and {len(data.val)} to measure on ({len(data.left_out)} left out, {len(data.dropped)} dropped as "
            "near-duplicates of those); add pictures or give --val"
        )
    log = structlog.get_logger()
    log.info("training.data", **{name: count_labels(samples) for name, samples in data.splits.items()})
    return data


def _read(folders: Sequence[Path], finder: FaceFinder) -> list[Sample]:
    return [sample for folder in folders for sample in read_folder(folder, finder)]


def split_data(
    train: Sequence[Sample],
    val: Sequence[Sample],
    leave_out: Sequence[str] = (),
    corrected: dict[str, int] | None = None,
    licences: dict[str, str] | None = None,
) -> Data:
    """Keep sources and near-duplicates apart.

    Args:
        train: faces to learn from.
        val: faces to measure on; empty holds back about `HELD_OUT` of the clusters of `train`.
        leave_out: sources that are neither learned from nor chosen by.
        corrected: passed on.
        licences: passed on.

    Raises:
        ConfigError: if no face is of a source to leave out.
    """
    everything = with_clusters([*train, *val])
    sources = {sample.source for sample in everything}
    if unknown := sorted(set(leave_out) - sources):
        raise ConfigError(f"--leave-out {unknown[0]}: no such source; expected one of {', '.join(sorted(sources))}")
    left_out = [sample for sample in everything if sample.source in leave_out]
    learned = [sample for sample in everything[: len(train)] if sample.source not in leave_out]
    measured = [sample for sample in everything[len(train) :] if sample.source not in leave_out]
    if not val:
        held = _held_clusters(learned)
        measured = [sample for sample in learned if sample.cluster in held]
        learned = [sample for sample in learned if sample.cluster not in held]
    crossing = clusters_of(measured) | clusters_of(left_out)
    dropped = [sample for sample in learned if sample.cluster in crossing]
    if dropped:
        structlog.get_logger().warning(
            "training.near_duplicates_dropped", faces=len(dropped), pictures=len({sample.file for sample in dropped})
        )
    return Data(
        [sample for sample in learned if sample.cluster not in crossing],
        measured,
        left_out,
        dropped,
        corrected or {"relabelled": 0, "removed": 0},
        licences or {},
    )


def _held_clusters(samples: Sequence[Sample]) -> set[int]:
    """Choose the clusters to measure on by their pictures' hashes, so that the choice is the same every time."""
    first: dict[int, str] = {}
    for sample in samples:
        first[sample.cluster] = min(sample.sha256, first.get(sample.cluster, sample.sha256))
    # The last digits: the first ones are small in large clusters, of which the smallest hash was taken.
    return {cluster for cluster, sha256 in first.items() if int(sha256[-8:], 16) < HELD_OUT * 2**32}
