"""Readers of files, folders, URLs and webcams; writers of pictures and videos."""

from maskwatch.media.frame import FrameSource, MediaFrame
from maskwatch.media.images import IMAGE_SUFFIXES, read_image
from maskwatch.media.jpeg import decode_jpeg, encode_jpeg
from maskwatch.media.open import open_source
from maskwatch.media.writer import VideoWriter

__all__ = [
    "IMAGE_SUFFIXES",
    "FrameSource",
    "MediaFrame",
    "VideoWriter",
    "decode_jpeg",
    "encode_jpeg",
    "open_source",
    "read_image",
]
