"""In which zones a face is; pure."""

from __future__ import annotations

from collections.abc import Sequence

from maskwatch.zones import Zone, holds

__all__ = ["zones_at"]


def zones_at(zones: Sequence[Zone], box_unit: tuple[float, float, float, float]) -> frozenset[str]:
    """Return the names of the zones that hold the centre of a face's box; ignored ones hold nobody.

    Args:
        zones: of the camera.
        box_unit: left, top, right, bottom in 0..1 of the frame's width and height.
    """
    centre = (box_unit[0] + box_unit[2]) / 2, (box_unit[1] + box_unit[3]) / 2
    return frozenset(zone.name for zone in zones if not zone.is_ignored and holds(zone.polygon_unit, centre))
