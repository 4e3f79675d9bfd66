from __future__ import annotations

from maskwatch.broker import keys
from maskwatch.broker.messages import Done
from maskwatch.broker.tally import tally
from maskwatch.types import EventKind, FrameResult, FrameStatus, MaskLabel, Person, Verdict


def person(size_px: float, label: MaskLabel | None = None, chance: float = 0.97, *, seen: bool = True) -> Person:
    """Return somebody in a frame of 640 x 360 whose face is so high."""
    box = (0.1, 0.1, 0.1 + size_px / 2 / 640, 0.1 + size_px / 360)
    chances = (chance, (1 - chance) / 2, (1 - chance) / 2) if label else ()
    return Person(1, box, 0.9, label, chances, Verdict.UNKNOWN, seen)


def fields(*people: Person, **more: object) -> dict[str, int]:
    """Return what a frame with these people adds, without the gauges and what it doesn't change."""
    result = FrameResult(FrameStatus.OK, (640, 360), people)
    text = tally(Done("lobby", "epoch", "token", result, b"", **more))  # type: ignore[arg-type]  # by name
    numbers = {name: int(number) for name, number in (item.split("=") for item in text.split())}
    return {name: number for name, number in numbers.items() if name not in keys.PRESENT}


def test_every_face_seen_has_a_size_and_a_label_or_none() -> None:
    found = fields(person(30, MaskLabel.WITH_MASK), person(200), person(50, seen=False))
    assert found == {
        "face_size:3": 1,
        "face_size:9": 1,
        "face_size_sum": 230,
        "faces:with_mask": 1,
        "confidence:with_mask:7": 1,
        "confidence:with_mask:sum": 970,
        "unlabelled": 1,
    }


def test_a_bucket_holds_its_upper_bound() -> None:
    assert "face_size:0" in fields(person(16 - 1e-6))
    assert "face_size:1" in fields(person(16.1))
    assert "confidence:with_mask:5" in fields(person(40, MaskLabel.WITH_MASK, 0.9))
    assert "confidence:with_mask:8" in fields(person(40, MaskLabel.WITH_MASK, 1.0))


def test_who_was_in_two_zones_counts_in_both() -> None:
    left = (("door", Verdict.WITH_MASK), ("desk", Verdict.WITH_MASK), ("door", Verdict.UNKNOWN))
    assert fields(left=left) == {"zone:door:with_mask": 1, "zone:desk:with_mask": 1, "zone:door:unknown": 1}


def test_flips_and_events_are_counted() -> None:
    found = fields(flips=2, events=(EventKind.CROWD, EventKind.CROWD))
    assert found == {"label_flips": 2, "events:crowd": 2}


def test_fields_of_a_camera_are_known_ones() -> None:
    found = fields(person(30, MaskLabel.WITH_MASK), person(200), flips=1, left=(("door", Verdict.UNKNOWN),))
    own = {name for name in found if not name.startswith(("confidence:", "zone:"))}
    assert own <= set(keys.COUNTERS)
