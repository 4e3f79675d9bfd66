from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from maskwatch.errors import ConfigError, DecodeError
from training.samples import count_labels, read_folder, read_picture

CATEGORIES = [{"id": 1, "name": "with_mask"}, {"id": 2, "name": "without_mask"}, {"id": 3, "name": "incorrect_mask"}]


def write_scene(root: Path, annotations: list[dict[str, Any]], categories: Any = CATEGORIES) -> Path:
    """Write a folder with one 200x100 scene and its COCO file beside it."""
    folder = root / "train"
    folder.mkdir()
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[20:60, 30:70] = 255
    cv2.imwrite(str(folder / "web_1.png"), picture)
    coco = {"images": [{"id": 5, "file_name": "web_1.png"}], "annotations": annotations, "categories": categories}
    (root / "train.json").write_text(json.dumps(coco))
    return folder


def box(x: float, y: float, w: float, h: float, category: int = 1) -> dict[str, Any]:
    return {"image_id": 5, "category_id": category, "bbox": [x, y, w, h]}


def test_scene_gives_one_sample_per_box_with_its_source(tmp_path: Path) -> None:
    samples = read_folder(write_scene(tmp_path, [box(30, 20, 40, 40), box(120, 30, 30, 40, 3)]))
    assert [(sample.file, sample.source, sample.label, sample.single) for sample in samples] == [
        ("train/web_1.png", "web", 0, False),
        ("train/web_1.png", "web", 2, False),
    ]
    assert count_labels(samples) == {"with_mask": 1, "without_mask": 0, "incorrect_mask": 1}


def test_surroundings_hold_the_face_where_the_patch_box_says(tmp_path: Path) -> None:
    sample = read_folder(write_scene(tmp_path, [box(30, 20, 40, 40)]))[0]
    left, top, right, bottom = map(round, sample.patch_box)
    assert (sample.patch_bgr[top:bottom, left:right] == 255).all()
    assert sample.patch_bgr.shape[0] < 100


def test_faces_under_the_smallest_size_are_left_out(tmp_path: Path) -> None:
    samples = read_folder(write_scene(tmp_path, [box(30, 20, 40, 40), box(10, 10, 20, 23), box(10, 10, 0, 40)]))
    assert len(samples) == 1


def test_scenes_without_a_usable_face_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least 24 px, received none"):
        read_folder(write_scene(tmp_path, [box(10, 10, 5, 5)]))


def test_unknown_category_is_an_error_that_names_the_known_ones(tmp_path: Path) -> None:
    folder = write_scene(tmp_path, [box(30, 20, 40, 40)], [{"id": 1, "name": "masked"}])
    with pytest.raises(ConfigError, match=r"categories\.0\.name.*with_mask, without_mask, incorrect_mask"):
        read_folder(folder)


def test_box_of_an_undefined_category_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="category_id 9"):
        read_folder(write_scene(tmp_path, [box(30, 20, 40, 40, 9)]))


def test_file_name_that_leaves_the_folder_is_an_error(tmp_path: Path) -> None:
    folder = write_scene(tmp_path, [box(30, 20, 40, 40)])
    coco = (tmp_path / "train.json").read_text().replace("web_1.png", "../web_1.png")
    (tmp_path / "train.json").write_text(coco)
    with pytest.raises(ConfigError, match=r"images\.0\.file_name"):
        read_folder(folder)


def test_coco_file_that_is_not_json_is_an_error(tmp_path: Path) -> None:
    folder = write_scene(tmp_path, [])
    (tmp_path / "train.json").write_text("{oops")
    with pytest.raises(ConfigError, match="not JSON"):
        read_folder(folder)


def test_unreadable_picture_is_left_out_and_the_rest_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "faces" / "train"
    (folder / "with_mask").mkdir(parents=True)
    cv2.imwrite(str(folder / "with_mask" / "good.png"), np.zeros((50, 40, 3), np.uint8))
    (folder / "with_mask" / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut")
    (folder / "with_mask" / "empty.jpg").write_bytes(b"")
    samples = read_folder(folder)
    assert [(sample.file, sample.source, sample.single) for sample in samples] == [
        ("train/with_mask/good.png", "faces", True)
    ]


def test_finder_says_where_the_face_of_a_single_picture_is(tmp_path: Path) -> None:
    (tmp_path / "with_mask").mkdir()
    cv2.imwrite(str(tmp_path / "with_mask" / "a.png"), np.zeros((80, 60, 3), np.uint8))
    assert read_folder(tmp_path, lambda _: (1.0, 2.0, 31.0, 42.0))[0].box_xyxy == (1.0, 2.0, 31.0, 42.0)
    middle = read_folder(tmp_path, lambda _: None)[0].box_xyxy
    assert middle == pytest.approx((4.5, 14.5, 55.5, 65.5))


def test_picture_that_is_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(DecodeError, match="10 bytes that are no picture"):
        read_picture(tmp_path / "a.jpg")
    with pytest.raises(DecodeError, match="can't be read"):
        read_picture(tmp_path / "missing.jpg")
