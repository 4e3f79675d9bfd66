"""Readers of files, folders, URLs and webcams; writers of pictures.

PyAV takes 17 MB and is imported only by those who open or write a video: workers and the site see nothing but JPEGs.
"""

from maskwatch.media.frame import FrameSource, MediaFrame
from maskwatch.media.images import read_image
from maskwatch.media.jpeg import decode_jpeg, encode_jpeg
from maskwatch.media.open import open_source
from maskwatch.media.suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES

__all__ = [
    "IMAGE_SUFFIXES",
    "VIDEO_SUFFIXES",
    "FrameSource",
    "MediaFrame",
    "decode_jpeg",
    "encode_jpeg",
    "open_source",
    "read_image",
]
