"""Picture files, read within bounds."""

from __future__ import annotations

from pathlib import Path

from maskwatch.arrays import UInt8Array
from maskwatch.errors import SourceError, SourceUnsupported
from maskwatch.files import read_file
from maskwatch.media.header import check_size, image_size
from maskwatch.media.jpeg import decode_checked

__all__ = ["decode_image", "read_image", "read_image_file"]

MOST_BYTES = 100 << 20
"""An uncompressed picture of 33 million pixels; photographs have a tenth."""


def read_image(path: Path) -> UInt8Array:
    """Read a JPEG, PNG, WebP or BMP file.

    Args:
        path: of the file.

    Returns:
        (H, W, 3) uint8 BGR, turned as its EXIF data says; a new array.

    Raises:
        DecodeError: if it is empty, cut off or corrupt.
        SourceUnsupported: if it is of another format, or has too many bytes or pixels.
        SourceError: if it can't be opened.
    """
    return decode_image(read_image_file(path), str(path))


def read_image_file(path: Path) -> bytes:
    """Read a picture's file without decoding it.

    Raises:
        SourceUnsupported: if it has too many bytes.
        SourceError: if it can't be read.
    """
    return read_file(path, MOST_BYTES, "expected a picture", error=SourceError, too_large=SourceUnsupported)


def decode_image(content: bytes, name: str) -> UInt8Array:
    """Decode the content of a picture's file.

    Args:
        content: a JPEG, PNG, WebP or BMP file.
        name: what to name in the message.

    Returns:
        (H, W, 3) uint8 BGR, turned as its EXIF data says; a new array.

    Raises:
        DecodeError: if it is empty, cut off or corrupt.
        SourceUnsupported: if it is of another format, or has too many pixels.
    """
    check_size(image_size(content, name), name)
    return decode_checked(content, name)
