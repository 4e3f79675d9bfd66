"""Reading labelled faces: whole scenes with boxes (COCO) and folders of one-face pictures named after the labels.

A folder given as data is one of two things:

- class folders: `with_mask/`, `without_mask/`, `incorrect_mask/` (any of them), pictures of one face each;
- scenes: pictures, with a COCO file beside the folder (`train/` and `train.json`) or inside it
  (`annotations.json`), whose categories are named after the labels.

Of every face only its surroundings are kept in memory, so that jittered boxes can still be cut as live ones are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import structlog
from pydantic import BaseModel, Field, ValidationError
from tqdm import tqdm

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.errors import ConfigError, DecodeError
from maskwatch.types import LABELS, MaskLabel
from models.crop import MIN_FACE_PX

__all__ = ["PICTURE_SUFFIXES", "FaceFinder", "Sample", "count_labels", "read_folder", "read_picture"]

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})

CONTEXT = 2.0
"""Side of the kept surroundings over the box's longest side: room for the margin, the jitter and a rotation."""

PATCH_SIDE_PX = 320
"""Longest side of the kept surroundings; larger ones are shrunk. The network sees 128."""

WHOLE_PICTURE_FACE = 0.85
"""Where a one-face picture gives no box: the face's side over the picture's shorter side."""

FaceFinder = Callable[[UInt8Array], tuple[float, float, float, float] | None]


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled face.

    Attributes:
        file: path of the picture below the data folder's parent, e.g. "train/a.jpg"; the same on every machine.
        source: where the picture came from; what the name says before its first "_", or the folder's name.
        label: index into `LABELS`.
        sha256: of the picture's file.
        box_xyxy: the box in pixels of the picture.
        patch_bgr: (h, w, 3) uint8, the face's surroundings.
        patch_box: the box in pixels of the patch.
        single: True for a one-face picture of a class folder.
        landmarks_xy: (5, 2) float32 pixels of the patch, or None where the detector didn't find the face: right eye,
            left eye, tip of the nose, right and left corner of the mouth, as the person has them.
        found_box: the detector's own box of the face in pixels of the patch, or None where it didn't find it.
        cluster: faces of near-duplicate pictures have the same number; -1 before `training.duplicates` has looked.
    """

    file: str
    source: str
    label: int
    sha256: str
    box_xyxy: tuple[float, float, float, float]
    patch_bgr: UInt8Array
    patch_box: tuple[float, float, float, float]
    single: bool
    landmarks_xy: Float32Array | None = None
    found_box: tuple[float, float, float, float] | None = None
    cluster: int = -1


class _Image(BaseModel):
    id: int
    file_name: Annotated[str, Field(pattern=r"^[^/\\]+$")]


class _Annotation(BaseModel):
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]


class _Category(BaseModel):
    id: int
    name: MaskLabel


class _Coco(BaseModel):
    """The part of a COCO detection file that is used."""

    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


def read_folder(folder: Path, finder: FaceFinder | None = None) -> list[Sample]:
    """Read every labelled face of one data folder, in a fixed order. Unreadable pictures are left out with a warning.

    Args:
        folder: class folders or scenes; see this module.
        finder: finds the face in a one-face picture; None takes most of the picture.

    Raises:
        ConfigError: if the folder is missing, is neither of the two, names an unknown class, or has no usable face.
    """
    if not folder.is_dir():
        raise ConfigError(f"data folder {folder}: not found; give a folder of scenes or of class folders")
    coco = _coco_file(folder)
    samples = list(_scene_samples(folder, coco) if coco else _class_samples(folder, finder))
    if not samples:
        raise ConfigError(f"data folder {folder}: expected labelled faces of at least {MIN_FACE_PX} px, received none")
    return samples


def read_picture(path: Path) -> tuple[UInt8Array, str]:
    """Read one picture.

    Returns:
        (H, W, 3) uint8 BGR, and the file's sha256.

    Raises:
        DecodeError: if it can't be read as a picture.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DecodeError(f"picture {path}: can't be read ({error.strerror})") from error
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    if picture is None:
        raise DecodeError(f"picture {path}: {len(content)} bytes that are no picture; replace or remove it")
    return picture.astype(np.uint8, copy=False), hashlib.sha256(content).hexdigest()


def _coco_file(folder: Path) -> Path | None:
    """Return the COCO file of a folder of scenes, or None when it isn't one."""
    for path in (folder.with_suffix(".json"), folder / "annotations.json"):
        if path.is_file():
            return path
    return None


def _scene_samples(folder: Path, coco_path: Path) -> Iterator[Sample]:
    """Yield the faces of a folder of scenes, picture by picture."""
    coco = _read_coco(coco_path)
    labels = {category.id: LABELS.index(category.name) for category in coco.categories}
    boxes: dict[int, list[_Annotation]] = {}
    for annotation in coco.annotations:
        if annotation.category_id not in labels:
            raise ConfigError(
                f"{coco_path}: an annotation has category_id {annotation.category_id}, which is not defined"
            )
        boxes.setdefault(annotation.image_id, []).append(annotation)
    images = sorted(coco.images, key=lambda image: image.file_name)
    for image in tqdm(images, desc=f"reading {folder.name}", unit="picture", disable=None):
        loaded = _load(folder / image.file_name)
        if loaded is None:
            continue
        picture, sha256 = loaded
        for annotation in boxes.get(image.id, []):
            x, y, w, h = annotation.bbox
            if max(w, h) >= MIN_FACE_PX and min(w, h) > 0:
                name = f"{folder.name}/{image.file_name}"
                source = image.file_name.split("_")[0]
                yield _sample(
                    picture, (x, y, x + w, y + h), name, source, labels[annotation.category_id], sha256, False
                )


def _read_coco(path: Path) -> _Coco:
    """Read a COCO file.

    Raises:
        ConfigError: if it is not one, or a category isn't one of the labels.
    """
    try:
        return _Coco.model_validate(json.loads(path.read_bytes()))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{path}: {where}: {first['msg']}; expected COCO with categories {_known()}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not JSON ({error}); expected a COCO detection file") from error


def _class_samples(folder: Path, finder: FaceFinder | None) -> Iterator[Sample]:
    """Yield the faces of class folders."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    unknown = [path.name for path in classes if path.name not in set(LABELS)]
    if unknown or not classes:
        received = ", ".join(unknown) or "no sub-folder"
        raise ConfigError(
            f"data folder {folder}: expected {folder.name}.json beside it or sub-folders named {_known()}, "
            f"received {received}; rename or remove them"
        )
    for class_folder in classes:
        paths = sorted(path for path in class_folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
        if not paths:
            raise ConfigError(f"data folder {class_folder}: expected pictures, received none; fill or remove it")
        for path in tqdm(paths, desc=f"reading {class_folder.name}", unit="picture", disable=None):
            loaded = _load(path)
            if loaded is not None and max(loaded[0].shape[:2]) >= MIN_FACE_PX:
                picture, sha256 = loaded
                box = (finder(picture) if finder else None) or _middle(picture)
                name = f"{folder.name}/{class_folder.name}/{path.name}"
                yield _sample(
                    picture, box, name, folder.parent.name, LABELS.index(MaskLabel(class_folder.name)), sha256, True
                )


def _load(path: Path) -> tuple[UInt8Array, str] | None:
    """Read a picture, or warn and return None."""
    try:
        return read_picture(path)
    except DecodeError as error:
        structlog.get_logger().warning("training.picture_skipped", reason=str(error))
        return None


def _middle(picture: UInt8Array) -> tuple[float, float, float, float]:
    """Return the square in the middle of a picture that a face is assumed to fill."""
    height, width = picture.shape[:2]
    side = WHOLE_PICTURE_FACE * min(height, width)
    return ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)


def _sample(
    picture: UInt8Array,
    box: tuple[float, float, float, float],
    file: str,
    source: str,
    label: int,
    sha256: str,
    single: bool,
) -> Sample:
    """Keep the surroundings of one face, shrunk if they are large."""
    height, width = picture.shape[:2]
    left, top, right, bottom = box
    half = max(right - left, bottom - top) * CONTEXT / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    x0, x1 = max(0, int(x - half)), min(width, int(x + half) + 1)
    y0, y1 = max(0, int(y - half)), min(height, int(y + half) + 1)
    patch = picture[y0:y1, x0:x1]
    scale = min(1.0, PATCH_SIDE_PX / max(patch.shape[:2], default=1))
    if scale < 1.0:
        size = (max(1, round(patch.shape[1] * scale)), max(1, round(patch.shape[0] * scale)))
        patch = cv2.resize(patch, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    inside = ((left - x0) * scale, (top - y0) * scale, (right - x0) * scale, (bottom - y0) * scale)
    return Sample(file, source, label, sha256, box, patch.copy(), inside, single)


def _known() -> str:
    return ", ".join(LABELS)


def count_labels(samples: Iterable[Sample]) -> dict[str, int]:
    """Return how many faces there are of each label, absent ones as 0."""
    counts = np.bincount([sample.label for sample in samples], minlength=len(LABELS))
    return dict(zip(LABELS, counts.tolist(), strict=True))
