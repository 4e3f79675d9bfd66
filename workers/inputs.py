"""What `detect` was asked to look at: pictures, folders of them, videos, webcams, URLs."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from maskwatch.errors import MaskwatchError, SourceError
from maskwatch.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from maskwatch.media.header import is_picture
from maskwatch.settings.source import Source, SourceKind, parse_source, scrub_url

__all__ = ["Input", "InputKind", "expand", "stem_for"]

_PICTURES_IN_A_ROW = frozenset({".mjpg", ".mjpeg"})
"""Videos that begin as a picture does."""


class InputKind(StrEnum):
    """How an input is analysed."""

    IMAGE = "image"
    VIDEO = "video"
    STREAM = "stream"


@dataclass(frozen=True, slots=True)
class Input:
    """One thing to look at.

    Attributes:
        kind: how.
        source: with its credentials, if it has any.
        shown: as people may see it.
    """

    kind: InputKind
    source: Source
    shown: str

    @property
    def path(self) -> Path:
        """The file, where it is one."""
        return Path(self.source.location)


def expand(words: Sequence[str]) -> tuple[list[Input], list[tuple[str, MaskwatchError]]]:
    """Turn the words of a command line into inputs; a folder becomes the pictures and videos in it, by name.

    Returns:
        The inputs, and for each word that is none: the word and why.
    """
    inputs: list[Input] = []
    problems: list[tuple[str, MaskwatchError]] = []
    for word in words:
        try:
            inputs += _inputs_of(word)
        except MaskwatchError as error:
            problems.append((scrub_url(word), error))
    return inputs, problems


def _inputs_of(word: str) -> list[Input]:
    source = parse_source(word)
    if source.is_live:
        is_image = source.kind is SourceKind.URL and Path(urlsplit(word).path).suffix.lower() in IMAGE_SUFFIXES
        return [Input(InputKind.IMAGE if is_image else InputKind.STREAM, source, scrub_url(word))]
    path = Path(source.location)
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
        found = sorted(path.iterdir()) if is_folder else [path]
    except (FileNotFoundError, NotADirectoryError):
        raise SourceError(f"{word}: no such file or folder; check the path") from None
    except OSError as error:
        raise SourceError(f"{word}: can't be read: {error.strerror}; check the path and its permissions") from error
    if is_folder:
        suffixes = IMAGE_SUFFIXES | VIDEO_SUFFIXES
        found = [one for one in found if one.suffix.lower() in suffixes and os.path.isfile(one)]
    if not found:
        raise SourceError(f"{word}: no pictures or videos in this folder; sub-folders are not searched")
    return [_file(one) for one in found]


def _file(path: Path) -> Input:
    suffix = path.suffix.lower()
    is_image = suffix in IMAGE_SUFFIXES or (
        suffix not in VIDEO_SUFFIXES | _PICTURES_IN_A_ROW and _begins_as_picture(path)
    )
    return Input(InputKind.IMAGE if is_image else InputKind.VIDEO, Source(SourceKind.VIDEO, str(path)), str(path))


def _begins_as_picture(path: Path) -> bool:
    """Tell whether a file whose name doesn't say what it is holds a picture; one that can't be read doesn't."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            return is_picture(file.read(12))
    except OSError:
        return False


def stem_for(one: Input, taken: set[str]) -> str:
    """Return a name for an input's output files that no other has, and note it in `taken`."""
    path = one.path
    stem = path.stem if one.kind is not InputKind.STREAM or path.suffix else path.name
    if one.source.kind in (SourceKind.RTSP, SourceKind.URL):
        stem = "stream"  # a URL may hold a password
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name)
    return name
