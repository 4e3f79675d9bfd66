"""Removes what is older than its retention, a little at a time, so that nobody who records waits long."""

from __future__ import annotations

import time
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


def purge(writing: Writing, retention: Retention, now_utc: datetime, budget_s: float) -> Purged:
    """Remove what is too old.

    Args:
        writing: opens a transaction that may write and commits it at its end.
        retention: for how long things are kept.
        now_utc: the time, with a time zone.
        budget_s: after how many seconds to leave the rest for another time.
    """
    purge = _Purge(writing, time.monotonic() + budget_s)

    def before(days: float) -> datetime:
        return now_utc - timedelta(days=days)

    keys = purge.snapshots(before(min(retention.snapshots_days, retention.events_days)))
    events = purge.rows(RecordedEvent, RecordedEvent.time_utc, before(retention.events_days))
    rejected = purge.rows(RejectedRecord, RejectedRecord.time_utc, before(retention.events_days))
    tallies = purge.tallies(before(retention.tallies_days))
    purge.rows(CountedPerson, CountedPerson.recorded_utc, before(REPEATS_DAYS))
    return Purged(events, tallies, rejected, tuple(keys), purge.is_all)


class _Purge:
    """One round; each method goes on until nothing old is left or time is up."""

    def __init__(self, writing: Writing, ends_at_s: float) -> None:
        self._writing = writing
        self._ends_at_s = ends_at_s
        self.is_all = True

    def snapshots(self, before_utc: datetime) -> list[str]:
        """Take the pictures' keys out of old events and return them."""
        keys: list[str] = []
        is_old = (RecordedEvent.time_utc < before_utc) & RecordedEvent.snapshot.is_not(None)
        query = select(RecordedEvent.id, RecordedEvent.snapshot).where(is_old).limit(_ROWS)

        def some(connection: Connection) -> int:
            found = connection.execute(query).all()
            ids = [id_ for id_, _key in found]
            connection.execute(update(RecordedEvent).where(RecordedEvent.id.in_(ids)).values(snapshot=None))
            keys.extend(key for _id, key in found if key is not None)
            return len(found)

        self._repeat(some)
        return keys

    def rows(self, table: type[Any], column: Any, before_utc: datetime) -> int:
        """Delete rows by age and return how many."""

        def some(connection: Connection) -> int:
            ids = connection.execute(select(table.id).where(column < before_utc).limit(_ROWS)).scalars().all()
            connection.execute(delete(table).where(table.id.in_(ids)))
            return len(ids)

        return self._repeat(some)

    def tallies(self, before_utc: datetime) -> int:
        """Delete tallies by age, whole minutes at a time, and return how many."""
        oldest = select(TallyRow.minute_utc).where(TallyRow.minute_utc < before_utc)
        oldest = oldest.order_by(TallyRow.minute_utc).limit(_ROWS)

        def some(connection: Connection) -> int:
            minutes = connection.execute(oldest).scalars().all()
            if not minutes:
                return 0
            return connection.execute(delete(TallyRow).where(TallyRow.minute_utc <= minutes[-1])).rowcount

        return self._repeat(some)

    def _repeat(self, some: Callable[[Connection], int]) -> int:
        """Call something, each time in a transaction of its own, while it finds a full portion; return the sum."""
        count = 0
        while True:
            if time.monotonic() > self._ends_at_s:
                self.is_all = False
                return count
            with self._writing() as connection:
                found = some(connection)
            count += found
            if found < _ROWS:
                return count
