"""What a labelled picture is, whatever form its labels came in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from maskwatch.errors import ConfigError
from maskwatch.types import LABELS, MaskLabel

__all__ = ["Box", "LabelledFace", "LabelledPicture", "label_named", "plain_path", "source_of"]

Box = tuple[float, float, float, float]

OTHER_NAMES = {"mask_weared_incorrect": MaskLabel.INCORRECT_MASK}
"""Names of our labels elsewhere. Source: andrewmvd, "Face Mask Detection", Kaggle 2020."""

_SPLITS = frozenset({"train", "val", "valid", "validation", "test"})


@dataclass(frozen=True, slots=True)
class LabelledFace:
    """One face that a person labelled.

    Attributes:
        box_xyxy: left, top, right, bottom in pixels of the picture, right and bottom exclusive, always with an area;
            it may leave the picture a little. None where only the picture as a whole is labelled.
        label: what the person said.
    """

    box_xyxy: Box | None
    label: MaskLabel


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """One picture and the faces that a person labelled in it.

    Attributes:
        path: of the file; it need not exist, because labels often outlive their pictures.
        name: the path below the folder's parent, e.g. "train/a.jpg"; the same on every machine.
        source: where the picture came from; see `source_of`.
        faces: in the order of the file; none is a scene without a face.
        single: True for a picture of a class folder, which shows one face and has no box.
    """

    path: Path
    name: str
    source: str
    faces: tuple[LabelledFace, ...]
    single: bool


def label_named(name: str, where: str) -> MaskLabel:
    """Return the label of this name, ours or one of `OTHER_NAMES`.

    Args:
        name: as a file or folder has it.
        where: what to name in the message.

    Raises:
        ConfigError: if there is none.
    """
    try:
        return OTHER_NAMES.get(name) or MaskLabel(name)
    except ValueError:
        raise ConfigError(
            f"{where}: expected one of the labels {', '.join(LABELS)}, received {name[:60]!r}; rename it"
        ) from None


def plain_path(name: str, where: str) -> str:
    """Return a path that a label file gives for a picture, if it stays inside its folder.

    Raises:
        ConfigError: if it is absolute, climbs out, or is none.
    """
    path = PurePosixPath(name)
    if not path.name or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or ":" in name:
        raise ConfigError(f"{where}: expected a picture's path inside its folder, received {name[:200]!r}")
    return str(path)


def source_of(folder: Path, file_name: str | None = None) -> str:
    """Return where a picture came from: what its name says before the first "_", if that has a letter, else the folder.

    Folders named after a split (`train`, `val`, ...) say nothing; their parent does.
    """
    prefix, mark, _ = PurePosixPath(file_name or "").name.partition("_")
    if mark and any(letter.isalpha() for letter in prefix):
        return prefix
    folder = folder.resolve()
    return folder.parent.name if folder.name in _SPLITS else folder.name
