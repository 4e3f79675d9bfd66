"""How an event is told: in words that the site and notifications share, and in the fields that programs get."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Any

from maskwatch.events import Event
from maskwatch.types import LABELS, EventKind, Verdict

__all__ = ["event_fields", "event_words"]

_VIOLATIONS: Mapping[Verdict | None, str] = {
    Verdict.WITHOUT_MASK: "no mask",
    Verdict.INCORRECT_MASK: "mask worn wrongly",
}
_DIGITS = 4


def event_words(event: Event) -> str:
    """Say what an event is about, in lower case; whether a violation began or is over isn't in it."""
    if event.kind is EventKind.CROWD:
        return f"{event.people} people at once" if event.people is not None else "more people than allowed"
    if event.kind is EventKind.CAMERA_OFFLINE:
        return "camera lost"
    if event.kind is EventKind.CAMERA_ONLINE:
        return "camera live"  # also when it had never been lost, as at the start
    return _VIOLATIONS.get(event.verdict, "no proper mask")


def event_fields(event: Event, zone: tzinfo | None) -> dict[str, Any]:
    """Return an event as the API and notifications tell it, but for its picture; JSON's kinds of values only.

    Args:
        event: as the record has it.
        zone: in which `time` is told; None for this machine's.
    """
    scores = {label.value: round(score, _DIGITS) for label, score in zip(LABELS, event.scores, strict=False)}
    return {
        "id": str(event.id),
        "kind": event.kind.value,
        "severity": event.severity.value,
        "camera": event.camera,
        "zone": event.zone,
        "rule": event.rule,
        "time": event.time_utc.astimezone(zone).isoformat(),
        "time_utc": event.time_utc.astimezone(UTC).isoformat(),
        "duration_s": None if event.duration_s is None else round(event.duration_s, 3),
        "verdict": None if event.verdict is None else event.verdict.value,
        "looks": event.looks,
        "scores": scores or None,
        "people": event.people,
        "track_id": event.track_id,
        "epoch": event.epoch,
        "note": event.note,
    }
