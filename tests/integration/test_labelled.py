from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from maskwatch.errors import ConfigError
from maskwatch.labelled import LabelledFace, read_labelled
from maskwatch.types import MaskLabel
from tests.support import shared_path

CATEGORIES = [{"id": 1, "name": "with_mask"}, {"id": 2, "name": "without_mask"}, {"id": 3, "name": "incorrect_mask"}]
IMAGES = [{"id": 5, "file_name": "web_1.png"}]


def write_coco(root: Path, annotations: Any = (), images: Any = IMAGES, categories: Any = CATEGORIES) -> Path:
    folder = root / "train"
    folder.mkdir(exist_ok=True)
    content = {"images": images, "annotations": list(annotations), "categories": categories}
    (root / "train.json").write_text(json.dumps(content))
    return folder


def annotation(bbox: Any, category: int = 1, image: int = 5) -> dict[str, Any]:
    return {"image_id": image, "category_id": category, "bbox": bbox}


def voc(objects: str = "", filename: str = "maks0.png") -> str:
    return f"<annotation><folder>images</folder><filename>{filename}</filename>{objects}</annotation>"


def voc_object(name: str = "with_mask", box: tuple[Any, Any, Any, Any] = (11, 21, 40, 60)) -> str:
    sides = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    return f"<object><name>{name}</name><bndbox>{''.join(f'<{s}>{v}</{s}>' for s, v in sides)}</bndbox></object>"


def write_voc(root: Path, content: str | bytes, below: str = "annotations", pictures: str = "images") -> Path:
    folder = root / "archive"
    (folder / below).mkdir(parents=True, exist_ok=True)
    (folder / pictures).mkdir(parents=True, exist_ok=True)
    (folder / below / "maks0.xml").write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def test_coco_scene_has_its_boxes_as_corners(tmp_path: Path) -> None:
    folder = write_coco(tmp_path, [annotation([30, 20, 40, 50]), annotation([1, 2, 3, 4], 3)])
    (picture,) = read_labelled(folder)
    assert (picture.path, picture.name, picture.source, picture.single) == (
        folder / "web_1.png",
        "train/web_1.png",
        "web",
        False,
    )
    assert picture.faces == (
        LabelledFace((30, 20, 70, 70), MaskLabel.WITH_MASK),
        LabelledFace((1, 2, 4, 6), MaskLabel.INCORRECT_MASK),
    )


def test_coco_file_may_lie_inside_the_folder_or_be_given(tmp_path: Path) -> None:
    folder = write_coco(tmp_path)
    inside = (tmp_path / "train.json").rename(folder / "annotations.json")
    assert read_labelled(folder)[0].faces == ()
    given = inside.rename(tmp_path / "other.json")
    assert read_labelled(folder, given)[0].name == "train/web_1.png"


def test_coco_boxes_without_area_or_picture_are_left_out(tmp_path: Path) -> None:
    boxes = [annotation([1, 1, 0, 9]), annotation([1, 1, 9, -2]), annotation([1, 1, 9, 9], image=6)]
    assert read_labelled(write_coco(tmp_path, boxes))[0].faces == ()


@pytest.mark.parametrize("name", ["../web_1.png", "/etc/passwd", "a\\b.png", "", "a/../../b.png", "c:b.png"])
def test_coco_picture_outside_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"images\.0\.file_name.*inside its folder"):
        read_labelled(write_coco(tmp_path, images=[{"id": 5, "file_name": name}]))


def test_coco_category_of_another_name_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    folder = write_coco(tmp_path, categories=[{"id": 1, "name": "masked"}])
    with pytest.raises(ConfigError, match=r"categories\.0\.name.*with_mask, without_mask, incorrect_mask.*'masked'"):
        read_labelled(folder)


def test_coco_box_of_an_undefined_category_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"annotations\.0 has category_id 9.*\[1, 2, 3\]"):
        read_labelled(write_coco(tmp_path, [annotation([1, 1, 9, 9], 9)]))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{oops", "not JSON"),
        ("[" * 200_000, "not JSON"),
        ('{"images": [{"name": "a"}], "annotations": [], "categories": []}', r"images\.0\.id"),
        (
            '{"images": [], "annotations": [{"image_id": 1, "category_id": 1, "bbox": [NaN, 1, 2, 3]}],'
            ' "categories": []}',
            r"annotations\.0\.bbox\.0.*finite",
        ),
    ],
)
def test_coco_file_of_another_form_says_where(tmp_path: Path, content: str, says: str) -> None:
    folder = write_coco(tmp_path)
    (tmp_path / "train.json").write_text(content)
    with pytest.raises(ConfigError, match=says):
        read_labelled(folder)


def test_missing_coco_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.json: can't be read"):
        read_labelled(write_coco(tmp_path), tmp_path / "gone.json")


@pytest.mark.parametrize(("below", "pictures"), [("annotations", "images"), ("Annotations", "JPEGImages"), (".", ".")])
def test_voc_layouts_give_boxes_from_pixel_one(tmp_path: Path, below: str, pictures: str) -> None:
    content = voc(voc_object() + voc_object("mask_weared_incorrect", (0, 1, 5, 6)))
    folder = write_voc(tmp_path, content, below, pictures)
    (folder / pictures / "maks0.png").write_bytes(b"")
    (picture,) = read_labelled(folder)
    place = "archive/maks0.png" if pictures == "." else f"archive/{pictures}/maks0.png"
    assert (picture.path, picture.name) == (folder / pictures / "maks0.png", place)
    assert (picture.source, picture.single) == ("archive", False)
    assert picture.faces == (
        LabelledFace((10, 20, 40, 60), MaskLabel.WITH_MASK),
        LabelledFace((0, 0, 5, 6), MaskLabel.INCORRECT_MASK),
    )


def test_voc_folder_may_be_given_apart_from_its_pictures(tmp_path: Path) -> None:
    folder = write_voc(tmp_path, voc(voc_object()))
    (picture,) = read_labelled(folder / "images", folder / "annotations")
    assert picture.path == folder / "images" / "maks0.png"
    with pytest.raises(ConfigError, match=r"expected Pascal VOC files \(\*\.xml\), received none"):
        read_labelled(folder / "images", folder / "images")


def test_voc_picture_that_was_renamed_with_its_file_is_found(tmp_path: Path) -> None:
    folder = write_voc(tmp_path, voc(voc_object(), "before.jpg"))
    assert read_labelled(folder)[0].path.name == "before.jpg"
    (folder / "images" / "maks0.JPG").write_bytes(b"")
    assert read_labelled(folder)[0].path.name == "maks0.JPG"


def test_voc_box_without_area_is_left_out(tmp_path: Path) -> None:
    assert read_labelled(write_voc(tmp_path, voc(voc_object(box=(9, 9, 8, 20)))))[0].faces == ()


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY l "lol"><!ENTITY m "&l;&l;&l;&l;&l;&l;">]>'
    "<annotation><filename>&m;</filename></annotation>"
)
THIEF = '<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><annotation><filename>&f;</filename></annotation>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("content", [BOMB, THIEF, '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x"><annotation/>'])
def test_voc_file_with_a_document_type_is_refused(tmp_path: Path, content: str, encoding: str) -> None:
    folder = write_voc(tmp_path, content.encode(encoding))
    with pytest.raises(ConfigError, match=r"maks0\.xml: it has a document type"):
        read_labelled(folder)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no element found"),
        ("<annotation><object>", "no element found"),
        ("<html></html>", "root annotation, received 'html'"),
        ('<?xml version="1.0" encoding="no-such"?><annotation/>', "unknown encoding"),
        (voc(voc_object("smile")), "object 0: name: expected one of the labels with_mask"),
        (voc(voc_object(box=("nan", 1, 2, 3))), "object 0: bndbox/xmin: expected pixels, received 'nan'"),
        (voc("<object><name>with_mask</name></object>"), "bndbox/xmin: expected pixels, received ''"),
        (voc(filename="../../etc/passwd"), "filename: expected a picture's path inside its folder"),
        ("<annotation>" + " " * (1 << 20) + "</annotation>", "more than 1 MiB"),
        ("<a>" * 300_000, "more than|no element found|tag|nest|memory"),
    ],
)
def test_voc_file_of_another_form_says_where(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_labelled(write_voc(tmp_path, content))


def test_class_folders_give_one_face_without_a_box(tmp_path: Path) -> None:
    folder = tmp_path / "faces" / "val"
    for name in ("with_mask/b.png", "with_mask/a_1.JPG", "with_mask/notes.txt", "without_mask/c.bmp"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    pictures = read_labelled(folder)
    assert [picture.name for picture in pictures] == [
        "val/with_mask/a_1.JPG",
        "val/with_mask/b.png",
        "val/without_mask/c.bmp",
    ]
    assert {picture.source for picture in pictures} == {"faces"}
    assert all(picture.single for picture in pictures)
    assert pictures[2].faces == (LabelledFace(None, MaskLabel.WITHOUT_MASK),)


def test_folder_of_none_of_the_forms_says_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"COCO.*Pascal VOC.*with_mask"):
        read_labelled(tmp_path)
    with pytest.raises(ConfigError, match="not found"):
        read_labelled(tmp_path / "gone")
    (tmp_path / "masked").mkdir()
    with pytest.raises(ConfigError, match=r"expected one of the labels with_mask.*'masked'"):
        read_labelled(tmp_path)
    (tmp_path / "masked").rename(tmp_path / "with_mask")
    with pytest.raises(ConfigError, match="with_mask: expected pictures, received none"):
        read_labelled(tmp_path)


def test_shared_scenes_have_the_stated_boxes() -> None:
    pictures = read_labelled(shared_path("data/scenes/val"))
    assert len(pictures) == 410
    assert sum(len(picture.faces) for picture in pictures) == 894 + 403 + 85
    assert {picture.source for picture in pictures} == {"adityap27", "andrewmvd853", "ilc2021"}
    assert all(picture.path.is_file() for picture in pictures)
