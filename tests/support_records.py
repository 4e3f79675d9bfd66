"""Records for tests: short ways to say what happened."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid5

from maskwatch.events import Event, PersonClosed
from maskwatch.types import EventKind, Severity, Verdict

__all__ = ["NOON", "an_event", "somebody"]

NOON = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
_NAMESPACE = UUID(int=7)


def an_event(number: int, **fields: object) -> Event:
    """Make the n-th event, whose id and track say which it is."""
    values: dict[str, object] = {
        "id": uuid5(_NAMESPACE, f"event {number}"),
        "kind": EventKind.VIOLATION_ENDED,
        "camera": "lobby",
        "epoch": "abc",
        "zone": "door",
        "rule": "masks",
        "severity": Severity.WARNING,
        "time_utc": NOON,
        "track_id": number,
    }
    return Event(**(values | fields))  # type: ignore[arg-type]


def somebody(
    number: int, verdict: Verdict = Verdict.WITH_MASK, *, camera: str = "lobby", zone: str = "", at: datetime = NOON
) -> PersonClosed:
    """Make the n-th person who has gone."""
    return PersonClosed(uuid5(_NAMESPACE, f"person {number} {camera} {zone}"), camera, zone, verdict, at)
