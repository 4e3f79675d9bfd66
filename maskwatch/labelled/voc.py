"""Pascal VOC annotations: one XML file a picture.

Three layouts are known: `annotations/` beside `images/`, as andrewmvd's set has it, `Annotations/` beside
`JPEGImages/`, as VOC itself has it, and XML files beside their pictures.

Source: Everingham et al., "The PASCAL Visual Object Classes (VOC) Challenge", IJCV 2010.
"""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

import structlog

from maskwatch.errors import ConfigError
from maskwatch.files import read_file
from maskwatch.labelled.pictures import Box, LabelledFace, LabelledPicture, label_named, plain_path, source_of
from maskwatch.media.suffixes import IMAGE_SUFFIXES

__all__ = ["read_voc", "voc_folders"]

MOST_BYTES = 1 << 20
"""A hundred faces take 30 kB."""

LAYOUTS = (("annotations", "images"), ("Annotations", "JPEGImages"), (".", "."))


class _Builder(TreeBuilder):
    """Builds the tree of a file that defines no entities, which are what XML bombs and file readers are made of."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Refuse: called at the start of a document type, before anything in it is read."""
        raise ValueError(f"it has a document type ({name}), which is refused because entities may hide in it")


def voc_folders(folder: Path) -> tuple[Path, Path] | None:
    """Return the folders of the XML files and of the pictures, or None when there is no XML file in a known layout."""
    for xml_name, picture_name in LAYOUTS:
        found, pictures = folder / xml_name, folder / picture_name
        if pictures.is_dir() and found.is_dir() and any(found.glob("*.xml")):
            return found, pictures
    return None


def read_voc(folder: Path, annotations: Path, pictures: Path) -> list[LabelledPicture]:
    """Read all XML files of a folder, in the order of their names.

    Args:
        folder: the data folder, from which names and sources are made.
        annotations: where the XML files are.
        pictures: where the pictures are.

    Raises:
        ConfigError: if there is none, or one is no VOC annotation, names an unknown label or another folder's picture.
    """
    files = {path.name for path in pictures.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES}
    paths = sorted(annotations.glob("*.xml"))
    if not paths:
        raise ConfigError(f"data folder {annotations}: expected Pascal VOC files (*.xml), received none")
    return [_read_file(folder, path, pictures, files) for path in paths]


def _read_file(folder: Path, path: Path, pictures: Path, files: set[str]) -> LabelledPicture:
    root = _parse(path)
    stated = plain_path(root.findtext("filename", f"{path.stem}.jpg").strip(), f"{path}: filename")
    # Tools rename pictures and forget the name inside; the files' own names belong together more surely.
    own = sorted(f"{path.stem}{suffix}" for suffix in {*IMAGE_SUFFIXES, *map(str.upper, IMAGE_SUFFIXES)})
    name = next((candidate for candidate in own if candidate in files), stated)
    objects = enumerate(root.findall("object"))
    faces = [_face(element, f"{path}: object {index}") for index, element in objects]
    kept = tuple(face for face in faces if face is not None)
    if len(kept) < len(faces):
        structlog.get_logger().warning("labelled.boxes_skipped", file=str(path), no_area=len(faces) - len(kept))
    place = (pictures.resolve() / name).relative_to(folder.resolve().parent).as_posix()
    return LabelledPicture(pictures / name, place, source_of(folder, name), kept, False)


def _face(element: Element, where: str) -> LabelledFace | None:
    """Read one object; None when its box has no area."""
    label = label_named(element.findtext("name", "").strip(), f"{where}: name")
    left, top, right, bottom = (_number(element, side, where) for side in ("xmin", "ymin", "xmax", "ymax"))
    # VOC counts pixels from 1 and includes the last; there are tools that count from 0.
    box: Box = (max(0.0, left - 1), max(0.0, top - 1), right, bottom)
    return LabelledFace(box, label) if box[2] > box[0] and box[3] > box[1] else None


def _number(element: Element, side: str, where: str) -> float:
    text = element.findtext(f"bndbox/{side}", "").strip()
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(f"{where}: bndbox/{side}: expected pixels, received {text[:60]!r}")
    return value


def _parse(path: Path) -> Element:
    """Read one XML file without a document type.

    Raises:
        ConfigError: if it can't be read, is too large, or is no such file.
    """
    content = read_file(path, MOST_BYTES, "expected a Pascal VOC file with the boxes of one picture")
    parser = XMLParser(target=_Builder())  # noqa: S314 -- no document type passes, so there are no entities
    try:
        parser.feed(content)
        root = parser.close()
    except (ParseError, ValueError, LookupError) as error:
        raise ConfigError(f"{path}: {error}; expected a Pascal VOC file") from error
    if not isinstance(root, Element) or root.tag != "annotation":
        raise ConfigError(f"{path}: expected a Pascal VOC file with the root annotation, received {root.tag[:60]!r}")
    return root
