"""COCO detection files: one JSON file with the boxes of a whole folder.

Source: https://cocodataset.org/#format-data
"""

from __future__ import annotations

import json
from pathlib import Path

import structlog
from pydantic import BaseModel, FiniteFloat, ValidationError

from maskwatch.errors import ConfigError
from maskwatch.files import read_file
from maskwatch.labelled.pictures import LabelledFace, LabelledPicture, label_named, plain_path, source_of
from maskwatch.types import LABELS
from maskwatch.validation import first_error

__all__ = ["coco_file", "read_coco"]

MOST_BYTES = 512 << 20
"""COCO's own 860 thousand boxes take 450 MB, with outlines."""

EXPECTED = f"expected a COCO detection file with the categories {', '.join(LABELS)}"


class _Image(BaseModel):
    id: int
    file_name: str


class _Annotation(BaseModel):
    image_id: int
    category_id: int
    bbox: tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]


class _Category(BaseModel):
    id: int
    name: str


class _Coco(BaseModel):
    """The part of a COCO detection file that is used."""

    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


def coco_file(folder: Path) -> Path | None:
    """Return the COCO file of a folder, beside it or inside it, or None when there is none."""
    beside = folder.resolve()
    for path in (beside.parent / f"{beside.name}.json", folder / "annotations.json"):
        if path.is_file():
            return path
    return None


def read_coco(folder: Path, path: Path) -> list[LabelledPicture]:
    """Read a COCO detection file, in the order of the pictures' names.

    Args:
        folder: where its pictures are.
        path: the file.

    Raises:
        ConfigError: if it is none, a category in it isn't one of the labels, or a picture lies outside the folder.
    """
    coco = _parse(path)
    labels = {
        category.id: label_named(category.name, f"{path}: categories.{index}.name")
        for index, category in enumerate(coco.categories)
    }
    faces: dict[int, list[LabelledFace]] = {image.id: [] for image in coco.images}
    strays = flat = 0
    for index, annotation in enumerate(coco.annotations):
        if annotation.category_id not in labels:
            raise ConfigError(
                f"{path}: annotations.{index} has category_id {annotation.category_id}, which is not defined; "
                f"expected one of {sorted(labels)}"
            )
        x, y, width, height = annotation.bbox
        if annotation.image_id not in faces:
            strays += 1
        elif width <= 0 or height <= 0:
            flat += 1
        else:
            face = LabelledFace((x, y, x + width, y + height), labels[annotation.category_id])
            faces[annotation.image_id].append(face)
    if strays or flat:
        structlog.get_logger().warning("labelled.boxes_skipped", file=str(path), no_picture=strays, no_area=flat)
    return [
        _picture(folder, image, tuple(faces[image.id]), f"{path}: images.{index}.file_name")
        for index, image in sorted(enumerate(coco.images), key=lambda pair: pair[1].file_name)
    ]


def _picture(folder: Path, image: _Image, faces: tuple[LabelledFace, ...], where: str) -> LabelledPicture:
    name = plain_path(image.file_name, where)
    return LabelledPicture(
        folder / name, f"{folder.resolve().name}/{name}", source_of(folder, image.file_name), faces, False
    )


def _parse(path: Path) -> _Coco:
    """Read the file and check its form.

    Raises:
        ConfigError: if it can't be read, is too large, is no JSON or has another form.
    """
    content = read_file(path, MOST_BYTES, EXPECTED)
    try:
        return _Coco.model_validate(json.loads(content))
    except ValidationError as error:
        raise ConfigError(f"{path}: {first_error(error)}; {EXPECTED}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not JSON ({error}); {EXPECTED}") from error
