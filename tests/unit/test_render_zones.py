"""Zones on a picture: to be seen, named, and no verdict's colour."""

from __future__ import annotations

import numpy as np
import pytest

from maskwatch.arrays import UInt8Array
from maskwatch.render import VERDICT_STYLES, draw_zones
from maskwatch.types import Verdict
from maskwatch.zones import Zone

DOOR = Zone("door", ((0.1, 0.2), (0.6, 0.2), (0.6, 0.9), (0.1, 0.9)))


def drawn(*zones: Zone, width: int = 640, height: int = 360, level: int = 60) -> UInt8Array:
    frame_bgr = np.full((height, width, 3), level, np.uint8)
    draw_zones(frame_bgr, zones)
    return frame_bgr


@pytest.mark.parametrize("level", [0, 255])
def test_outline_is_seen_on_light_and_dark_walls(level: int) -> None:
    picture = drawn(DOOR, level=level).astype(int)
    assert np.abs(picture[200, 58:70] - level).max() > 100
    assert (picture[200, 100:350] == level).all()
    assert (picture[:60] == level).all()


def test_name_stands_inside_at_the_top() -> None:
    inside = drawn(DOOR)[80:100, 80:140]
    assert (inside != drawn(Zone("d", DOOR.polygon_unit))[80:100, 80:140]).any()


def test_no_verdict_has_the_colour_of_a_zone() -> None:
    for zone in (DOOR, Zone("dark", DOOR.polygon_unit, is_ignored=True)):
        picture = drawn(zone)
        for verdict in Verdict:
            assert not np.all(picture == VERDICT_STYLES[verdict].colour_bgr, axis=-1).any()


def test_name_too_long_for_its_zone_is_cut_and_odd_zones_draw_something() -> None:
    drawn(Zone("n" * 32, ((0.5, 0.5), (0.52, 0.5), (0.51, 0.6))), width=64, height=36)
    whole = drawn(Zone("all", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))))
    assert (whole[0] != 60).any()
    assert (whole[-1] != 60).any()
