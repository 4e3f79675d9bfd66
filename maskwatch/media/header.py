"""The size of a picture from its first bytes, so that nothing large is decoded only to be refused.

Sources: PNG (ISO/IEC 15948, IHDR), JPEG (ITU-T T.81, annex B), WebP container (Google, RIFF), BMP (BITMAPINFOHEADER).
"""

from __future__ import annotations

import struct

from maskwatch.errors import DecodeError, SourceUnsupported

__all__ = ["MOST_PIXELS", "check_size", "image_size", "is_picture"]

MOST_PIXELS = 50_000_000
"""150 MB as BGR; the largest cameras have less, and a bomb of a few kilobytes has more."""

_PNG = b"\x89PNG\r\n\x1a\n"
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, b"\xff\xd9"


def is_picture(data: bytes) -> bool:
    """Tell whether a file begins as one of the pictures that are known here.

    Args:
        data: its first 12 bytes, or more.
    """
    return data.startswith((_PNG, b"\xff\xd8\xff", b"BM")) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


def image_size(data: bytes, name: str) -> tuple[int, int]:
    """Read width and height in pixels from a picture's header.

    Args:
        data: a whole JPEG, PNG, WebP or BMP.
        name: of the picture, for messages.

    Returns:
        Width and height as stored, before any EXIF rotation.

    Raises:
        DecodeError: if it's empty, cut off, or its header makes no sense.
        SourceUnsupported: if it is none of these formats.
    """
    if not data:
        raise DecodeError(f"{name}: empty (0 bytes); expected a picture")
    try:
        if data.startswith(_PNG):
            width, height = struct.unpack(">II", data[16:24])
        elif data.startswith(b"\xff\xd8"):
            width, height = _jpeg_size(data, name)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            width, height = _webp_size(data)
        elif data.startswith(b"BM"):
            width, height = struct.unpack("<ii", data[18:26])
        else:
            raise SourceUnsupported(f"{name}: not a picture known here; expected JPEG, PNG, WebP or BMP")
    except struct.error as error:
        raise DecodeError(f"{name}: cut off after {len(data)} bytes, within the header") from error
    return int(width), abs(int(height))


def check_size(size_wh: tuple[int, int], name: str) -> None:
    """Refuse sizes that can't be a picture or would take all memory.

    Raises:
        DecodeError: if a side is 0.
        SourceUnsupported: if there are more than `MOST_PIXELS` pixels.
    """
    width, height = size_wh
    if width < 1 or height < 1:
        raise DecodeError(f"{name}: {width}x{height} pixels; expected at least 1x1")
    if width * height > MOST_PIXELS:
        raise SourceUnsupported(
            f"{name}: {width}x{height} pixels are too many; expected at most {MOST_PIXELS // 1_000_000} million"
        )


def _jpeg_size(data: bytes, name: str) -> tuple[int, int]:
    """Walk the segments to the frame header; the end mark after the scan tells a whole picture from a part."""
    size, at = None, 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise DecodeError(f"{name}: corrupt JPEG: no marker at byte {at}")
        marker = data[at + 1]
        if marker == 0xFF or marker in _BARE_MARKERS:
            at += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        if marker in _FRAME_MARKERS:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            size = (width, height)
        if marker == _START_OF_SCAN:
            # Within the scan 0xFF is always stuffed, so an end mark behind its start is the real one.
            if size is None or data.rfind(_END_OF_IMAGE) < at:
                break
            return size
        at += 2 + length
    raise DecodeError(f"{name}: cut off: {len(data)} bytes and no end of the JPEG")


def _webp_size(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        raw = data[24:30].ljust(6, b"\0")
        return 1 + int.from_bytes(raw[:3], "little"), 1 + int.from_bytes(raw[3:], "little")
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", data[21:25])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", data[26:30])
    return width & 0x3FFF, height & 0x3FFF
