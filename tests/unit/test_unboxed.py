from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from maskwatch.errors import ConfigError
from training.detector_data import Scene
from training.unboxed import add_unboxed, read_unboxed

LISTS = Path(__file__).parents[2] / "training" / "curated"
EMPTY: dict[str, dict[str, list[list[float]]]] = {"faces": {}, "doubtful": {}, "not_faces": {}}


def scene_of(name: str, boxes: list[list[float]]) -> Scene:
    marks = np.full((len(boxes), 5, 2), np.nan, np.float32)
    faces = np.array(boxes, np.float32).reshape(-1, 4)
    return Scene(Path(name), faces, (1,) * len(boxes), marks, np.zeros((0, 4), np.float32))


def test_faces_are_ignored_doubtful_places_are_background_and_the_rest_are_decoys(tmp_path: Path) -> None:
    content = {
        "faces": {"a.jpg": [[1, 2, 3, 4]]},
        "doubtful": {"a.jpg": [[5, 6, 7, 8]]},
        "not_faces": {"a.jpg": [[50, 50, 60, 60]]},
    }
    (tmp_path / "list.json").write_text(json.dumps(content))
    known, unknown = scene_of("a.jpg", []), scene_of("b.jpg", [])
    add_unboxed([known, unknown], read_unboxed(tmp_path / "list.json"))
    assert known.ignore_xyxy.tolist() == [[1, 2, 3, 4]]
    assert known.decoys_xyxy.tolist() == [[50, 50, 60, 60]]
    assert unknown.ignore_xyxy.shape == unknown.decoys_xyxy.shape == (0, 4)


def test_decoy_on_a_labelled_face_is_left_out(tmp_path: Path) -> None:
    content = {**EMPTY, "not_faces": {"a.jpg": [[10, 10, 30, 30], [100, 10, 130, 40]]}}
    (tmp_path / "list.json").write_text(json.dumps(content))
    scene = scene_of("a.jpg", [[20, 20, 80, 80]])
    add_unboxed([scene], read_unboxed(tmp_path / "list.json"))
    assert scene.decoys_xyxy.tolist() == [[100, 10, 130, 40]]


@pytest.mark.parametrize("content", [b"no json", b'{"faces": {}}', b'{"a.jpg": [1, 2]}', b"[]"])
def test_list_of_another_form_is_refused(tmp_path: Path, content: bytes) -> None:
    for name, data in (("list.json", content), ("list.json.gz", gzip.compress(content)), ("bad.json.gz", b"\x1f\x8b")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ConfigError, match="not_faces"):
            read_unboxed(tmp_path / name)


def test_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="absent"):
        read_unboxed(tmp_path / "absent.json.gz")


def test_list_of_the_public_scenes_holds_together() -> None:
    unboxed = read_unboxed(LISTS / "unboxed-train.json.gz")
    sizes = [sum(map(len, group.values())) for group in (unboxed.faces, unboxed.doubtful, unboxed.not_faces)]
    assert sizes == [445, 536, 350]
    boxes = np.concatenate([*unboxed.faces.values(), *unboxed.doubtful.values(), *unboxed.not_faces.values()])
    assert (boxes[:, 2:] > boxes[:, :2]).all()


def test_list_of_faces_alone_joins_the_other() -> None:
    unboxed = read_unboxed(LISTS / "unboxed-train.json.gz", LISTS / "unboxed-val.json")
    assert sum(map(len, unboxed.faces.values())) == 445 + 119
    assert sum(map(len, unboxed.not_faces.values())) == 350
