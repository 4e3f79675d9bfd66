"""The faces of a run: to learn from and to measure on. They are read before Keras is imported, which takes seconds."""

from __future__ import annotations

import structlog

from maskwatch.errors import ConfigError
from training.facefinder import yunet_finder
from training.samples import Sample, count_labels, read_folder
from training.settings import TrainSettings

__all__ = ["read_data"]

HELD_OUT = 0.15
"""Share of the pictures that is measured on where no validation folder is given."""


def read_data(settings: TrainSettings) -> tuple[list[Sample], list[Sample]]:
    """Read the faces to learn from and those to measure on; holds some back where no folder is given.

    Raises:
        ConfigError: if there is nothing to learn from or to measure on.
    """
    finder = yunet_finder(settings.face_finder) if settings.face_finder else None
    train = [sample for folder in settings.data for sample in read_folder(folder, finder)]
    val = [sample for folder in settings.val for sample in read_folder(folder, finder)]
    if not val:
        # By the picture's hash, so that the faces of one picture, and copies of it, stay on one side.
        held = {sample.sha256 for sample in train if int(sample.sha256[:8], 16) < HELD_OUT * 2**32}
        val = [sample for sample in train if sample.sha256 in held]
        train = [sample for sample in train if sample.sha256 not in held]
    if not val or len({sample.label for sample in train}) < 2:
        raise ConfigError(
            f"data: expected faces of at least two labels and some to measure on, received {count_labels(train)} and "
            f"{len(val)} to measure on; add pictures or give --val"
        )
    log = structlog.get_logger()
    log.info("training.data", train=count_labels(train), val=count_labels(val))
    return train, val
