"""An annotated video that keeps the time of its source."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from maskwatch.arrays import UInt8Array
from maskwatch.media.writer import VideoWriter

__all__ = ["Film"]

_LONGEST_REPEAT_S = 10.0


class Film:
    """Writes pictures at a steady rate: late ones stand longer, early ones are left out; a context manager.

    Args:
        path: of the MP4 file.
        size_wh: of the video in pixels; pictures of another size are scaled to it.
        fps: its pictures a second.
        written: how many pictures the parts before this one have, where it is the sequel of others.

    Raises:
        SourceError: if it can't be written.
    """

    def __init__(self, path: Path, size_wh: tuple[int, int], fps: float, written: int = 0) -> None:
        self._writer = VideoWriter(path, size_wh, fps)
        self._size_wh = size_wh
        self._fps = fps
        self.written = written
        """Pictures that are due until the last one's time, those of the parts before included."""
        self.pictures = 0
        """That are in this file."""

    def write(self, frame_bgr: UInt8Array, media_time_s: float) -> None:
        """Append a picture; one of another size than the first is scaled to it.

        Raises:
            SourceError: if it can't be written.
        """
        if (frame_bgr.shape[1], frame_bgr.shape[0]) != self._size_wh:
            frame_bgr = np.asarray(cv2.resize(frame_bgr, self._size_wh, interpolation=cv2.INTER_AREA), np.uint8)
        due = int(media_time_s * self._fps + 0.5) + 1 - self.written
        for _ in range(min(due, max(1, round(_LONGEST_REPEAT_S * self._fps)))):
            self._writer.write(frame_bgr)
            self.pictures += 1
        self.written += max(0, due)

    def close(self) -> None:
        """Finish the file; repeated calls change nothing.

        Raises:
            SourceError: if it can't be written.
        """
        self._writer.close()

    def __enter__(self) -> Film:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
