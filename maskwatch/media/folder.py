"""A folder of pictures as a source."""

from __future__ import annotations

import time
from pathlib import Path

from maskwatch.errors import DecodeError, SourceError, SourceUnsupported
from maskwatch.media.frame import FrameSource, Grab
from maskwatch.media.images import read_image
from maskwatch.media.loaded import Loaded
from maskwatch.media.suffixes import IMAGE_SUFFIXES

__all__ = ["FolderSource", "list_images"]


def list_images(folder: Path) -> list[Path]:
    """Return a folder's pictures, by suffix, sorted by name; sub-folders are left out.

    Raises:
        SourceError: if the folder can't be read.
    """
    try:
        return sorted(
            path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
        )
    except OSError as error:
        raise SourceError(f"{folder}: can't be read: {error.strerror}") from error


class FolderSource(FrameSource):
    """Pictures one after the other, 1/fps s apart; each may have a size of its own."""

    is_paced = True
    goes_on = True

    def __init__(self, folder: Path, *, width: int | None, rotate: int, fps: float) -> None:
        """List the pictures; arguments and errors as `maskwatch.media.open_source`."""
        super().__init__()
        self._paths = list_images(folder)
        if not self._paths:
            suffixes = ", ".join(sorted(IMAGE_SUFFIXES))
            raise SourceUnsupported(f"{folder}: no pictures; expected files ending in {suffixes}")
        self._width = width
        self._rotate = rotate
        self._next = 0
        self._good = 0
        self._time_s = 0.0
        self.fps: float = fps
        self.frames_expected = len(self._paths)
        self.duration_s = len(self._paths) / fps

    def grab(self) -> Grab | None:
        """Return the next picture; see `FrameSource.grab`."""
        if self._next >= len(self._paths):
            if not self._good:
                raise SourceUnsupported(f"{self._paths[0].parent}: none of its {self._next} pictures can be read")
            return None
        path, media_time_s = self._paths[self._next], self._time_s
        self._next += 1
        self._time_s += 1.0 / self.fps
        try:
            frame_bgr = read_image(path)
        except (DecodeError, SourceUnsupported) as error:
            raise DecodeError(str(error)) from error
        self._good += 1
        self._packet_at_s = time.monotonic()
        return Loaded(media_time_s, self._packet_at_s, source_bgr=frame_bgr, width=self._width, rotate=self._rotate)

    def retune(self, *, width: int | None, fps: float | None) -> None:
        """Scale and pace otherwise from the next picture on."""
        self._width = width
        self.fps = fps or self.fps

    def close(self) -> None:
        """Nothing is kept open between pictures."""
