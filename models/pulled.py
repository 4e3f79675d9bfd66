"""Files of others that aren't shipped: which there are, where they lie, and the check of what lies there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from maskwatch.errors import ModelError
from models.files import read_checked

__all__ = ["PULLABLE", "YUNET", "Pullable", "find_pulled", "read_pulled"]


@dataclass(frozen=True, slots=True)
class Pullable:
    """A file that can be fetched.

    Attributes:
        name: what people call it; also its folder.
        version: as its makers call it.
        about: what it is.
        file: its name.
        url: where it is published, at a fixed commit.
        sha256: of the whole file.
        size_bytes: its length.
        licence: SPDX identifier.
    """

    name: str
    version: str
    about: str
    file: str
    url: str
    sha256: str
    size_bytes: int
    licence: str


YUNET = Pullable(
    name="yunet",
    version="2023mar",
    about="face detector of the OpenCV Zoo",
    file="face_detection_yunet_2023mar.onnx",
    # The zoo keeps large files in Git LFS: this is the host that its raw addresses redirect to.
    url=(
        "https://media.githubusercontent.com/media/opencv/opencv_zoo/82b38c8f98e7b52aa171400f3e4c722352d0669f/"
        "models/face_detection_yunet/face_detection_yunet_2023mar.onnx"
    ),
    sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    size_bytes=232_589,
    licence="MIT",
)

PULLABLE: Mapping[str, Pullable] = {YUNET.name: YUNET}
"""Everything that `maskwatch models pull` knows, by name."""


def find_pulled(wanted: Pullable, roots: Iterable[Path]) -> Path | None:
    """Return where a fetched file lies, unread, or None."""
    for root in roots:
        path = root / wanted.name / wanted.file
        if os.path.isfile(path):
            return path
    return None


def read_pulled(wanted: Pullable, roots: Iterable[Path]) -> bytes:
    """Read a fetched file and check it; what is parsed afterwards are exactly the bytes that were checked.

    Args:
        wanted: which one.
        roots: folders of models.

    Raises:
        ModelError: if it was never fetched, or can't be read.
        ChecksumMismatch: if it isn't the known file.
    """
    looked_in = tuple(roots)
    path = find_pulled(wanted, looked_in)
    advice = f"run: maskwatch models pull {wanted.name}"
    if path is None:
        raise ModelError(f"{wanted.name}: {wanted.file} isn't in {' or '.join(map(str, looked_in))}; {advice}")
    return read_checked(path, wanted.sha256, wanted.size_bytes, advice, what=f"{wanted.name}:")
