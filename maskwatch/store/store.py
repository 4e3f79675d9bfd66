"""The record: events, and how many people of which verdict went where and when."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from types import TracebackType
from uuid import UUID

from sqlalchemy import Connection

from maskwatch.events import Event, Record
from maskwatch.store import migrate, reading, retention
from maskwatch.store.engine import WRITING, make_engine, place_of, store_url, translated
from maskwatch.store.outbox import Outbox
from maskwatch.store.values import (
    By,
    ComplianceRow,
    EventFilter,
    EventPage,
    Purged,
    Recorded,
    Rejected,
    Retention,
    Tally,
)
from maskwatch.store.writing import Audience, nobody, write

__all__ = ["Store"]


class Store:
    """The record's database, SQLite or PostgreSQL; threads may share one.

    Nothing is opened before it is needed. Every method that asks the database raises `StoreDown` when it can't be
    reached and `StoreError` when it answers with an error, e.g. because nobody has made its tables yet.

    Args:
        url: `sqlite:////ABSOLUTE/PATH` or `postgresql://USER:PASSWORD@HOST/DATABASE`.
        audience: says who is to be told of an event that is recorded.

    Raises:
        ConfigError: if the address is another, or the driver isn't installed.
    """

    def __init__(self, url: str, audience: Audience = nobody) -> None:
        self._url = store_url(url)
        self._audience = audience
        self._engine = make_engine(self._url)
        self._writer = self._engine.execution_options(**WRITING)

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    @property
    def place(self) -> str:
        """Where it is, for people: without credentials."""
        return place_of(self._url)

    @property
    def outbox(self) -> Outbox:
        """What is to be told to whom."""
        return Outbox(self._reading, self._writing)

    def schema_version(self) -> str | None:
        """Return the version of the tables, None when there are none."""
        with self._reading("reading its version") as connection:
            return migrate.version_of(connection)

    def upgrade(self) -> None:
        """Make the tables, or bring them to this version's form; several processes may do so at once.

        Raises:
            StoreError: if a newer version of Maskwatch made them.
        """
        with self._writing("making its tables") as connection:
            migrate.upgrade(connection)

    def record(self, records: Sequence[Record], rejected: Sequence[Rejected] = ()) -> Recorded:
        """Write records in one transaction, each once, however often and by how many recorders it is written.

        Who is to be told of a new event is written with it, into the outbox.

        Args:
            records: events, and people who have gone, in any order.
            rejected: what was in the stream and is no record.

        Raises:
            RecordRefused: if one can't be kept as it is; nothing is written then.
        """
        with self._writing("writing records") as connection:
            return write(connection, records, rejected, datetime.now(UTC), self._audience)

    def event(self, id_: UUID) -> Event | None:
        """Return one event, or None when there is none of that id."""
        with self._reading("reading an event") as connection:
            return reading.read_event(connection, id_)

    def events(self, wanted: EventFilter | None = None, *, after: str | None = None, limit: int = 100) -> EventPage:
        """Return a page of events, newest first.

        Args:
            wanted: which; None asks for all.
            after: `next` of the page before, None for the first.
            limit: most rows of the page, 1 to 1000.

        Raises:
            WireError: if `after` isn't what an earlier page gave.
        """
        with self._reading("reading events") as connection:
            return reading.read_events(connection, wanted or EventFilter(), after, limit)

    def tallies(self, since: datetime, until: datetime, *, limit: int = 100_000) -> list[Tally]:
        """Return how many people went in each minute, oldest first.

        Args:
            since: not before this, with a time zone.
            until: before this.
            limit: most rows.
        """
        with self._reading("reading tallies") as connection:
            return reading.read_tallies(connection, since, until, limit)

    def compliance(
        self,
        since: datetime,
        until: datetime,
        cameras: Collection[str] | None = None,
        zones: Collection[str] | None = None,
        by: Sequence[By | str] = (),
        tz: tzinfo = UTC,
    ) -> list[ComplianceRow]:
        """Return how many people wore a mask properly, out of how many, with what can be said of it.

        A person counts once for the camera and once for each zone they were in. So unless it is told apart by zone, or
        zones are named, only the whole camera's numbers are summed up.

        Args:
            since: not before this, with a time zone; tallies are by minutes.
            until: before this.
            cameras: names; None or none asks for all.
            zones: names, "" for the whole camera; None as said above.
            by: what to tell apart, in the order of the rows; empty gives one row, or none when nobody has gone.
            tz: the time zone of hours, weekdays and days.

        Raises:
            ValueError: if `by` holds something else or the same twice.
        """
        keys = tuple(By(key) for key in by)
        if len(set(keys)) != len(keys):
            raise ValueError(f"by: expected each key once, received {', '.join(keys)}")
        if zones is None and By.ZONE not in keys:
            zones = ("",)
        with self._reading("reading compliance") as connection:
            return reading.read_compliance(connection, since, until, cameras or (), zones, keys, tz)

    def purge(self, kept: Retention, now_utc: datetime, *, budget_s: float = 60.0) -> Purged:
        """Remove what is older than its retention, in steps that others hardly notice.

        Args:
            kept: for how long.
            now_utc: the time, with a time zone.
            budget_s: after how many seconds to leave the rest for another time.

        Returns:
            What was removed; the pictures themselves are the caller's to delete.
        """
        with translated(self._url, "removing what is old"):
            return retention.purge(self._begin, kept, now_utc, budget_s)

    @contextmanager
    def _reading(self, doing: str) -> Iterator[Connection]:
        with translated(self._url, doing), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self, doing: str) -> Iterator[Connection]:
        with translated(self._url, doing), self._begin() as connection:
            yield connection

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        with self._writer.begin() as connection:
            yield connection
