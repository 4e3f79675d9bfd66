"""What one finished turn adds to the counters, as `done.lua` reads it."""

from __future__ import annotations

from bisect import bisect_left

from maskwatch.broker import keys
from maskwatch.broker.messages import Done
from maskwatch.types import FrameResult, Person

__all__ = ["tally"]


def tally(item: Done) -> str:
    """Return `FIELD=N ...`: counters grow by N, gauges (`present:...`) become N.

    Faces are counted in every frame in which they were seen: with a label, with its chance, or as unlabelled, and with
    their size; so the three families have the same sum.
    """
    numbers = dict.fromkeys(keys.PRESENT, 0)

    def add(field: str, by: int = 1) -> None:
        numbers[field] = numbers.get(field, 0) + by

    for person in item.result.people:
        add(f"present:{person.verdict.value}")
        if not person.seen:
            continue
        size_px = _size_px(person, item.result)
        add(f"face_size:{bisect_left(keys.FACE_SIZE_BUCKETS_PX, size_px)}")
        add(keys.FACE_SIZE_SUM, round(size_px))
        if person.label is None:
            add(keys.UNLABELLED)
        else:
            chance = max(person.probabilities)
            add(f"faces:{person.label.value}")
            add(keys.confidence_field(person.label, bisect_left(keys.CONFIDENCE_BUCKETS, chance)))
            add(keys.confidence_field(person.label, "sum"), round(1000 * chance))
    for verdict in item.result.closed:
        add(f"people:{verdict.value}")
    for zone, verdict in item.left:
        add(keys.zone_field(zone, verdict))
    for kind in item.events:
        add(f"events:{kind.value}")
    if item.flips:
        add(keys.FLIPS, item.flips)
    return " ".join([f"{field}={number}" for field, number in numbers.items()])


def _size_px(person: Person, result: FrameResult) -> float:
    """Return the longest side of a face in pixels of the frame."""
    left, top, right, bottom = person.box_unit
    width, height = result.size_wh
    return max((right - left) * width, (bottom - top) * height)
