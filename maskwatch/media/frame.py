"""What every source gives and how it is asked."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from maskwatch.arrays import UInt8Array

__all__ = ["GREY_CELL_PX", "FrameSource", "Grab", "MediaFrame"]

GREY_CELL_PX = 4
"""Analysed pixels on a side of a grey picture's one: a face of 24 pixels is still 6 wide, and noise is averaged."""


@dataclass(frozen=True, slots=True, eq=False)
class MediaFrame:
    """One picture of a source.

    Attributes:
        frame_bgr: (H, W, 3) uint8, scaled and rotated as asked; the receiver owns it.
        media_time_s: seconds since the source's first picture by the source's own clock, never falling.
        captured_s: `time.monotonic()` when it was captured, as far as that can be told: when it arrived, less what
            the source has fallen behind.
        skipped: frames that were due before this one and were too old to be worth converting.
        unseen: frames that were due before this one and weren't decoded, since the scene was still.
        convert_s: seconds that converting, scaling and turning took.
    """

    frame_bgr: UInt8Array
    media_time_s: float
    captured_s: float
    skipped: int = 0
    convert_s: float = 0.0
    unseen: int = 0

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return int(self.frame_bgr.shape[1]), int(self.frame_bgr.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class Grab(ABC):
    """A picture that is due, as its source has it: cheap to look at, converted only when it is wanted.

    Attributes:
        media_time_s: as `MediaFrame`'s.
        captured_s: as `MediaFrame`'s.
        skipped: as `MediaFrame`'s.
        unseen: as `MediaFrame`'s.
    """

    media_time_s: float
    captured_s: float
    skipped: int = 0
    unseen: int = 0

    @abstractmethod
    def grey(self) -> UInt8Array:
        """Return (H, W) uint8, `GREY_CELL_PX` times smaller than the analysed frame, not turned; a new array."""

    @abstractmethod
    def frame(self) -> MediaFrame:
        """Convert, scale and turn the picture.

        Raises:
            SourceUnsupported: if its form can't be converted.
        """


class FrameSource(ABC):
    """A source that is open; a context manager. One thread reads; `packet_age_s` may be asked by any."""

    is_paced = False
    """Whether pictures come as fast as they are read, so that a live use has to wait for each one's time."""

    duration_s: float | None = None
    """Length in seconds, where it is known."""

    frames_expected: int | None = None
    """How many pictures `read` will give, about, where that is known."""

    fps: float | None = None
    """Frames per second that the source says it has."""

    goes_on = False
    """Whether a `DecodeError` of `read` is about one picture, so that the next `read` gives the one after it."""

    note: str = ""
    """What is wrong with a source that gave pictures all the same, for a person."""

    def __init__(self) -> None:
        self._packet_at_s: float | None = None

    remark: str = ""
    """What isn't as it was asked for though pictures come, for a person."""

    @abstractmethod
    def grab(self) -> Grab | None:
        """Return the next picture that is due, or None at the end of a source that has one.

        Raises:
            SourceLost: if nothing came within the time-out, or the source broke off; close it and open it again.
            SourceAuthError: if it refuses the credentials.
            SourceUnsupported: if it turned into something that can't be decoded here.
            DecodeError: if too much of it can't be decoded, or, where `goes_on`, this one picture.
        """

    def read(self) -> MediaFrame | None:
        """Return the next picture that is due, converted; errors as `grab`."""
        grab = self.grab()
        return None if grab is None else grab.frame()

    @property
    def decodes_keyframes_only(self) -> bool:
        """Whether pictures come from keyframes alone at the moment."""
        return False

    def rest(self, is_still: bool) -> None:  # noqa: B027 - most sources have nothing to save
        """Say whether the scene is still, so that a source may save work until it is told otherwise."""

    @abstractmethod
    def retune(self, *, width: int | None, fps: float | None) -> None:
        """Scale to another width and pick pictures at another rate from the next one on; from the reading thread."""

    @abstractmethod
    def close(self) -> None:
        """Give everything back; repeated calls change nothing."""

    @property
    def packet_age_s(self) -> float | None:
        """Seconds since data last came from the source, or None before the first."""
        at_s = self._packet_at_s
        return None if at_s is None else time.monotonic() - at_s

    def __iter__(self) -> Iterator[MediaFrame]:
        """Read until the end."""
        while (frame := self.read()) is not None:
            yield frame

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
