"""What is kept: events and closed people, as values and as the bytes that travel through the durable stream.

A record's id is made from what it is about, so a worker that says the same thing again after a crash says it under the
same id, and whoever keeps records keeps one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias, TypeVar
from uuid import UUID, uuid5

from maskwatch.errors import WireError
from maskwatch.types import LABELS, EventKind, Severity, Verdict

__all__ = [
    "RECORD_VERSION",
    "Event",
    "PersonClosed",
    "Record",
    "event_id",
    "pack_record",
    "person_id",
    "unpack_record",
]

RECORD_VERSION: Final = 1
"""Raised whenever a record changes its form; a reader takes its own version only."""

_NAMESPACE: Final = UUID("0f6f8a52-6d0f-5f0c-9a3e-7c1d2b4e8a10")
"""Never changed: ids that were given out depend on it."""

_MOST_BYTES: Final = 16_384
_LONGEST_TEXT: Final = 1024

E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at a camera.

    Attributes:
        id: as `event_id` makes it.
        kind: what happened.
        camera: where.
        epoch: of the hold of the camera under which it happened.
        zone: name of the zone that the rule watches, "" for the whole camera.
        rule: name of the rule, "" for events of the camera itself.
        severity: how much it matters.
        time_utc: when, by the clock of the process that says so; with a time zone; for display and reports.
        track_id: whom it is about, or None when it isn't about one person.
        duration_s: how long it lasted, for what has ended; else None.
        verdict: the track's verdict when it happened, or None.
        looks: how many classified looks at the face it rests on.
        scores: mean chance of each of `LABELS` over those looks, or empty.
        people: how many people a crowd had, or None.
        note: more for a person, e.g. why a camera is offline; never a credential.
        snapshot: key of its picture, or None when there is none or none is allowed.
    """

    id: UUID
    kind: EventKind
    camera: str
    epoch: str
    zone: str
    rule: str
    severity: Severity
    time_utc: datetime
    track_id: int | None = None
    duration_s: float | None = None
    verdict: Verdict | None = None
    looks: int = 0
    scores: tuple[float, ...] = ()
    people: int | None = None
    note: str = ""
    snapshot: str | None = None


@dataclass(frozen=True, slots=True)
class PersonClosed:
    """One person who has gone, counted once for the camera and once for each zone they were in: tallies are sums of it.

    Attributes:
        id: as `person_id` makes it.
        camera: where.
        zone: name of the zone, "" for the whole camera.
        verdict: the track's last verdict.
        time_utc: when the track was closed; with a time zone.
    """

    id: UUID
    camera: str
    zone: str
    verdict: Verdict
    time_utc: datetime


Record: TypeAlias = Event | PersonClosed


def event_id(epoch: str, track_id: int | None, rule: str, kind: EventKind, ordinal: int) -> UUID:
    """Return the id of an event; the same for the same event, whoever makes it and how often.

    Args:
        epoch: of the camera's hold; random, so it tells cameras apart too.
        track_id: whom it is about, or None.
        rule: name of the rule, "" for events of the camera itself.
        kind: what happened.
        ordinal: how often this has happened before under the same epoch, track and rule.
    """
    return uuid5(_NAMESPACE, json.dumps(["event", epoch, track_id, rule, kind.value, ordinal]))


def person_id(epoch: str, track_id: int, zone: str) -> UUID:
    """Return the id under which a closed track counts in one zone ("" for the whole camera)."""
    return uuid5(_NAMESPACE, json.dumps(["person", epoch, track_id, zone]))


def pack_record(record: Record) -> bytes:
    """Write a record as JSON (UTF-8).

    Raises:
        WireError: if a number in it is infinite or none, a time lacks its time zone, or it is too long to be read.
    """
    what = f"record {record.id}"
    fields: dict[str, object] = {
        "version": RECORD_VERSION,
        "id": str(record.id),
        "camera": record.camera,
        "zone": record.zone,
        "time_utc": _written_time(record.time_utc, what),
    }
    if isinstance(record, PersonClosed):
        fields |= {"type": "person", "verdict": record.verdict.value}
    else:
        fields |= _event_fields(record)
    try:
        data = json.dumps(fields, allow_nan=False, separators=(",", ":"), ensure_ascii=False).encode()
    except ValueError as error:
        raise WireError(f"{what}: expected finite numbers and valid text, received another ({error})") from error
    # Whatever is written here has to be readable there, or it would be set aside as poison.
    unpack_record(data)
    return data


def unpack_record(data: bytes) -> Record:
    """Read a record.

    Raises:
        WireError: if it has another version or form; says which field, what was expected and what was received.
    """
    fields = _Fields.of(data)
    kind = fields.text("type")
    if kind == "person":
        return PersonClosed(
            id=fields.uuid("id"),
            camera=fields.name("camera"),
            zone=fields.text("zone"),
            verdict=fields.one_of("verdict", Verdict),
            time_utc=fields.time("time_utc"),
        )
    if kind != "event":
        raise fields.wrong("type", "event or person", kind)
    return Event(
        id=fields.uuid("id"),
        kind=fields.one_of("kind", EventKind),
        camera=fields.name("camera"),
        epoch=fields.text("epoch"),
        zone=fields.text("zone"),
        rule=fields.text("rule"),
        severity=fields.one_of("severity", Severity),
        time_utc=fields.time("time_utc"),
        track_id=fields.optional("track_id", fields.whole),
        duration_s=fields.optional("duration_s", fields.number),
        verdict=fields.optional("verdict", lambda key: fields.one_of(key, Verdict)),
        looks=fields.whole("looks"),
        scores=fields.scores("scores"),
        people=fields.optional("people", fields.whole),
        note=fields.text("note"),
        snapshot=fields.optional("snapshot", fields.name),
    )


def _event_fields(event: Event) -> dict[str, object]:
    return {
        "type": "event",
        "kind": event.kind.value,
        "epoch": event.epoch,
        "rule": event.rule,
        "severity": event.severity.value,
        "track_id": event.track_id,
        "duration_s": event.duration_s,
        "verdict": None if event.verdict is None else event.verdict.value,
        "looks": event.looks,
        "scores": list(event.scores),
        "people": event.people,
        "note": event.note,
        "snapshot": event.snapshot,
    }


def _written_time(value: datetime, what: str) -> str:
    if value.tzinfo is None:
        raise WireError(f"{what}, time_utc: expected a time with its time zone, received {value.isoformat()}")
    return value.astimezone(UTC).isoformat()


T = TypeVar("T")


class _Fields:
    """The fields of one record, each checked when it is taken."""

    def __init__(self, values: Mapping[str, object], what: str) -> None:
        self._values = values
        self._what = what

    @classmethod
    def of(cls, data: bytes) -> _Fields:
        if len(data) > _MOST_BYTES:
            raise WireError(f"record: expected at most {_MOST_BYTES} bytes, received {len(data)}")
        try:
            values: Any = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise WireError(f"record: expected JSON, received {len(data)} other bytes ({error})") from error
        if not isinstance(values, dict):
            raise WireError(f"record: expected a JSON object, received {_short(values)}")
        fields = cls(values, f"record {_short(values.get('id'))}")
        version = values.get("version")
        if version != RECORD_VERSION or isinstance(version, bool):
            raise WireError(
                f"{fields._what}: expected version {RECORD_VERSION}, received {_short(version)}; "
                "run the same version of Maskwatch everywhere"
            )
        return fields

    def text(self, key: str) -> str:
        value = self._values.get(key)
        if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
            raise self.wrong(key, f"text of at most {_LONGEST_TEXT} characters", value)
        try:
            value.encode()
        except UnicodeEncodeError:
            raise self.wrong(key, "valid Unicode", value) from None
        return value

    def name(self, key: str) -> str:
        value = self.text(key)
        if not value:
            raise self.wrong(key, "a name", value)
        return value

    def uuid(self, key: str) -> UUID:
        value = self.text(key)
        try:
            return UUID(value)
        except ValueError:
            raise self.wrong(key, "a UUID", value) from None

    def time(self, key: str) -> datetime:
        value = self.text(key)
        try:
            time = datetime.fromisoformat(value)
            if time.tzinfo is None:
                raise ValueError("no time zone")
            return time.astimezone(UTC)
        except (ValueError, OverflowError):
            raise self.wrong(key, "a time in ISO 8601 with its time zone", value) from None

    def whole(self, key: str) -> int:
        value = self._values.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
            raise self.wrong(key, "an integer >= 0", value)
        return value

    def number(self, key: str) -> float:
        return self._number(key, self._values.get(key))

    def scores(self, key: str) -> tuple[float, ...]:
        value = self._values.get(key)
        if not isinstance(value, list) or len(value) not in (0, len(LABELS)):
            raise self.wrong(key, f"a list of {len(LABELS)} numbers or an empty one", value)
        return tuple(self._number(key, one) for one in value)

    def one_of(self, key: str, values: type[E]) -> E:
        value = self._values.get(key)
        if not isinstance(value, str) or value not in set(values):
            raise self.wrong(key, "one of " + ", ".join(values), value)
        return values(value)

    def optional(self, key: str, take: Callable[[str], T]) -> T | None:
        return None if self._values.get(key) is None else take(key)

    def wrong(self, key: str, expected: str, received: object) -> WireError:
        return WireError(f"{self._what}, {key}: expected {expected}, received {_short(received)}")

    def _number(self, key: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise self.wrong(key, "a finite number >= 0", value)
        return float(value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
