"""A picture that is in memory as a source gave it, waiting to be looked at or converted."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import cv2
import numpy as np

from maskwatch.arrays import UInt8Array
from maskwatch.media.frame import GREY_CELL_PX, Grab, MediaFrame
from maskwatch.media.scale import grey_of, scaled

__all__ = ["Loaded"]


@dataclass(frozen=True, slots=True, eq=False)
class Loaded(Grab):
    """A BGR picture of the source's own size.

    Attributes:
        source_bgr: (H, W, 3) uint8.
        width: as `maskwatch.media.open_source`.
        rotate: as `maskwatch.media.open_source`.
    """

    source_bgr: UInt8Array = field(kw_only=True)
    width: int | None = field(kw_only=True)
    rotate: int = field(kw_only=True)

    def grey(self) -> UInt8Array:
        """Return a small grey picture; see `Grab.grey`."""
        luma = np.asarray(cv2.cvtColor(self.source_bgr, cv2.COLOR_BGR2GRAY), np.uint8)
        return grey_of(luma, self.width, self.rotate, GREY_CELL_PX)

    def frame(self) -> MediaFrame:
        """Scale and turn the picture; see `Grab.frame`."""
        began_s = time.monotonic()
        frame_bgr = scaled(self.source_bgr, self.width, self.rotate)
        took_s = time.monotonic() - began_s
        return MediaFrame(frame_bgr, self.media_time_s, self.captured_s, self.skipped, took_s, self.unseen)
