"""A picture as FFmpeg decoded it, waiting to be looked at or converted."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import av.error
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from maskwatch.arrays import UInt8Array
from maskwatch.errors import SourceUnsupported
from maskwatch.media.frame import GREY_CELL_PX, Grab, MediaFrame
from maskwatch.media.header import MOST_PIXELS
from maskwatch.media.scale import grey_of, target_size, turned

__all__ = ["Decoded"]

_LUMA_FIRST = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "nv21", "gray"})
"""Pixel formats whose first plane is a grey picture of 8 bits."""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded(Grab):
    """A picture of the source's own size and pixel format.

    Attributes:
        picture: FFmpeg's.
        width: as `maskwatch.media.open_source`.
        rotate: degrees clockwise, what the source says of itself included.
        shown: the source without credentials, for errors.
        reformatter: of the source; it keeps what converting this size and format takes.
    """

    picture: VideoFrame = field(kw_only=True)
    width: int | None = field(kw_only=True)
    rotate: int = field(kw_only=True)
    shown: str = field(kw_only=True)
    reformatter: VideoReformatter = field(kw_only=True)

    def grey(self) -> UInt8Array:
        """Return a small grey picture, without converting the whole; see `Grab.grey`."""
        self._check_size()
        picture = self.picture
        if picture.format.name in _LUMA_FIRST:
            plane = picture.planes[0]
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            luma = rows[: picture.height, : picture.width]
        else:
            luma = self._converted((picture.width, picture.height), "gray")
        return grey_of(luma, self.width, self.rotate, GREY_CELL_PX)

    def frame(self) -> MediaFrame:
        """Convert, scale and turn the picture; see `Grab.frame`."""
        began_s = time.monotonic()
        self._check_size()
        size_wh = target_size((self.picture.width, self.picture.height), self.width, self.rotate)
        frame_bgr = turned(self._converted(size_wh, "bgr24"), self.rotate)
        took_s = time.monotonic() - began_s
        return MediaFrame(frame_bgr, self.media_time_s, self.captured_s, self.skipped, took_s, self.unseen)

    def _converted(self, size_wh: tuple[int, int], pixel_format: str) -> UInt8Array:
        try:
            converted = self.reformatter.reformat(
                self.picture,
                width=size_wh[0],
                height=size_wh[1],
                format=pixel_format,
                interpolation=Interpolation.FAST_BILINEAR,
                threads=1,
            )
        except (av.error.FFmpegError, ValueError) as error:
            name = self.picture.format.name
            raise SourceUnsupported(f"{self.shown}: its pixel format {name} can't be read") from error
        return np.asarray(converted.to_ndarray(), np.uint8)

    def _check_size(self) -> None:
        width, height = self.picture.width, self.picture.height
        if width * height > MOST_PIXELS:
            raise SourceUnsupported(f"{self.shown}: turned into {width}x{height} pixels, too many")
