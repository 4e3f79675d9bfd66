"""Answers questions from the record's tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import Connection, Select, and_, func, or_, select

from maskwatch.errors import WireError
from maskwatch.events import Event
from maskwatch.store.schema import QUARTER_S, RecordedEvent, TallyRow
from maskwatch.store.values import By, ComplianceRow, EventFilter, EventPage, Tally
from maskwatch.types import EventKind, Severity, Verdict

__all__ = ["MOST_ROWS", "event_of", "read_compliance", "read_event", "read_events", "read_tallies"]

MOST_ROWS = 1000
"""Of one page."""

_Query: TypeAlias = Select[*tuple[Any, ...]]
_BY_TIME = frozenset({By.HOUR, By.WEEKDAY, By.DAY})


def read_event(connection: Connection, id_: UUID) -> Event | None:
    """Return one event."""
    row = connection.execute(select(RecordedEvent.__table__).where(RecordedEvent.id == id_)).mappings().first()
    return None if row is None else event_of(row)


def read_events(connection: Connection, wanted: EventFilter, after: str | None, limit: int) -> EventPage:
    """Return a page of events, newest first.

    Raises:
        WireError: if `after` isn't what an earlier page gave.
    """
    limit = max(1, min(limit, MOST_ROWS))
    query = select(RecordedEvent.__table__).where(*_conditions(wanted))
    if after is not None:
        time_utc, id_ = _read_cursor(after)
        is_older = RecordedEvent.time_utc < time_utc
        is_next = and_(RecordedEvent.time_utc == time_utc, RecordedEvent.id < id_)
        # The first condition alone lets the index find where to begin.
        query = query.where(RecordedEvent.time_utc <= time_utc, or_(is_older, is_next))
    query = query.order_by(RecordedEvent.time_utc.desc(), RecordedEvent.id.desc()).limit(limit + 1)
    rows = [event_of(row) for row in connection.execute(query).mappings()]
    following = _cursor(rows[limit - 1]) if len(rows) > limit else None
    return EventPage(tuple(rows[:limit]), following)


def read_tallies(connection: Connection, since: datetime, until: datetime, limit: int) -> list[Tally]:
    """Return tallies, oldest first."""
    query = _within(select(TallyRow.__table__), since, until, (), None)
    query = query.order_by(TallyRow.minute_utc, TallyRow.camera, TallyRow.zone, TallyRow.verdict).limit(limit)
    return [
        Tally(row["minute_utc"], row["camera"], row["zone"], Verdict(row["verdict"]), row["people"])
        for row in connection.execute(query).mappings()
    ]


def read_compliance(
    connection: Connection,
    since: datetime,
    until: datetime,
    cameras: Collection[str],
    zones: Collection[str] | None,
    by: Sequence[By],
    zone_of_time: tzinfo,
) -> list[ComplianceRow]:
    """Sum tallies up; the keys' order is that of the rows."""
    keys = [column for column, key in ((TallyRow.camera, By.CAMERA), (TallyRow.zone, By.ZONE)) if key in by]
    is_by_time = bool(_BY_TIME & set(by))
    quarter = [TallyRow.quarter] if is_by_time else []
    query = select(*keys, *quarter, TallyRow.verdict, func.sum(TallyRow.people).label("people"))
    query = _within(query, since, until, cameras, zones).group_by(*keys, *quarter, TallyRow.verdict)
    sums: defaultdict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: dict.fromkeys(Verdict, 0))
    known: dict[int, datetime] = {}
    for row in connection.execute(query).mappings():
        local = None
        if is_by_time:
            number = row["quarter"]
            if number not in known:
                known[number] = datetime.fromtimestamp(number * QUARTER_S, UTC).astimezone(zone_of_time)
            local = known[number]
        sums[tuple(_key(one, row, local) for one in by)][row["verdict"]] += int(row["people"])
    return [_compliance(by, key, sums[key]) for key in sorted(sums)]


def _key(one: By, row: Any, local: datetime | None) -> Any:
    if local is None or one not in _BY_TIME:
        return row[one.value]
    if one is By.HOUR:
        return local.hour
    return local.weekday() if one is By.WEEKDAY else local.date()


def _compliance(by: Sequence[By], key: tuple[Any, ...], people: dict[str, int]) -> ComplianceRow:
    keys: dict[str, Any] = {one.value: part for one, part in zip(by, key, strict=True)}
    return ComplianceRow(
        with_mask=people[Verdict.WITH_MASK],
        without_mask=people[Verdict.WITHOUT_MASK],
        incorrect_mask=people[Verdict.INCORRECT_MASK],
        unknown=people[Verdict.UNKNOWN],
        **keys,
    )


def _conditions(wanted: EventFilter) -> list[Any]:
    lists: list[tuple[Any, Sequence[str]]] = [
        (RecordedEvent.camera, wanted.cameras),
        (RecordedEvent.zone, wanted.zones),
        (RecordedEvent.kind, [kind.value for kind in wanted.kinds]),
        (RecordedEvent.rule, wanted.rules),
        (RecordedEvent.severity, [severity.value for severity in wanted.severity]),
    ]
    conditions = [column.in_(values) for column, values in lists if values]
    if wanted.since is not None:
        conditions.append(RecordedEvent.time_utc >= wanted.since)
    if wanted.until is not None:
        conditions.append(RecordedEvent.time_utc < wanted.until)
    return conditions


def _within(
    query: _Query, since: datetime, until: datetime, cameras: Collection[str], zones: Collection[str] | None
) -> _Query:
    query = query.where(TallyRow.minute_utc >= since, TallyRow.minute_utc < until)
    if cameras:
        query = query.where(TallyRow.camera.in_(cameras))
    return query if zones is None else query.where(TallyRow.zone.in_(zones))


def event_of(row: Any) -> Event:
    """Return the event in a row that has all columns of `events`."""
    return Event(
        id=row["id"],
        kind=EventKind(row["kind"]),
        camera=row["camera"],
        epoch=row["epoch"],
        zone=row["zone"],
        rule=row["rule"],
        severity=Severity(row["severity"]),
        time_utc=row["time_utc"],
        track_id=row["track_id"],
        duration_s=row["duration_s"],
        verdict=None if row["verdict"] is None else Verdict(row["verdict"]),
        looks=row["looks"],
        scores=tuple(row["scores"]),
        people=row["people"],
        note=row["note"],
        snapshot=row["snapshot"],
    )


def _cursor(event: Event) -> str:
    return f"{event.time_utc:%Y%m%dT%H%M%S.%f}-{event.id.hex}"


def _read_cursor(text: str) -> tuple[datetime, UUID]:
    moment, _, id_ = text.partition("-")
    try:
        return datetime.strptime(moment, "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC), UUID(hex=id_)
    except ValueError:
        raise WireError(
            f"page of events: expected `after` as the page before gave it, received {text[:60]!r}; begin without"
        ) from None
