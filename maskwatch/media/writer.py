"""Videos that every browser plays: H.264, yuv420p, MP4 with its index in front."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import av.error
import numpy as np
from av.video.frame import VideoFrame

from maskwatch.arrays import UInt8Array, require_image_bgr
from maskwatch.errors import ShapeError, SourceError

__all__ = ["VideoWriter"]


class VideoWriter:
    """Writes pictures of one size into an MP4 file; a context manager.

    Yuv420p halves the colour's resolution, so odd sides get a further row or column that repeats the last.
    """

    def __init__(self, path: Path, size_wh: tuple[int, int], fps: float, *, crf: int = 23) -> None:
        """Create the file.

        Args:
            path: of the file, ending in .mp4; replaced if it is there.
            size_wh: width and height in pixels of every picture.
            fps: pictures a second.
            crf: x264's constant rate factor, 0 (best) to 51.

        Raises:
            SourceError: if the file can't be created, or there is no H.264 encoder.
        """
        self._path = path
        self._size_wh = size_wh
        self._is_closed = False
        rate = Fraction(fps).limit_denominator(1001)
        try:
            self._container = av.open(str(path), mode="w", format="mp4", options={"movflags": "+faststart"})
            self._stream = self._container.add_stream(
                "libx264", rate=rate, options={"crf": str(crf), "preset": "veryfast"}
            )
            self._stream.width = size_wh[0] + size_wh[0] % 2
            self._stream.height = size_wh[1] + size_wh[1] % 2
            self._stream.pix_fmt = "yuv420p"
            self._container.start_encoding()
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SourceError(f"{path}: can't be written: {reason}; does the folder exist, is there room?") from None

    def write(self, frame_bgr: UInt8Array) -> None:
        """Append a picture.

        Args:
            frame_bgr: (H, W, 3) uint8 of the writer's size; not modified.

        Raises:
            ShapeError: if it has another size.
            SourceError: if it can't be written, e.g. because the disk is full.
        """
        require_image_bgr(frame_bgr)
        width, height = self._size_wh
        if frame_bgr.shape[:2] != (height, width):
            raise ShapeError(
                f"frame_bgr: expected {width}x{height}, received {frame_bgr.shape[1]}x{frame_bgr.shape[0]}"
            )
        if width % 2 or height % 2:
            frame_bgr = np.pad(frame_bgr, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        self._encode(VideoFrame.from_ndarray(np.ascontiguousarray(frame_bgr), format="bgr24"))

    def close(self) -> None:
        """Finish the file; repeated calls change nothing.

        Raises:
            SourceError: if it can't be written.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._encode(None)
        finally:
            try:
                self._container.close()
            except (av.error.FFmpegError, OSError) as error:
                raise self._failed(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _encode(self, picture: VideoFrame | None) -> None:
        try:
            self._container.mux(self._stream.encode(picture))
        except (av.error.FFmpegError, OSError) as error:
            raise self._failed(error) from None

    def _failed(self, error: Exception) -> SourceError:
        return SourceError(f"{self._path}: can't be written: {getattr(error, 'strerror', None) or error}")
