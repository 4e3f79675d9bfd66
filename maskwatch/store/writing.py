"""Writes records: each once, however often it comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import Connection

from maskwatch.errors import RecordRefused
from maskwatch.events import Event, PersonClosed, Record
from maskwatch.store.outbox import TOO_OLD_S, DeliveryState, database_now
from maskwatch.store.schema import QUARTER_S, CountedPerson, DeliveryRow, RecordedEvent, RejectedRecord, TallyRow
from maskwatch.store.upsert import insert_into
from maskwatch.store.values import Recorded, Rejected

__all__ = ["Audience", "nobody", "write"]

Audience: TypeAlias = Callable[[Event], Collection[str]]
"""Says who is to be told of an event: names of receivers."""

_FIRST_YEAR, _LAST_YEAR = 1970, 9998
"""A clock that was never set says 1970; at the calendar's ends times can't be told in other time zones."""


def nobody(_event: Event) -> Collection[str]:
    """Be the audience where nobody is told."""
    return ()


def write(
    connection: Connection,
    records: Sequence[Record],
    rejected: Sequence[Rejected],
    now_utc: datetime,
    audience: Audience = nobody,
) -> Recorded:
    """Write records and what was set aside, in the transaction of a connection that may write.

    Args:
        connection: whose caller commits.
        records: in any order; the first of several with one id counts.
        rejected: what was set aside.
        now_utc: when this is done; repeats of a person are known from here on until retention ends it.
        audience: asked once for each event that is new.

    Raises:
        RecordRefused: if a text holds a NUL, which PostgreSQL can't keep, or a time is absurd.
    """
    events: dict[UUID, Event] = {}
    people: dict[UUID, PersonClosed] = {}
    for record in records:
        _check(record)
        if isinstance(record, Event):
            events.setdefault(record.id, record)
        else:
            people.setdefault(record.id, record)
    # Everything is written in one order, so that two recorders with the same records wait for each other rather than
    # in a circle.
    new_events = _insert_new(connection, RecordedEvent, [_event_row(events[id_]) for id_ in sorted(events)])
    new_people = _insert_new(
        connection, CountedPerson, [{"id": id_, "recorded_utc": now_utc} for id_ in sorted(people)]
    )
    _add_tallies(connection, [people[id_] for id_ in new_people])
    told = _add_deliveries(connection, [events[id_] for id_ in sorted(new_events)], audience)
    _insert_new(connection, RejectedRecord, [_rejected_row(one) for one in sorted(rejected, key=lambda one: one.id)])
    new = len(new_events) + len(new_people)
    return Recorded(len(new_events), len(new_people), len(records) - new, frozenset(new_events), told)


def _insert_new(connection: Connection, table: type[Any], rows: Sequence[dict[str, Any]]) -> set[UUID]:
    """Insert rows whose id isn't there and return those ids."""
    if not rows:
        return set()
    insert = (
        insert_into(connection, table).on_conflict_do_nothing(index_elements=["id"]).returning(table.__table__.c.id)
    )
    return set(connection.execute(insert, rows).scalars())


def _add_tallies(connection: Connection, people: Sequence[PersonClosed]) -> None:
    sums = Counter((_minute(one.time_utc), one.camera, one.zone, one.verdict.value) for one in people)
    rows = [
        {
            "minute_utc": minute,
            "camera": camera,
            "zone": zone,
            "verdict": verdict,
            "quarter": int(minute.timestamp()) // QUARTER_S,
            "people": count,
        }
        for (minute, camera, zone, verdict), count in sorted(sums.items())
    ]
    if rows:
        insert = insert_into(connection, TallyRow)
        more = insert.on_conflict_do_update(
            index_elements=["minute_utc", "camera", "zone", "verdict"],
            set_={"people": TallyRow.__table__.c.people + insert.excluded.people},
        )
        connection.execute(more, rows)


def _add_deliveries(connection: Connection, events: Sequence[Event], audience: Audience) -> frozenset[str]:
    """Note who is to be told of new events and return those who are to be told now."""
    told = [(event, sorted(set(audience(event)))) for event in events]
    if not any(receivers for _event, receivers in told):
        return frozenset()
    now_utc = database_now(connection)
    too_old = now_utc - timedelta(seconds=TOO_OLD_S)
    rows: list[dict[str, Any]] = []
    for event, receivers in told:
        is_late = event.time_utc < too_old
        rows += [
            {
                "event_id": event.id,
                "receiver": receiver,
                "state": (DeliveryState.GIVEN_UP if is_late else DeliveryState.WAITING).value,
                "attempts": 0,
                "made_utc": now_utc,
                "next_utc": now_utc,
                "reason": "recorded more than 24 hours after it had happened" if is_late else "",
            }
            for receiver in receivers
        ]
    connection.execute(DeliveryRow.__table__.insert(), rows)  # type: ignore[attr-defined]
    return frozenset(row["receiver"] for row in rows if row["state"] == DeliveryState.WAITING.value)


def _minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def _event_row(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "kind": event.kind.value,
        "camera": event.camera,
        "epoch": event.epoch,
        "zone": event.zone,
        "rule": event.rule,
        "severity": event.severity.value,
        "time_utc": event.time_utc,
        "track_id": event.track_id,
        "duration_s": event.duration_s,
        "verdict": None if event.verdict is None else event.verdict.value,
        "looks": event.looks,
        "scores": list(event.scores),
        "people": event.people,
        "note": event.note,
        "snapshot": event.snapshot,
    }


def _rejected_row(one: Rejected) -> dict[str, Any]:
    # PostgreSQL keeps no NUL in a text; a reason may quote one.
    return {"id": one.id, "time_utc": one.time_utc, "reason": one.reason.replace("\0", "?"), "data": one.data}


def _check(record: Record) -> None:
    texts = [record.camera, record.zone]
    if isinstance(record, Event):
        texts += [record.epoch, record.rule, record.note, record.snapshot or ""]
    if not _FIRST_YEAR <= record.time_utc.year <= _LAST_YEAR:
        raise RecordRefused(
            f"record {record.id}: expected a time in the years {_FIRST_YEAR} to {_LAST_YEAR}, "
            f"received {record.time_utc.isoformat()}; is a clock wrong?"
        )
    if any("\0" in text for text in texts):
        raise RecordRefused(f"record {record.id}: expected texts without NUL characters, received one with")
