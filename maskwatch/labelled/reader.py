"""Finding out in which form a folder's labels are, and reading them."""

from __future__ import annotations

from pathlib import Path

from maskwatch.errors import ConfigError
from maskwatch.labelled.coco import coco_file, read_coco
from maskwatch.labelled.folders import read_class_folders
from maskwatch.labelled.pictures import LabelledPicture
from maskwatch.labelled.voc import read_voc, voc_folders

__all__ = ["read_labelled"]


def read_labelled(folder: Path, annotations: Path | None = None) -> list[LabelledPicture]:
    """List a folder's pictures and their labels, in a fixed order; no picture is opened.

    Args:
        folder: of the pictures: scenes with a COCO file beside it (`train/` and `train.json`) or inside it
            (`annotations.json`), scenes with Pascal VOC files (`annotations/*.xml` beside `images/`, or `*.xml` beside
            the pictures), or class folders.
        annotations: the COCO file, or the folder of the Pascal VOC files; None looks for them.

    Raises:
        ConfigError: if something is missing or has another form; the message says where and what was expected.
    """
    if not folder.is_dir():
        raise ConfigError(f"data folder {folder}: not found; give a folder of scenes or of class folders")
    if annotations is not None:
        if annotations.is_dir():
            return read_voc(folder, annotations, folder)
        return read_coco(folder, annotations)
    coco = coco_file(folder)
    if coco is not None:
        return read_coco(folder, coco)
    voc = voc_folders(folder)
    if voc is not None:
        return read_voc(folder, *voc)
    return read_class_folders(folder)
