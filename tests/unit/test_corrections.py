"""Corrections of labels that were looked at by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from maskwatch.errors import ConfigError
from maskwatch.types import LABELS, MaskLabel
from tests.support import ROOT
from training.corrections import apply_corrections, read_corrections
from training.samples import Sample


def sample(file: str, box: tuple[float, float, float, float], single: bool = False) -> Sample:
    return Sample(file, "here", 0, "0" * 64, box, np.zeros((8, 8, 3), np.uint8), (1, 1, 7, 7), single)


def written(folder: Path, content: object) -> Path:
    path = folder / "labels.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_one_face_of_a_picture_is_relabelled_and_another_removed(tmp_path: Path) -> None:
    samples = [sample("train/a.jpg", box) for box in ((10.2, 10, 50, 50), (60, 10, 99, 50), (10, 60, 50, 99))]
    path = written(
        tmp_path,
        {
            "train/a.jpg": [
                {"box": [10, 10, 50, 50], "label": "incorrect_mask"},
                {"box": [60, 10, 99, 50], "label": None},
            ]
        },
    )
    kept, counts = apply_corrections(samples, read_corrections(path))
    assert [LABELS[one.label] for one in kept] == [MaskLabel.INCORRECT_MASK, MaskLabel.WITH_MASK]
    assert counts == {"relabelled": 1, "removed": 1}


def test_correction_without_a_box_is_about_pictures_of_one_face(tmp_path: Path) -> None:
    samples = [sample("train/a.jpg", (0, 0, 9, 9), single) for single in (True, False)]
    path = written(tmp_path, {"train/a.jpg": [{"box": None, "label": "without_mask"}]})
    kept, _ = apply_corrections(samples, read_corrections(path))
    assert [LABELS[one.label] for one in kept] == [MaskLabel.WITHOUT_MASK, MaskLabel.WITH_MASK]


def test_face_elsewhere_and_other_pictures_stay_as_they_are(tmp_path: Path) -> None:
    samples = [sample("train/a.jpg", (10, 10, 50, 50)), sample("train/b.jpg", (10, 10, 50, 50))]
    path = written(tmp_path, {"train/a.jpg": [{"box": [30, 30, 70, 70], "label": None}]})
    assert apply_corrections(samples, read_corrections(path)) == (samples, {"relabelled": 0, "removed": 0})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[", "JSON"),
        ({"a.jpg": []}, "a.jpg"),
        ({"a.jpg": [{"box": [1, 2, 3], "label": None}]}, "box"),
        ({"a.jpg": [{"box": None, "label": "masked"}]}, "label"),
        ({"a.jpg": [{"label": "with_mask"}]}, "box"),
    ],
)
def test_file_of_another_form_is_refused_with_its_place(tmp_path: Path, content: object, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_corrections(written(tmp_path, content))


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        read_corrections(tmp_path / "labels.json")


def test_shipped_file_can_be_read() -> None:
    assert len(read_corrections(ROOT / "training" / "curated" / "labels.json")) > 40
