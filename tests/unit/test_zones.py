"""Polygons: who is inside, and which ones are no polygons."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwatch.zones import Point, crossing, holds

SQUARE = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))
ELL = ((0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.5, 0.5), (0.5, 1.0), (0.0, 1.0))
UNIT = st.floats(0, 1)


@pytest.mark.parametrize(("point", "inside"), [((0.5, 0.5), True), ((0.2, 0.5), False), ((0.5, 0.8), False)])
def test_point_is_inside_a_square_or_not(point: Point, inside: bool) -> None:
    assert holds(SQUARE, point) is inside
    assert holds(SQUARE[::-1], point) is inside


def test_corner_that_is_cut_out_is_outside() -> None:
    assert holds(ELL, (0.25, 0.9))
    assert holds(ELL, (0.9, 0.25))
    assert not holds(ELL, (0.75, 0.75))


@settings(deadline=None)
@given(UNIT, UNIT, UNIT, UNIT)
def test_of_two_zones_that_share_a_side_a_point_is_in_exactly_one(
    x: float, y: float, top: float, bottom: float
) -> None:
    left = ((-1.0, -1.0), (top, -1.0), (bottom, 2.0), (-1.0, 2.0))
    right = ((top, -1.0), (3.0, -1.0), (3.0, 2.0), (bottom, 2.0))
    assert holds(left, (x, y)) != holds(right, (x, y))


@settings(deadline=None)
@given(st.integers(3, 32), st.floats(0.05, 0.5), st.floats(0, 2 * math.pi))
def test_corners_around_a_circle_make_a_polygon_that_holds_its_centre(count: int, radius: float, turn: float) -> None:
    corners = [
        (0.5 + radius * math.cos(turn + math.tau * at / count), 0.5 + radius * math.sin(turn + math.tau * at / count))
        for at in range(count)
    ]
    assert crossing(corners) is None
    assert holds(corners, (0.5, 0.5))
    assert not holds(corners, (0.5 + 1.1 * radius, 0.5))


@pytest.mark.parametrize(
    ("corners", "sides"),
    [
        (((0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9)), (1, 3)),
        (((0.0, 0.0), (1.0, 0.0), (0.5, 0.0)), (1, 2)),
        (((0.0, 0.0), (0.0, 0.0), (0.5, 0.5)), (1, 2)),
        (((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.0), (0.0, 1.0)), (1, 3)),
    ],
)
def test_sides_that_cross_touch_or_fold_back_are_named(corners: tuple[Point, ...], sides: tuple[int, int]) -> None:
    assert crossing(corners) == sides


def test_straight_corner_is_no_crossing() -> None:
    assert crossing(((0.0, 0.0), (0.5, 0.0), (1.0, 0.0), (0.5, 1.0))) is None
