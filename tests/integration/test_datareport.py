from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from tests.support_models import write_class_folders
from training.data import Data, split_data
from training.datalist import COLUMNS, write_data_list
from training.datareport import main, write_data_report
from training.samples import Sample


def sample(name: str, source: str, label: int, look: int, side: float = 40, found: bool = True) -> Sample:
    patch = np.random.default_rng(look).integers(0, 256, (100, 100, 3)).astype(np.uint8)
    box = (30.0, 30.0, 30 + side, 70.0)
    marks = np.full((5, 2), 50, np.float32) if found else None
    hashed = np.random.default_rng(look).bytes(64)
    return Sample(name, source, label, name * 8, box, patch, box, True, marks, box if found else None, -1, hashed)


@pytest.fixture
def data() -> Data:
    train = [
        sample("train/a", "web", 0, 1),
        sample("train/b", "web", 0, 2, side=70, found=False),
        sample("train/c", "old/set", 1, 2),
        sample("train/d", "web", 1, 3),
        sample("train/e", "away", 2, 4),
    ]
    val = [sample("val/f", "web", 0, 3), sample("val/f", "web", 0, 3)]
    return split_data(train, val, ["away"], {"relabelled": 3, "removed": 1}, {"web": "MIT", "old/set": "not stated"})


def test_list_has_a_line_per_picture_and_label_of_every_split(data: Data, tmp_path: Path) -> None:
    write_data_list(tmp_path / "data.csv.gz", data)
    first = (tmp_path / "data.csv.gz").read_bytes()
    with gzip.open(tmp_path / "data.csv.gz", "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["file"], row["split"], row["label"], row["faces"]) for row in rows] == [
        ("train/a", "train", "with_mask", "1"),
        ("train/b", "train", "with_mask", "1"),
        ("train/c", "train", "without_mask", "1"),
        ("train/d", "dropped", "without_mask", "1"),
        ("train/e", "left_out", "incorrect_mask", "1"),
        ("val/f", "val", "with_mask", "2"),
    ]
    assert [row["licence"] for row in rows] == ["MIT", "MIT", "not stated", "MIT", "not stated", "MIT"]
    assert rows[1]["cluster"] == rows[2]["cluster"] != rows[0]["cluster"]
    assert rows[3]["cluster"] == rows[5]["cluster"]
    write_data_list(tmp_path / "data.csv.gz", data)
    assert (tmp_path / "data.csv.gz").read_bytes() == first


def test_report_counts_faces_sizes_and_copies(data: Data, tmp_path: Path) -> None:
    report = write_data_report(tmp_path, data)
    group = next(
        group for group in report.groups if (group.split, group.source, group.label[:6]) == ("train", "web", "with_m")
    )
    assert (group.faces, group.pictures, group.found, group.licence) == (2, 2, 0.5, "MIT")
    assert group.sizes == {"24": 0, "32": 1, "64": 1, "128": 0}
    assert report.copies.model_dump() == {
        "clusters": 2,
        "pictures": 4,
        "largest": 2,
        "across_sources": {"old/set + web": 1},
        "across_labels": 2,
        "dropped": 1,
    }
    assert json.loads((tmp_path / "data.json").read_text()) == report.model_dump(mode="json")
    text = (tmp_path / "data.md").read_text()
    assert "| train | web | MIT | with_mask | 2 | 2 | 50.0% | 0 | 1 | 1 | 0 |" in text
    assert "1 pictures are not learned from" in text
    assert "Labels changed by hand: 3; faces taken out: 1." in text


def test_report_has_a_sheet_for_each_group_and_one_of_copies(data: Data, tmp_path: Path) -> None:
    (tmp_path / "faces-train-gone-with_mask.png").write_bytes(b"old")
    write_data_report(tmp_path, data)
    assert {path.name for path in tmp_path.glob("*.png")} == {
        "faces-train-web-with_mask.png",
        "faces-train-old-set-without_mask.png",
        "faces-dropped-web-without_mask.png",
        "faces-left_out-away-incorrect_mask.png",
        "faces-val-web-with_mask.png",
        "faces-near-duplicates.png",
    }
    sheet = cv2.imread(str(tmp_path / "faces-train-web-with_mask.png"))
    assert sheet is not None
    assert sheet.shape == (96, 192, 3)
    assert (sheet[0, 96] == (0, 0, 255)).all()  # the rim of the face that nobody found
    assert (sheet[0, 0] != (0, 0, 255)).any()


def test_report_is_written_from_folders_alone(tmp_path: Path) -> None:
    folder = write_class_folders(tmp_path / "drawn" / "train", 8)
    val = write_class_folders(tmp_path / "drawn" / "val", 2, seed=1)
    words = ["--data", str(folder), "--val", str(val), "--licence", "drawn=CC0", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert "| val | drawn | CC0 | without_mask | 2 | 2 |" in result.stdout
    assert len(list((tmp_path / "out").glob("faces-*.png"))) == 6


def test_folder_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--data", str(tmp_path / "absent"), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: data folder {tmp_path / 'absent'}: not found")
