"""What `detect` was asked to look at: pictures, folders of them, videos, webcams, URLs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from maskwatch.errors import MaskwatchError, SourceError
from maskwatch.media import IMAGE_SUFFIXES
from maskwatch.settings.source import Source, SourceKind, parse_source, scrub_url

__all__ = ["Input", "InputKind", "expand", "stem_for"]

VIDEO_SUFFIXES = frozenset({".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".flv"})
"""Which files of a folder are videos; one that is named by itself may be called anything."""


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
        return [Input(InputKind.STREAM, source, scrub_url(word))]
    path = Path(source.location)
    if not path.exists():
        raise SourceError(f"{word}: no such file or folder; check the path")
    if not path.is_dir():
        return [_file(path)]
    found = [one for one in sorted(path.iterdir()) if one.suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES]
    if not found:
        raise SourceError(f"{word}: no pictures or videos in this folder; sub-folders are not searched")
    return [_file(one) for one in found if one.is_file()]


def _file(path: Path) -> Input:
    kind = InputKind.IMAGE if path.suffix.lower() in IMAGE_SUFFIXES else InputKind.VIDEO
    return Input(kind, Source(SourceKind.VIDEO, str(path)), str(path))


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
