from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from skimage import data

from maskwatch.errors import ConfigError, MaskwatchError
from workers.evaluate_verb import EvaluateRequest, run_evaluate

FACE = [172, 62, 106, 132]  # of the astronaut, left, top, width, height
LABEL_NAMES = ("with_mask", "without_mask", "incorrect_mask")


def request(tmp_path: Path, **given: Any) -> EvaluateRequest:
    asked: dict[str, Any] = {
        "scenes": None, "images": None, "faces": None, "unboxed": None, "profile": "accurate",
        "detector": "maskwatch", "classifier": "maskwatch-mask", "engine": "litert", "models": tmp_path / "models",
        "iou": 0.35, "cases": None, "as_json": True,
    }  # fmt: skip
    return EvaluateRequest(**(asked | given))


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Two pictures: the astronaut, and nobody."""
    images = tmp_path / "scenes"
    images.mkdir()
    cv2.imwrite(str(images / "nasa_astronaut.png"), data.astronaut()[..., ::-1])  # type: ignore[no-untyped-call]
    cv2.imwrite(str(images / "room_empty.png"), np.full((300, 400, 3), 90, np.uint8))
    return write_coco(tmp_path / "scenes.json", {"nasa_astronaut.png": [("without_mask", FACE)], "room_empty.png": []})


def write_coco(path: Path, faces: dict[str, list[tuple[str, list[int]]]]) -> Path:
    content = {
        "images": [{"id": at, "file_name": name} for at, name in enumerate(faces)],
        "annotations": [
            {"image_id": at, "category_id": LABEL_NAMES.index(label), "bbox": box}
            for at, boxes in enumerate(faces.values())
            for label, box in boxes
        ],
        "categories": [{"id": at, "name": name} for at, name in enumerate(LABEL_NAMES)],
    }
    path.write_text(json.dumps(content))
    return path


def figures_in(said: Any) -> list[dict[str, Any]]:
    """Collect every figure of the object."""
    if isinstance(said, dict):
        if "value" in said:
            return [said]
        return [one for part in said.values() for one in figures_in(part)]
    return []


def test_scenes_give_one_object_with_every_figure(
    tmp_path: Path, scenes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_evaluate(request(tmp_path, scenes=scenes)) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["profile"] == "accurate"
    assert said["pictures"] == 2
    assert set(said["detection"]["recall"]) == set(LABEL_NAMES)
    assert said["detection"]["recall"]["without_mask"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 1}
    assert said["detection"]["recall"]["with_mask"]["value"] is None
    assert said["detection"]["false_positives_per_image"]["value"] == 0
    assert said["detection"]["precision"]["value"] == said["detection"]["ap50"]["value"] == 1
    assert said["detection"]["under_24_px"]["faces"] == 0
    told = said["classification"]
    assert {"accuracy", "balanced_accuracy", "two_class_accuracy", "ece", "coverage", "accuracy_covered"} < set(told)
    assert told["two_class_accuracy"]["value"] == 1
    assert sum(map(sum, told["confusion"])) == 1
    assert said["end_to_end"]["f1"]["without_mask"]["value"] == 1
    assert list(said["by_source"]) == ["nasa", "room"]
    assert said["by_face_size"]["from_96"]["detection"]["recall"]["without_mask"]["n"] == 1
    assert all(set(one) == {"value", "low", "high", "n"} for one in figures_in(said))


def test_without_json_a_person_can_read_it(tmp_path: Path, scenes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_evaluate(request(tmp_path, scenes=scenes, as_json=False, profile="fast")) == 0
    printed = capsys.readouterr().out
    assert "recall without_mask                         1.000 [1.000, 1.000]    n 1" in printed
    assert "by face size, px" in printed


def test_a_face_that_nobody_boxed_can_be_taken_out(
    tmp_path: Path, scenes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_coco(scenes, {"nasa_astronaut.png": [], "room_empty.png": [("with_mask", [10, 10, 60, 60])]})
    left, top, width, height = FACE
    listed = tmp_path / "unboxed.json"
    listed.write_text(json.dumps({"nasa_astronaut.png": [[left, top, left + width, top + height]]}))
    assert run_evaluate(request(tmp_path, scenes=scenes, unboxed=listed)) == 0
    said = json.loads(capsys.readouterr().out)["detection"]
    assert said["false_positives_per_image"]["value"] == 0.5
    assert said["false_positives_per_image_unboxed_removed"]["value"] == 0
    assert said["recall"]["with_mask"]["value"] == 0


def test_what_went_wrong_can_be_looked_at(tmp_path: Path, scenes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left, top, _, height = FACE
    write_coco(
        scenes,
        {"nasa_astronaut.png": [("with_mask", FACE)], "room_empty.png": [("without_mask", [10, 10, 60, 60])]},
    )
    out = tmp_path / "wrong" / "cases"
    assert run_evaluate(request(tmp_path, scenes=scenes, cases=out)) == 0
    with (out / "cases.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert ("mislabelled", "nasa_astronaut.png", "with_mask", "without_mask") in {
        (row["kind"], row["picture"], row["label"], row["said"]) for row in rows
    }
    assert ("missed", "room_empty.png", "without_mask") in {(row["kind"], row["picture"], row["label"]) for row in rows}
    sheet = cv2.imread(str(out / "missed-1.png"))
    assert sheet is not None
    assert sheet.shape == (160, 160, 3)
    write_coco(scenes, {"nasa_astronaut.png": [], "room_empty.png": []})
    assert run_evaluate(request(tmp_path, scenes=scenes, cases=out)) == 0
    with (out / "cases.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["kind"], row["label"], row["unboxed"]) == ("false", "", "False")
    assert abs(float(row["left"]) - left) < 20
    assert abs(float(row["bottom"]) - top - height) < 30
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"--cases .*can't be written"):
        run_evaluate(request(tmp_path, scenes=scenes, cases=tmp_path / "file" / "cases"))


def test_class_folders_measure_the_classifier(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "nasa" / "without_mask"
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "astronaut.png"), data.astronaut()[:250, 100:350, ::-1])  # type: ignore[no-untyped-call]
    assert run_evaluate(request(tmp_path, faces=tmp_path / "nasa")) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["faces_found"] == 1
    assert said["classification"]["recall"]["without_mask"]["value"] == 1
    assert said["by_source"]["nasa"]["faces"] == 1
    assert "detection" not in said
    assert run_evaluate(request(tmp_path, faces=tmp_path / "nasa", as_json=False)) == 0
    assert "1 pictures of one face, 1 found by the detector" in capsys.readouterr().out


def test_a_damaged_picture_is_told_and_left_out(
    tmp_path: Path, scenes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scenes" / "room_empty.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    assert run_evaluate(request(tmp_path, scenes=scenes)) == 1
    printed = capsys.readouterr()
    assert "room_empty.png" in printed.err
    said = json.loads(printed.out)
    assert (said["pictures"], said["damaged_pictures"]) == (1, 1)


def test_nothing_but_damaged_pictures_is_an_error(tmp_path: Path, scenes: Path) -> None:
    for path in (tmp_path / "scenes").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(MaskwatchError, match="none of the 2 pictures can be read"):
        run_evaluate(request(tmp_path, scenes=scenes))


def test_missing_pictures_are_counted_and_the_first_is_named(tmp_path: Path, scenes: Path) -> None:
    (tmp_path / "scenes" / "room_empty.png").unlink()
    with pytest.raises(ConfigError, match=r"1 of 2 are missing, the first is .*room_empty\.png"):
        run_evaluate(request(tmp_path, scenes=scenes))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "expected either --scenes FILE.json or --faces DIR"),
        ({"faces": Path("somewhere")}, "expected either --scenes FILE.json or --faces DIR"),
        ({"scenes": None, "faces": Path("f"), "cases": Path("c")}, "belong to --scenes"),
        ({"profile": "fats"}, "--profile fats: unknown; .*did you mean fast"),
        ({"detector": "harr"}, "--detector harr: unknown; .*did you mean haar"),
        ({"classifier": "maskwatch-face"}, "--classifier maskwatch-face: unknown; .*did you mean maskwatch-mask"),
        ({"scenes": Path("nowhere.json")}, "--scenes nowhere.json: no such file"),
    ],
)
def test_a_wrong_command_line_is_explained(tmp_path: Path, scenes: Path, given: dict[str, Any], message: str) -> None:
    asked = given if not given else {"scenes": scenes} | given
    with pytest.raises(ConfigError, match=message):
        run_evaluate(request(tmp_path, **asked))


def test_json_that_is_not_coco_is_refused(tmp_path: Path, scenes: Path) -> None:
    scenes.write_text('{"pictures": []}')
    with pytest.raises(ConfigError, match="expected a COCO detection file"):
        run_evaluate(request(tmp_path, scenes=scenes))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2]", "expected JSON of a picture's name to its faces"),
        ('{"nasa_astronaut.png": [[1, 2, 3]]}', "expected JSON of a picture's name to its faces"),
        ('{"other.png": [[1, 2, 3, 4]]}', "names none of the 2 pictures"),
    ],
)
def test_a_list_of_other_faces_is_refused(tmp_path: Path, scenes: Path, content: str, message: str) -> None:
    listed = tmp_path / "unboxed.json"
    listed.write_text(content)
    with pytest.raises(ConfigError, match=message):
        run_evaluate(request(tmp_path, scenes=scenes, unboxed=listed))


def test_a_few_real_scenes_are_measured_well(tmp_path: Path, shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coco = json.loads((shared / "data/scenes/val.json").read_text())
    coco["images"] = coco["images"][::28]
    kept = {image["id"] for image in coco["images"]}
    coco["annotations"] = [one for one in coco["annotations"] if one["image_id"] in kept]
    listed = tmp_path / "some.json"
    listed.write_text(json.dumps(coco))
    assert run_evaluate(request(tmp_path, scenes=listed, images=shared / "data/scenes/val")) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["pictures"] == 15
    assert said["detection"]["ap50"]["value"] > 0.8
    assert said["detection"]["false_positives_per_image"]["value"] < 1
    assert said["classification"]["two_class_accuracy"]["value"] > 0.9
    assert said["end_to_end"]["f1"]["with_mask"]["value"] > 0.7
