from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from maskwatch.errors import ConfigError, SourceError
from maskwatch.labelled.unboxed import Unboxed
from maskwatch.types import LABELS, MaskLabel
from training.detector_scenes import Scene, mark_unboxed, no_places, read_scenes, split_scenes


def scene_of(name: str, *boxes: tuple[float, float, float, float]) -> Scene:
    marks = np.full((len(boxes), 5, 2), np.nan, np.float32)
    faces = np.array(boxes, np.float32).reshape(-1, 4)
    return Scene(Path(name), faces, (MaskLabel.WITH_MASK,) * len(boxes), marks)


def write_coco(folder: Path, boxes: list[list[float]]) -> Path:
    (folder / "part").mkdir()
    content = {
        "images": [{"id": 7, "file_name": "b.jpg"}, {"id": 8, "file_name": "a.jpg"}],
        "annotations": [{"image_id": 7, "category_id": 3, "bbox": box} for box in boxes],
        "categories": [{"id": number, "name": label} for number, label in enumerate(LABELS, start=1)],
    }
    (folder / "part.json").write_text(json.dumps(content))
    return folder / "part"


def test_coco_boxes_become_corners_and_pictures_come_by_name(tmp_path: Path) -> None:
    first, second = read_scenes(write_coco(tmp_path, [[10, 20, 30, 40]]))
    assert (first.path.name, second.path.name) == ("a.jpg", "b.jpg")
    assert second.boxes_xyxy.tolist() == [[10, 20, 40, 60]]
    assert second.labels == (MaskLabel.INCORRECT_MASK,)
    assert np.isnan(second.landmarks_xy).all()
    assert first.boxes_xyxy.shape == (0, 4)


def test_missing_data_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="train: not found"):
        read_scenes(tmp_path / "train")


def test_single_faces_are_refused(tmp_path: Path) -> None:
    (tmp_path / "part" / "with_mask").mkdir(parents=True)
    (tmp_path / "part" / "with_mask" / "a.png").write_bytes(b"")
    with pytest.raises(ConfigError, match="expected scenes with boxes"):
        read_scenes(tmp_path / "part")


def test_unreadable_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"one\.png"):
        scene_of(str(tmp_path / "one.png")).read_bgr()


def test_split_is_the_same_every_time_and_whole() -> None:
    scenes = [scene_of(f"{i}.jpg") for i in range(500)]
    kept, held = split_scenes(scenes)
    again, held_again = split_scenes(scenes[::-1])
    assert {one.path for one in held} == {one.path for one in held_again}
    assert len(kept) + len(held) == 500
    assert len(again) == len(kept)
    assert 25 < len(held) < 80


def test_unboxed_faces_are_ignored_doubtful_places_are_background_and_the_rest_are_decoys() -> None:
    unboxed = Unboxed(
        faces={"a.jpg": ((1, 2, 3, 4),)}, doubtful={"a.jpg": ((5, 6, 7, 8),)}, not_faces={"a.jpg": ((50, 50, 60, 60),)}
    )
    known, unknown = scene_of("a.jpg"), scene_of("b.jpg")
    mark_unboxed([known, unknown], [unboxed, Unboxed(faces={"a.jpg": ((9, 9, 12, 12),)})])
    assert known.ignore_xyxy.tolist() == [[1, 2, 3, 4], [9, 9, 12, 12]]
    assert known.decoys_xyxy.tolist() == [[50, 50, 60, 60]]
    assert unknown.ignore_xyxy.shape == unknown.decoys_xyxy.shape == no_places().shape


def test_decoy_on_a_labelled_face_is_left_out() -> None:
    scene = scene_of("a.jpg", (20, 20, 80, 80))
    mark_unboxed([scene], [Unboxed(not_faces={"a.jpg": ((10, 10, 30, 30), (100, 10, 130, 40))})])
    assert scene.decoys_xyxy.tolist() == [[100, 10, 130, 40]]
