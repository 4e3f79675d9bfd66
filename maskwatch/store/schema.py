"""The tables of the record, the same in SQLite and PostgreSQL; `migrations` makes and changes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    Uuid,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

__all__ = [
    "QUARTER_S",
    "Base",
    "CountedPerson",
    "DeliveryRow",
    "ReceiverRow",
    "RecordedEvent",
    "RejectedRecord",
    "TallyRow",
    "UtcTime",
]

QUARTER_S = 900
"""Every time zone's offset is a multiple of a quarter of an hour, so sums by quarters can be told in any of them."""


class UtcTime(TypeDecorator[datetime]):
    """A moment: with its time zone in PostgreSQL, as UTC without one in SQLite, always aware in Python."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column's type."""
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn any aware time into UTC."""
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment if dialect.name == "postgresql" else moment.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give an aware time in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """All tables."""


class RecordedEvent(Base):
    """One event; the columns are the fields of `maskwatch.events.Event`."""

    __tablename__ = "events"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    camera: Mapped[str] = mapped_column(Text)
    epoch: Mapped[str] = mapped_column(Text)
    zone: Mapped[str] = mapped_column(Text)
    rule: Mapped[str] = mapped_column(Text)
    severity: Mapped[str] = mapped_column(String(16))
    time_utc: Mapped[datetime] = mapped_column(UtcTime)
    track_id: Mapped[int | None] = mapped_column(BigInteger)
    duration_s: Mapped[float | None] = mapped_column(Float(53))
    verdict: Mapped[str | None] = mapped_column(String(32))
    looks: Mapped[int] = mapped_column(BigInteger)
    scores: Mapped[list[float]] = mapped_column(JSON)
    people: Mapped[int | None] = mapped_column(BigInteger)
    note: Mapped[str] = mapped_column(Text)
    snapshot: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        Index("events_by_time", "time_utc", "id"),
        Index("events_by_camera", "camera", "time_utc", "id"),
    )


class TallyRow(Base):
    """People who went within one minute, by camera, zone and last verdict."""

    __tablename__ = "tallies"

    minute_utc: Mapped[datetime] = mapped_column(UtcTime, primary_key=True)
    camera: Mapped[str] = mapped_column(Text, primary_key=True)
    zone: Mapped[str] = mapped_column(Text, primary_key=True)
    verdict: Mapped[str] = mapped_column(String(32), primary_key=True)
    quarter: Mapped[int] = mapped_column(BigInteger)
    """The quarter of an hour the minute is in, counted from 1970: what sums are grouped by."""
    people: Mapped[int] = mapped_column(BigInteger)


class CountedPerson(Base):
    """A closed person who is in a tally already; kept for a while so that a repeat isn't counted."""

    __tablename__ = "counted"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    recorded_utc: Mapped[datetime] = mapped_column(UtcTime, index=True)


class RejectedRecord(Base):
    """Something in the stream that is no record."""

    __tablename__ = "rejected"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    time_utc: Mapped[datetime] = mapped_column(UtcTime, index=True)
    reason: Mapped[str] = mapped_column(Text)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class DeliveryRow(Base):
    """One event that one receiver is to be told of; made in the transaction that records the event, gone with it."""

    __tablename__ = "deliveries"

    event_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("events.id", ondelete="CASCADE"), primary_key=True)
    receiver: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(BigInteger)
    made_utc: Mapped[datetime] = mapped_column(UtcTime)
    next_utc: Mapped[datetime] = mapped_column(UtcTime)
    """Not tried before this."""
    reason: Mapped[str] = mapped_column(Text)
    """Why it was not told, the last time that it was tried."""

    __table_args__ = (Index("deliveries_by_state", "receiver", "state", "next_utc"),)


class ReceiverRow(Base):
    """How one receiver fares: who speaks with it just now, when it may be tried again, and how often what came out."""

    __tablename__ = "receivers"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    claim: Mapped[str | None] = mapped_column(String(32))
    claimed_until_utc: Mapped[datetime | None] = mapped_column(UtcTime)
    failures: Mapped[int] = mapped_column(BigInteger)
    """In a row, each the end of one drain."""
    next_utc: Mapped[datetime | None] = mapped_column(UtcTime)
    """Not tried before this, whatever waits."""
    reason: Mapped[str] = mapped_column(Text)
    sent_utc: Mapped[datetime | None] = mapped_column(UtcTime)
    sent: Mapped[int] = mapped_column(BigInteger)
    failed: Mapped[int] = mapped_column(BigInteger)
    quiet: Mapped[int] = mapped_column(BigInteger)
    given_up: Mapped[int] = mapped_column(BigInteger)
