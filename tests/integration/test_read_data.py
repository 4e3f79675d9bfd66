from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from maskwatch.errors import ConfigError
from tests.support_models import drawn_face, write_class_folders
from training.data import read_data
from training.samples import count_labels, read_folder
from training.settings import TrainSettings


def settings(tmp_path: Path, **options: object) -> TrainSettings:
    return TrainSettings.model_validate({"val": (), "out": tmp_path / "out", **options})


def test_corrections_change_what_is_learned_and_not_what_is_measured(tmp_path: Path) -> None:
    train = write_class_folders(tmp_path / "train", 3)
    val = write_class_folders(tmp_path / "val", 1, seed=1)
    corrections = {
        "train/with_mask/0.png": [{"box": None, "label": "incorrect_mask"}],
        "train/with_mask/1.png": [{"box": None, "label": None}],
        "val/with_mask/0.png": [{"box": None, "label": None}],
    }
    (tmp_path / "labels.json").write_text(json.dumps(corrections))
    data = read_data(settings(tmp_path, data=(train,), val=(val,), corrections=tmp_path / "labels.json"))
    assert count_labels(data.train) == {"with_mask": 1, "without_mask": 3, "incorrect_mask": 4}
    assert count_labels(data.val) == {"with_mask": 1, "without_mask": 1, "incorrect_mask": 1}
    assert data.corrected == {"relabelled": 1, "removed": 1}


def test_copy_of_a_measured_picture_is_dropped_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = write_class_folders(tmp_path / "train", 2)
    val = write_class_folders(tmp_path / "val", 1, seed=1)
    copied = cv2.imread(str(val / "with_mask" / "0.png"))
    assert copied is not None
    cv2.imwrite(str(train / "with_mask" / "copy.jpg"), copied[:, ::-1])
    data = read_data(settings(tmp_path, data=(train,), val=(val,)))
    assert [sample.file for sample in data.dropped] == ["train/with_mask/copy.jpg"]
    assert len(data.train) == 6
    assert "near_duplicates_dropped" in capsys.readouterr().out


def test_data_without_anything_to_measure_on_is_an_error(tmp_path: Path) -> None:
    folder = write_class_folders(tmp_path / "train", 1)
    with pytest.raises(ConfigError, match="expected faces of at least two labels and some to measure on"):
        read_data(settings(tmp_path, data=(folder,), val=(folder,)))


def test_pascal_voc_scenes_are_read(tmp_path: Path) -> None:
    for name in ("images", "annotations"):
        (tmp_path / "set" / name).mkdir(parents=True)
    scene = np.zeros((100, 200, 3), np.uint8)
    scene[14:86, 64:136] = drawn_face("incorrect_mask", np.random.default_rng(0))
    cv2.imwrite(str(tmp_path / "set" / "images" / "maks7.png"), scene)
    box = "<xmin>77</xmin><ymin>19</ymin><xmax>124</xmax><ymax>82</ymax>"
    (tmp_path / "set" / "annotations" / "maks7.xml").write_text(
        "<annotation><filename>maks7.png</filename>"
        f"<object><name>mask_weared_incorrect</name><bndbox>{box}</bndbox></object></annotation>"
    )
    (sample,) = read_folder(tmp_path / "set")
    assert (sample.file, sample.source, sample.label) == ("set/images/maks7.png", "set", 2)
    assert sample.box_xyxy == pytest.approx((76, 18, 124, 82))
    assert not sample.single
