"""A record that never was: two weeks at a hospital's entrance and wards, for the pages, the API and the report."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from maskwatch.errors import StoreDown, WireError
from maskwatch.events import Event, PersonClosed, event_id, person_id
from maskwatch.store import By, ComplianceRow, EventFilter, EventPage
from maskwatch.types import EventKind, Severity, Verdict
from web.records import Counted

__all__ = ["BERLIN", "FakeRecords", "closed", "some_weeks", "violation"]

BERLIN = ZoneInfo("Europe/Berlin")
_PLACES = {"entrance": ("door", "desk"), "ward-3": ("bay",), "cafeteria": ("queue",), "staff-stairs": ()}
_PROPERLY = {"entrance": 0.93, "ward-3": 0.97, "cafeteria": 0.74, "staff-stairs": 0.82}
_A_DAY = {"entrance": 190, "ward-3": 60, "cafeteria": 110, "staff-stairs": 3}


class FakeRecords:
    """Records in memory; `down` makes every answer a `StoreDown`."""

    def __init__(self, records: Iterable[Event | PersonClosed] = ()) -> None:
        self.people: list[PersonClosed] = []
        self.happened: list[Event] = []
        self.pictures: dict[str, bytes] = {}
        self.down = False
        self.add(records)

    def add(self, records: Iterable[Event | PersonClosed]) -> None:
        """Record some more."""
        for record in records:
            if isinstance(record, Event):
                self.happened.append(record)
            else:
                self.people.append(record)
        self.happened.sort(key=lambda event: (event.time_utc, event.id.hex), reverse=True)

    def _asked(self) -> None:
        if self.down:
            raise StoreDown("SQLite /var/lib/maskwatch/record.db can't be used; is there room on its disk?")

    def events(self, wanted: EventFilter, after: str | None, limit: int) -> EventPage:
        """Return events, newest first."""
        self._asked()
        if after is not None and not after.isdigit():
            raise WireError("no such page")
        begin = int(after or 0)
        rows = [event for event in self.happened if _is_wanted(event, wanted)]
        more = begin + limit < len(rows)
        return EventPage(tuple(rows[begin : begin + limit]), str(begin + limit) if more else None)

    def event(self, id_: UUID) -> Event | None:
        """Return one event."""
        self._asked()
        return next((event for event in self.happened if event.id == id_), None)

    def compliance(self, asked: Counted, by: Sequence[By]) -> list[ComplianceRow]:
        """Return people by verdict."""
        self._asked()
        sums: dict[tuple[object, ...], dict[str, int]] = {}
        for person in self.people:
            if not asked.since <= person.time_utc < asked.until or person.camera not in (
                asked.cameras or [person.camera]
            ):
                continue
            if person.zone not in (asked.zones or ([person.zone] if By.ZONE in by else [""])):
                continue
            key = _key(person, by, asked.zone)
            sums.setdefault(key, {verdict.value: 0 for verdict in Verdict})[person.verdict.value] += 1
        names = [part.value for part in by]
        return [
            ComplianceRow(**counts, **dict(zip(names, key, strict=True)))  # type: ignore[arg-type]  # by name
            for key, counts in sorted(sums.items(), key=lambda item: item[0])
        ]

    def is_empty(self) -> bool:
        """Tell whether nothing was recorded."""
        self._asked()
        return not self.people and not self.happened

    def picture(self, key: str) -> bytes | None:
        """Return a picture."""
        return self.pictures.get(key)


def _key(person: PersonClosed, by: Sequence[By], zone: ZoneInfo) -> tuple[object, ...]:
    local = person.time_utc.astimezone(zone)
    values: dict[By, object] = {
        By.CAMERA: person.camera,
        By.ZONE: person.zone,
        By.DAY: local.date(),
        By.HOUR: local.hour,
        By.WEEKDAY: local.weekday(),
    }
    return tuple(values[part] for part in by)


def _is_wanted(event: Event, wanted: EventFilter) -> bool:
    if wanted.since is not None and event.time_utc < wanted.since:
        return False
    if wanted.until is not None and event.time_utc >= wanted.until:
        return False
    pairs: list[tuple[object, Sequence[object]]] = [
        (event.camera, wanted.cameras),
        (event.zone, wanted.zones),
        (event.kind, wanted.kinds),
        (event.rule, wanted.rules),
        (event.severity, wanted.severity),
    ]
    return all(not allowed or value in allowed for value, allowed in pairs)


def closed(
    number: int, verdict: Verdict, at: datetime, camera: str = "entrance", zones: Sequence[str] = ()
) -> list[PersonClosed]:
    """Return what is recorded of one person who has gone: one for the camera and one for each zone."""
    return [PersonClosed(person_id(f"{camera}-e", number, zone), camera, zone, verdict, at) for zone in ("", *zones)]


def violation(
    number: int, verdict: Verdict, at: datetime, lasted_s: float, camera: str = "entrance", zone: str = "door",
    *, snapshot: str | None = None, is_open: bool = False, severity: Severity = Severity.WARNING,
) -> list[Event]:  # fmt: skip
    """Return the beginning and the end of one violation.

    Args:
        number: of the track.
        verdict: of the person.
        at: when it began.
        lasted_s: for how long.
        camera: where.
        zone: where in its picture; the rule has its name.
        snapshot: key of a picture.
        is_open: whether it hasn't ended yet.
        severity: of the rule.
    """
    scores = (0.03, 0.94, 0.03) if verdict is Verdict.WITHOUT_MASK else (0.12, 0.06, 0.82)

    def one(kind: EventKind, time_utc: datetime, duration_s: float | None) -> Event:
        return Event(
            id=event_id(f"{camera}-e", number, zone, kind, 0), kind=kind, camera=camera, epoch=f"{camera}-e", zone=zone,
            rule=zone, severity=severity, time_utc=time_utc, track_id=number, duration_s=duration_s, verdict=verdict,
            looks=4 + number % 9, scores=scores, snapshot=snapshot if duration_s is not None else None,
        )  # fmt: skip

    began = one(EventKind.VIOLATION_STARTED, at, None)
    return [began] if is_open else [began, one(EventKind.VIOLATION_ENDED, at + timedelta(seconds=lasted_s), lasted_s)]


def some_weeks(
    last: date, days: int = 14, seed: int = 5, share: float = 1.0
) -> tuple[list[Event | PersonClosed], list[str]]:
    """Return what two weeks leave behind, the same for the same arguments, and the keys of the pictures.

    Args:
        last: the last day, in Berlin.
        days: how many.
        seed: of the chance.
        share: of the people, where fewer do.
    """
    draw = random.Random(seed)
    records: list[Event | PersonClosed] = []
    keys: list[str] = []
    number = 0
    for ago in range(days):
        day = last - timedelta(days=ago)
        for camera, usual in _A_DAY.items():
            busy = share * usual * (0.35 if day.weekday() >= 5 else 1.0) * draw.uniform(0.85, 1.15)
            for _ in range(round(busy)):
                number += 1
                hour = min(max(draw.gauss(12.5, 3.2), 6.0), 21.5)
                at = (datetime.combine(day, time(), BERLIN) + timedelta(hours=hour)).astimezone(UTC)
                at += timedelta(seconds=draw.randrange(60))
                verdict = _verdict(draw, camera, hour)
                zones = [zone for zone in _PLACES[camera] if draw.random() < 0.7]
                records += closed(number, verdict, at, camera, zones)
                is_wrong = verdict in (Verdict.WITHOUT_MASK, Verdict.INCORRECT_MASK)
                if is_wrong and zones and draw.random() < 0.55:
                    key = f"{camera}-{number}" if draw.random() < 0.8 else None
                    keys += [key] if key else []
                    severity = Severity.CRITICAL if camera == "ward-3" else Severity.WARNING
                    records += violation(
                        number, verdict, at - timedelta(seconds=40), draw.expovariate(1 / 14) + 3, camera, zones[0],
                        snapshot=key, severity=severity,
                    )  # fmt: skip
        if draw.random() < 0.4:
            records += _outage(day, "staff-stairs", draw)
        if day.weekday() < 5 and draw.random() < 0.5:
            records.append(_crowd(day, draw))
    return records, keys


def _verdict(draw: random.Random, camera: str, hour: float) -> Verdict:
    if draw.random() < (0.31 if camera == "cafeteria" else 0.14):
        return Verdict.UNKNOWN
    if draw.random() < _PROPERLY[camera] - 0.16 * math.exp(-((hour - 20) ** 2) / 8):
        return Verdict.WITH_MASK
    return Verdict.INCORRECT_MASK if draw.random() < 0.35 else Verdict.WITHOUT_MASK


def _outage(day: date, camera: str, draw: random.Random) -> list[Event]:
    at = datetime.combine(day, time(draw.randrange(1, 22), draw.randrange(60)), BERLIN).astimezone(UTC)
    back = at + timedelta(seconds=draw.randrange(20, 4000))
    return [
        Event(event_id(f"{camera}-{day}", None, "", kind, 0), kind, camera, f"{camera}-{day}", "", "", severity, when,
              duration_s=lasted, note=note)
        for kind, severity, when, lasted, note in (
            (EventKind.CAMERA_OFFLINE, Severity.WARNING, at, None, "no packet for 10 s"),
            (EventKind.CAMERA_ONLINE, Severity.INFO, back, (back - at).total_seconds(), ""),
        )
    ]  # fmt: skip


def _crowd(day: date, draw: random.Random) -> Event:
    at = datetime.combine(day, time(12, draw.randrange(60), draw.randrange(60)), BERLIN).astimezone(UTC)
    epoch = f"cafeteria-{day}"
    return Event(
        event_id(epoch, None, "at-most-8", EventKind.CROWD, 0), EventKind.CROWD, "cafeteria", epoch, "", "at-most-8",
        Severity.WARNING, at, people=9 + draw.randrange(6),
    )  # fmt: skip
