"""Paints ignored zones black before a picture is looked at or leaves ingest."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from maskwatch.arrays import UInt8Array
from maskwatch.media.frame import MediaFrame
from maskwatch.settings import CameraSettings
from maskwatch.zones import Point

__all__ = ["Blackout"]

_SHIFT = 4
"""Bits below the pixel in the corners that OpenCV is given; it paints every pixel that a side touches."""


@dataclass(frozen=True, slots=True)
class Blackout:
    """What nobody may see of a camera.

    Attributes:
        polygons_unit: corners in 0..1 of the analysed frame.
        rotate: degrees clockwise by which the source's picture is turned for that.
    """

    polygons_unit: tuple[tuple[Point, ...], ...] = ()
    rotate: int = 0

    @staticmethod
    def of(settings: CameraSettings) -> Blackout:
        """Return what the settings of a camera say."""
        ignored = tuple(zone.polygon_unit for zone in settings.zone_values if zone.is_ignored)
        return Blackout(ignored, settings.rotate)

    def frame(self, frame: MediaFrame) -> MediaFrame:
        """Return a frame without what is ignored; the picture of the one that is given may be painted upon."""
        if not self.polygons_unit:
            return frame
        return replace(frame, frame_bgr=_painted(frame.frame_bgr, self.polygons_unit))

    def grey(self, grey: UInt8Array) -> UInt8Array:
        """Return a grey picture, which isn't turned, without what is ignored; as `frame`."""
        if not self.polygons_unit:
            return grey
        return _painted(grey, tuple(tuple(_unturned(one, self.rotate) for one in each) for each in self.polygons_unit))


def _painted(picture: UInt8Array, polygons_unit: tuple[tuple[Point, ...], ...]) -> UInt8Array:
    flags = picture.flags
    if not (flags.c_contiguous and flags.writeable):
        picture = np.array(picture, order="C")
    scale = np.array([picture.shape[1], picture.shape[0]], np.float64)
    for polygon in polygons_unit:
        # A corner at 0.5 of two pixels lies between them; OpenCV counts from a pixel's centre.
        corners = np.round((np.array(polygon) * scale - 0.5) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(picture, [corners], (0, 0, 0), shift=_SHIFT)
    return picture


def _unturned(point: Point, rotate: int) -> Point:
    """Return where a point of the turned picture is in the one that isn't."""
    x, y = point
    return {0: (x, y), 90: (y, 1 - x), 180: (1 - x, 1 - y), 270: (1 - y, x)}[rotate]
