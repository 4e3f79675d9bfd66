from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from maskwatch.arrays import UInt8Array
from maskwatch.errors import ConfigError, SourceError, SourceUnsupported
from maskwatch.types import Detection
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


def detection(*box: float) -> Detection:
    left, top, right, bottom = box
    points = ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8))
    marks = tuple((left + x * (right - left), top + y * (bottom - top)) for x, y in points)
    return Detection((left, top, right, bottom), 0.9, marks)


def test_found_box_and_landmarks_are_those_of_the_labelled_face(tmp_path: Path) -> None:
    folder = write_scene(tmp_path, [box(30, 20, 40, 40), box(120, 30, 30, 40, 3)])
    found = (detection(150, 60, 190, 100), detection(28, 22, 66, 64))
    first, second = read_folder(folder, lambda pictures: [found] * len(pictures))
    assert first.box_xyxy == pytest.approx((30, 20, 70, 60))
    assert first.found_box is not None
    shift = np.array(first.box_xyxy) - first.patch_box
    assert np.array(first.found_box) + shift == pytest.approx([28, 22, 66, 64])
    assert first.landmarks_xy is not None
    assert first.landmarks_xy.dtype == np.float32
    assert first.landmarks_xy + shift[:2] == pytest.approx(np.array(found[1].landmarks_xy))
    assert (second.found_box, second.landmarks_xy) == (None, None)


def test_faces_of_a_large_picture_shrink_together_with_their_marks(tmp_path: Path) -> None:
    (tmp_path / "with_mask").mkdir()
    cv2.imwrite(str(tmp_path / "with_mask" / "a.png"), np.zeros((960, 960, 3), np.uint8))
    (sample,) = read_folder(tmp_path, lambda _: [(detection(10, 10, 40, 40), detection(160, 160, 800, 800))])
    assert sample.patch_bgr.shape == (320, 320, 3)
    assert sample.found_box == pytest.approx(sample.patch_box)
    assert sample.patch_box == pytest.approx((160 / 3, 160 / 3, 800 / 3, 800 / 3), abs=0.1)
    assert sample.landmarks_xy is not None
    assert sample.landmarks_xy[2] == pytest.approx([160, (160 + 384) / 3], abs=0.1)


def test_finder_says_where_the_face_of_a_single_picture_is(tmp_path: Path) -> None:
    (tmp_path / "with_mask").mkdir()
    cv2.imwrite(str(tmp_path / "with_mask" / "a.png"), np.zeros((80, 60, 3), np.uint8))
    assert read_folder(tmp_path, lambda _: [(detection(1, 2, 31, 42),)])[0].box_xyxy == (1.0, 2.0, 31.0, 42.0)
    missed = read_folder(tmp_path, lambda _: [()])[0]
    assert missed.box_xyxy == pytest.approx((4.5, 14.5, 55.5, 65.5))
    assert missed.found_box is None


def test_small_face_in_a_single_picture_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "with_mask").mkdir()
    for name in ("far", "near"):
        cv2.imwrite(str(tmp_path / "with_mask" / f"{name}.png"), np.zeros((100, 100, 3), np.uint8))
    found = [(detection(40, 20, 60, 43),), (detection(40, 20, 60, 44),)]
    assert [sample.file for sample in read_folder(tmp_path, lambda _: found)] == [f"{tmp_path.name}/with_mask/near.png"]


def test_finder_is_asked_in_batches_and_each_picture_gets_its_answer(tmp_path: Path) -> None:
    (tmp_path / "with_mask").mkdir()
    for number in range(20):
        cv2.imwrite(str(tmp_path / "with_mask" / f"{number:02}.png"), np.full((80, 80, 3), number, np.uint8))
    sizes: list[int] = []

    def finder(pictures: Sequence[UInt8Array]) -> list[tuple[Detection, ...]]:
        sizes.append(len(pictures))
        return [(detection(0, 0, 40 + float(picture[0, 0, 0]), 40),) for picture in pictures]

    samples = read_folder(tmp_path, finder)
    assert sizes == [16, 4]
    assert [sample.box_xyxy[2] for sample in samples] == [40 + number for number in range(20)]


def test_box_outside_its_picture_is_left_out(tmp_path: Path) -> None:
    samples = read_folder(write_scene(tmp_path, [box(30, 20, 40, 40), box(300, 30, 30, 40)]))
    assert len(samples) == 1


def test_picture_that_is_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(SourceUnsupported, match="not a picture known here"):
        read_picture(tmp_path / "a.jpg")
    with pytest.raises(SourceError, match="can't be read"):
        read_picture(tmp_path / "missing.jpg")


def test_picture_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (60_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
    (tmp_path / "bomb.png").write_bytes(header)
    with pytest.raises(SourceUnsupported, match="60000x60000 pixels are too many"):
        read_picture(tmp_path / "bomb.png")
