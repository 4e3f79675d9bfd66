"""Picture files, read within bounds."""

from __future__ import annotations

from pathlib import Path

from maskwatch.arrays import UInt8Array
from maskwatch.errors import SourceError, SourceUnsupported
from maskwatch.media.header import check_size, image_size
from maskwatch.media.jpeg import decode_checked

__all__ = ["IMAGE_SUFFIXES", "MOST_BYTES", "read_image"]

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
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
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise SourceError(f"{path}: can't be read: {error.strerror}") from error
    if len(data) > MOST_BYTES:
        raise SourceUnsupported(f"{path}: more than {MOST_BYTES >> 20} MiB; expected a picture")
    check_size(image_size(data, str(path)), str(path))
    return decode_checked(data, str(path))
