"""Zones and rules of a camera as values, the same in its settings, in Redis and in the workers.

Points are in 0..1 of the width and height of the analysed frame, from its upper left corner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from maskwatch.types import Severity

__all__ = [
    "DAYS",
    "MINUTES_A_DAY",
    "MOST_LOOKS",
    "MOST_RULES",
    "Point",
    "Rule",
    "Schedule",
    "Zone",
    "crossing",
    "holds",
]

Point: TypeAlias = tuple[float, float]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""The days of a week; a day's number is its place here."""

MINUTES_A_DAY = 24 * 60

MOST_LOOKS = 16
"""Looks at one person that are remembered one by one; a rule can't ask for more."""

MOST_RULES = 16
"""Zones, and rules, of one camera: what its state of 8 KB has room for."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A named part of a camera's picture.

    Attributes:
        name: unique within the camera.
        polygon_unit: at least three corners, in 0..1; its sides don't cross.
        is_ignored: whether it is painted black before anybody looks at the picture, so that nothing happens in it.
    """

    name: str
    polygon_unit: tuple[Point, ...]
    is_ignored: bool = False


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a rule holds, by the clocks on the walls of a time zone.

    Attributes:
        days: numbers of the days on which it begins, 0 for Monday.
        start_min: minutes since midnight from which on it holds.
        end_min: minutes since midnight before which it holds, up to 1440; at or before the start, on the next day.
        timezone: name in the IANA database, e.g. Europe/Berlin.
    """

    days: tuple[int, ...]
    start_min: int
    end_min: int
    timezone: str


@dataclass(frozen=True, slots=True)
class Rule:
    """What is to be reported of a camera.

    Attributes:
        name: unique within the camera.
        zone: where it holds; "" for the whole picture.
        requires_mask: whether a person seen without a mask worn properly is a violation.
        crowd: more people than this at once are a crowd; None: any number may be there.
        schedule: when it holds; None: always.
        looks_of: newest looks at one person that are asked.
        looks_at_least: of these have to be against the rule.
        grace_s: seconds for which it has to last before it is reported.
        cooldown_s: seconds after its end before the same is reported again of the same person, or of a crowd.
        severity: how much it matters.
    """

    name: str
    zone: str = ""
    requires_mask: bool = True
    crowd: int | None = None
    schedule: Schedule | None = None
    looks_of: int = 5
    looks_at_least: int = 3
    grace_s: float = 2.0
    cooldown_s: float = 30.0
    severity: Severity = Severity.WARNING


def holds(polygon_unit: Sequence[Point], point: Point) -> bool:
    """Tell whether a point is inside a polygon; of two zones that share a side it is in one, never in both.

    Source: M. Shimrat, "Algorithm 112: Position of point relative to polygon", 1962 (crossings of a ray, even or odd).
    """
    x, y = point
    inside = False
    for (ax, ay), (bx, by) in zip(polygon_unit, [*polygon_unit[1:], polygon_unit[0]], strict=True):
        if (ay > y) != (by > y):
            # Both directions of a side give the very same number, so that neighbours agree on whose a point is.
            (lx, ly), (hx, hy) = ((ax, ay), (bx, by)) if ay < by else ((bx, by), (ax, ay))
            if x < lx + (y - ly) / (hy - ly) * (hx - lx):
                inside = not inside
    return inside


def crossing(polygon_unit: Sequence[Point]) -> tuple[int, int] | None:
    """Return the numbers (from 1) of two sides that cross or touch without being neighbours, or None.

    Side n goes from corner n to the next one.
    """
    count = len(polygon_unit)
    sides = [(polygon_unit[at], polygon_unit[(at + 1) % count]) for at in range(count)]
    for first in range(count):
        for second in range(first + 1, count):
            if second == first + 1 or (first == 0 and second == count - 1):
                if _folds_back(sides, first, second):
                    return first + 1, second + 1
            elif _meet(*sides[first], *sides[second]):
                return first + 1, second + 1
    return None


def _turn(a: Point, b: Point, c: Point) -> float:
    """Return on which side of the line from a to b the point c lies: above 0, below 0, or 0 upon it."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _spans(a: Point, b: Point, c: Point) -> bool:
    """Tell whether c, which is on the line through a and b, is between them."""
    return min(a[0], b[0]) <= c[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= c[1] <= max(a[1], b[1])


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Tell whether the sides a-b and c-d have a point in common."""
    turns = (_turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b))
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    places = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(turn == 0 and _spans(*place) for turn, place in zip(turns, places, strict=True))


def _folds_back(sides: Sequence[tuple[Point, Point]], first: int, second: int) -> bool:
    """Tell whether two neighbouring sides lie upon each other, or one has no length."""
    (a, b), (c, d) = sides[first], sides[second]
    if a == b or c == d:
        return True
    before, corner, after = (a, b, d) if b == c else (c, d, b)
    if _turn(before, corner, after) != 0:
        return False
    return (before[0] - corner[0]) * (after[0] - corner[0]) + (before[1] - corner[1]) * (after[1] - corner[1]) > 0
