"""Class folders: pictures of one face each, in folders named after the labels."""

from __future__ import annotations

from pathlib import Path

from maskwatch.errors import ConfigError
from maskwatch.labelled.pictures import LabelledFace, LabelledPicture, label_named, source_of
from maskwatch.media.suffixes import IMAGE_SUFFIXES
from maskwatch.types import LABELS

__all__ = ["read_class_folders"]


def read_class_folders(folder: Path) -> list[LabelledPicture]:
    """Read `with_mask/`, `without_mask/` and `incorrect_mask/` (any of them), in the order of the names.

    Raises:
        ConfigError: if there is no sub-folder, one has another name, or one has no pictures.
    """
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not classes:
        raise ConfigError(
            f"data folder {folder}: expected a COCO file {folder.resolve().name}.json beside it or annotations.json "
            f"inside it, Pascal VOC files (annotations/*.xml), or sub-folders named {', '.join(LABELS)}; received none"
        )
    source = source_of(folder)
    pictures: list[LabelledPicture] = []
    for class_folder in classes:
        face = LabelledFace(None, label_named(class_folder.name, f"data folder {folder}: sub-folder"))
        paths = sorted(path for path in class_folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
        if not paths:
            raise ConfigError(f"data folder {class_folder}: expected pictures, received none; fill or remove it")
        below = f"{folder.resolve().name}/{class_folder.name}"
        pictures += [LabelledPicture(path, f"{below}/{path.name}", source, (face,), True) for path in paths]
    return pictures
