"""Looks into the outbox, and lets time pass there: its clock is the database's, which tests can't turn."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import create_engine, select, update

from maskwatch.store.engine import store_url
from maskwatch.store.schema import DeliveryRow, ReceiverRow, RecordedEvent

__all__ = ["let_pass", "states"]


def states(url: str, receiver: str = "ward") -> dict[int | None, tuple[str, str]]:
    """Return state and reason of a receiver's deliveries, by the track that the event is about."""
    query = select(RecordedEvent.track_id, DeliveryRow.state, DeliveryRow.reason)
    query = query.join(DeliveryRow, DeliveryRow.event_id == RecordedEvent.id).where(DeliveryRow.receiver == receiver)
    engine = create_engine(store_url(url))
    with engine.connect() as connection:
        found = {track: (state, reason) for track, state, reason in connection.execute(query)}
    engine.dispose()
    return found


def let_pass(url: str, seconds: float) -> None:
    """Make everything in the outbox older."""
    span = timedelta(seconds=seconds)
    engine = create_engine(store_url(url))
    with engine.begin() as connection:
        for row in connection.execute(select(DeliveryRow.__table__)).mappings().all():
            is_this = (DeliveryRow.event_id == row["event_id"]) & (DeliveryRow.receiver == row["receiver"])
            values = {"made_utc": row["made_utc"] - span, "next_utc": row["next_utc"] - span}
            connection.execute(update(DeliveryRow).where(is_this).values(**values))
        for row in connection.execute(select(ReceiverRow.__table__)).mappings().all():
            times = {key: row[key] - span for key in ("claimed_until_utc", "next_utc") if row[key] is not None}
            if times:
                connection.execute(update(ReceiverRow).where(ReceiverRow.name == row["name"]).values(**times))
    engine.dispose()
