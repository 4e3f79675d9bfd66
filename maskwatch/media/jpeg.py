"""JPEG, the form in which frames travel; OpenCV and the faster wrappers are all libjpeg-turbo."""

from __future__ import annotations

import cv2
import numpy as np

from maskwatch.arrays import UInt8Array, require_image_bgr
from maskwatch.errors import DecodeError, SourceUnsupported
from maskwatch.media.header import check_size, image_size

__all__ = ["QUALITY", "decode_jpeg", "encode_jpeg"]

QUALITY = 80
"""About 39 kB for 640x360; faces classify the same as from the raw picture."""


def encode_jpeg(frame_bgr: UInt8Array, quality: int = QUALITY) -> bytes:
    """Encode a picture, 4:2:0.

    Args:
        frame_bgr: (H, W, 3) uint8; not modified.
        quality: 1 to 100.

    Raises:
        ShapeError: if the array has another shape or dtype.
        DecodeError: if it can't be encoded (a side above 65500 pixels).
    """
    require_image_bgr(frame_bgr)
    try:
        ok, data = cv2.imencode(".jpg", frame_bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error as error:
        raise DecodeError(f"can't encode {frame_bgr.shape[1]}x{frame_bgr.shape[0]} pixels as JPEG: {error}") from error
    if not ok:
        raise DecodeError(f"can't encode {frame_bgr.shape[1]}x{frame_bgr.shape[0]} pixels as JPEG")
    return data.tobytes()


def decode_jpeg(data: bytes, name: str = "frame") -> UInt8Array:
    """Decode a JPEG of bounded size.

    Args:
        data: the whole JPEG.
        name: of the picture, for messages.

    Returns:
        (H, W, 3) uint8 BGR, a new array.

    Raises:
        DecodeError: if it is not a JPEG, is cut off or corrupt.
        SourceUnsupported: if it has more pixels than are decoded here.
    """
    if not data.startswith(b"\xff\xd8"):
        raise DecodeError(f"{name}: {len(data)} bytes that are no JPEG")
    check_size(image_size(data, name), name)
    return decode_checked(data, name)


def decode_checked(data: bytes, name: str) -> UInt8Array:
    """Decode a picture whose header was checked; EXIF rotation is applied.

    Raises:
        DecodeError: if OpenCV can't.
        SourceUnsupported: if OpenCV's own limit on pixels is hit.
    """
    try:
        frame_bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise SourceUnsupported(f"{name}: OpenCV refuses it: {error.err}") from error
    if frame_bgr is None:
        raise DecodeError(f"{name}: corrupt: {len(data)} bytes can't be decoded")
    return np.asarray(frame_bgr, np.uint8)
