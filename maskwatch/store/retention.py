"""Removes what is older than its retention, a little at a time, so that nobody who records waits long."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select, update

from maskwatch.store.schema import CountedPerson, RecordedEvent, RejectedRecord, TallyRow
from maskwatch.store.values import Purged, Retention

__all__ = ["REPEATS_DAYS", "purge"]

REPEATS_DAYS = 30.0
"""For how long a person who was counted is known, from the counting on. A repeat comes within seconds of a worker's
death, or as late as somebody starts a recorder again over a stream that waited."""

_ROWS = 2000
"""Of one transaction: some ten milliseconds."""

Writing = Callable[[], AbstractContextManager[Connection]]


def purge(writing: Writing, retention: Retention, now_utc: datetime) -> Purged:
    """Remove what is too old.

    Args:
        writing: opens a transaction that may write and commits it at its end.
        retention: for how long things are kept.
        now_utc: the time, with a time zone.
    """

    def before(days: float) -> datetime:
        return now_utc - timedelta(days=days)

    keys = _forget_snapshots(writing, before(min(retention.snapshots_days, retention.events_days)))
    events = _delete(writing, RecordedEvent, RecordedEvent.time_utc, before(retention.events_days))
    rejected = _delete(writing, RejectedRecord, RejectedRecord.time_utc, before(retention.events_days))
    tallies = _delete_tallies(writing, before(retention.tallies_days))
    _delete(writing, CountedPerson, CountedPerson.recorded_utc, before(REPEATS_DAYS))
    return Purged(events, tallies, rejected, tuple(keys))


def _forget_snapshots(writing: Writing, before_utc: datetime) -> list[str]:
    """Take the pictures' keys out of old events and return them."""
    keys: list[str] = []
    is_old = (RecordedEvent.time_utc < before_utc) & RecordedEvent.snapshot.is_not(None)
    while True:
        with writing() as connection:
            some = connection.execute(select(RecordedEvent.id, RecordedEvent.snapshot).where(is_old).limit(_ROWS)).all()
            if some:
                ids = [id_ for id_, _key in some]
                connection.execute(update(RecordedEvent).where(RecordedEvent.id.in_(ids)).values(snapshot=None))
        keys += [key for _id, key in some if key is not None]
        if len(some) < _ROWS:
            return keys


def _delete(writing: Writing, table: type[Any], column: Any, before_utc: datetime) -> int:
    """Delete rows by age and return how many."""
    count = 0
    while True:
        with writing() as connection:
            ids = connection.execute(select(table.id).where(column < before_utc).limit(_ROWS)).scalars().all()
            if ids:
                connection.execute(delete(table).where(table.id.in_(ids)))
        count += len(ids)
        if len(ids) < _ROWS:
            return count


def _delete_tallies(writing: Writing, before_utc: datetime) -> int:
    """Delete tallies by age, minutes at a time, and return how many."""
    count = 0
    while True:
        with writing() as connection:
            oldest = select(TallyRow.minute_utc).where(TallyRow.minute_utc < before_utc)
            minutes = connection.execute(oldest.order_by(TallyRow.minute_utc).limit(_ROWS)).scalars().all()
            if minutes:
                is_among = (TallyRow.minute_utc >= minutes[0]) & (TallyRow.minute_utc <= minutes[-1])
                count += connection.execute(delete(TallyRow).where(is_among)).rowcount
        if len(minutes) < _ROWS:
            return count
