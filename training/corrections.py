"""Labels that were looked at by hand and found wrong: a file of them is applied while data is read for training.

Only training data is corrected. What a model is measured on stays as its authors labelled it, so that figures can be
compared; docs/accuracy.md says how many of the mistakes that are left are mistakes of the label.

The file is JSON: the picture's name as `training.samples.Sample.file` has it, and a list of
`{"box": [left, top, right, bottom] or null, "label": one of the labels or null}`. A box of null is the only face of a
picture; a label of null takes the face out. `training/curated/labels.json` holds those of the public sets that the
shipped classifier was trained on: the faces that version 1.0.0 disagreed with were looked at one by one, and left
unless the picture is clear.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from maskwatch.errors import ConfigError
from maskwatch.files import read_file
from maskwatch.types import LABELS, MaskLabel
from maskwatch.validation import first_error
from models.scores import overlaps
from training.samples import Sample

__all__ = ["Correction", "apply_corrections", "read_corrections"]

MOST_BYTES = 16 << 20
"""A correction takes 80 bytes."""

_SAME_OVERLAP = 0.8
"""Intersection over union from which a box of the file is a face's box: the file's are rounded to pixels."""


class Correction(BaseModel):
    """What one face should have been labelled.

    Attributes:
        box: left, top, right, bottom in pixels of the picture, or None for a picture of one face.
        label: the right label, or None when the face should not be learned from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    box: tuple[float, float, float, float] | None
    label: MaskLabel | None


class _File(RootModel[dict[str, Annotated[list[Correction], Field(min_length=1)]]]):
    """The whole file: corrections by picture."""


def read_corrections(path: Path) -> dict[str, list[Correction]]:
    """Read a file of corrections.

    Raises:
        ConfigError: if it can't be read or has another form.
    """
    content = read_file(path, MOST_BYTES, "give another --corrections", what="corrections")
    try:
        return _File.model_validate_json(content).root
    except ValidationError as error:
        expected = json.dumps({"train/a.jpg": [{"box": [10, 20, 50, 70], "label": "incorrect_mask"}]})
        raise ConfigError(f"corrections {path}: {first_error(error)}; expected e.g. {expected}") from error


def apply_corrections(
    samples: Sequence[Sample], corrections: dict[str, list[Correction]]
) -> tuple[list[Sample], dict[str, int]]:
    """Correct labels and take out faces.

    Args:
        samples: as read.
        corrections: by picture; those of other pictures are passed over, so that one file serves several data sets.

    Returns:
        The samples that are left, in the same order, and how many were `relabelled` and `removed`.
    """
    kept: list[Sample] = []
    counts = {"relabelled": 0, "removed": 0}
    for sample in samples:
        found = next((one for one in corrections.get(sample.file, ()) if _is_of(one, sample)), None)
        if found is None:
            kept.append(sample)
        elif found.label is None:
            counts["removed"] += 1
        else:
            counts["relabelled"] += 1
            kept.append(replace(sample, label=LABELS.index(found.label)))
    return kept, counts


def _is_of(correction: Correction, sample: Sample) -> bool:
    """Tell whether a correction is about this face."""
    if correction.box is None:
        return sample.single
    one, other = (np.array([box], np.float32) for box in (correction.box, sample.box_xyxy))
    return bool(overlaps(one, other)[0, 0] >= _SAME_OVERLAP)
