"""The outbox: which receiver is to be told of which event, what has become of it, and who speaks with whom just now.

A delivery is written in the transaction that records its event, so there is none without the other. Whoever delivers
claims a receiver first, settles each delivery when its outcome is known, and releases the receiver: a death in between
leaves deliveries that are tried again, under the same event's id.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, and_, case, func, or_, select, update

from maskwatch.events import Event
from maskwatch.store.reading import event_of
from maskwatch.store.schema import DeliveryRow, ReceiverRow, RecordedEvent
from maskwatch.store.upsert import insert_into

__all__ = ["TOO_OLD_S", "Delivery", "DeliveryState", "Outbox", "ReceiverView", "database_now"]

TOO_OLD_S = 24 * 3600.0
"""Nobody is helped by an alarm of the day before yesterday; the record has it."""

_LONGEST_REASON = 500
_Opening = Callable[[str], AbstractContextManager[Connection]]


class DeliveryState(StrEnum):
    """What has become of a delivery."""

    WAITING = "waiting"
    SENT = "sent"
    QUIET = "quiet"
    """Not sent because the same rule had been told of within the receiver's cool-down."""
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event that one receiver is to be told of now.

    Attributes:
        event: as it was recorded.
        receiver: its name.
        attempts: how often this was tried.
    """

    event: Event
    receiver: str
    attempts: int


@dataclass(frozen=True, slots=True)
class ReceiverView:
    """How one receiver fares.

    Attributes:
        name: of the receiver.
        waiting: deliveries that are to be made yet.
        oldest_utc: since when the oldest of them has waited, or None.
        failures: drains in a row that ended with a failure.
        next_utc: not tried before this, or None.
        reason: of the last failure, empty since it went well.
        sent_utc: when it was told the last time, or None.
        counts: how many deliveries were sent, stayed quiet and were given up, and how many attempts failed; ever.
    """

    name: str
    waiting: int
    oldest_utc: datetime | None
    failures: int
    next_utc: datetime | None
    reason: str
    sent_utc: datetime | None
    counts: dict[str, int]


class Outbox:
    """Deliveries and receivers; every method raises `StoreError` when the database can't be asked.

    Times are the database's, since recorders and jobs may run on machines whose clocks differ.

    Args:
        reading: opens a connection.
        writing: opens a transaction that may write and commits it at its end.
    """

    def __init__(self, reading: _Opening, writing: _Opening) -> None:
        self._reading = reading
        self._writing = writing

    def due(self) -> list[str]:
        """Return the receivers that something is due for and nobody speaks with, sorted."""
        with self._reading("looking for due deliveries") as connection:
            now = database_now(connection)
            query = select(DeliveryRow.receiver).distinct().outerjoin(ReceiverRow, _IS_ITS_RECEIVER)
            query = query.where(_is_due(now), _is_past(ReceiverRow.next_utc, now), _is_free(now))
            return sorted(connection.execute(query).scalars())

    def claim(self, receiver: str, token: str, for_s: float) -> bool:
        """Become the only one who speaks with a receiver, for a while.

        Args:
            receiver: its name.
            token: random; who has it may release.
            for_s: seconds after which somebody else may, in case this process dies.

        Returns:
            False when another one does, or it isn't to be tried yet.
        """
        with self._writing("claiming a receiver") as connection:
            now = database_now(connection)
            nothing = {"failures": 0, "reason": "", "sent": 0, "failed": 0, "quiet": 0, "given_up": 0}
            insert = insert_into(connection, ReceiverRow).on_conflict_do_nothing(index_elements=["name"])
            connection.execute(insert, [{"name": receiver, **nothing}])
            mine = update(ReceiverRow).where(
                ReceiverRow.name == receiver, _is_past(ReceiverRow.next_utc, now), _is_free(now)
            )
            mine = mine.values(claim=token, claimed_until_utc=now + timedelta(seconds=for_s))
            return connection.execute(mine).rowcount == 1

    def renew(self, receiver: str, token: str, for_s: float) -> bool:
        """Go on being the only one who speaks with a receiver; False when it is too late for that."""
        with self._writing("renewing a claim") as connection:
            is_mine = and_(ReceiverRow.name == receiver, ReceiverRow.claim == token)
            until = database_now(connection) + timedelta(seconds=for_s)
            return connection.execute(update(ReceiverRow).where(is_mine).values(claimed_until_utc=until)).rowcount == 1

    def release(self, receiver: str, token: str, reason: str | None, hold_s: float = 0.0) -> None:
        """Let others speak with a receiver again.

        Args:
            receiver: its name.
            token: as it was claimed with; another one changes nothing.
            reason: why it couldn't be told, None when all went well or nothing was tried.
            hold_s: seconds for which it isn't tried, with a reason.
        """
        with self._writing("releasing a receiver") as connection:
            values: dict[str, Any] = {"claim": None, "claimed_until_utc": None, "next_utc": None}
            if reason is not None:
                values["next_utc"] = database_now(connection) + timedelta(seconds=hold_s)
                values["failures"] = ReceiverRow.failures + 1
                values["reason"] = _short(reason)
            is_mine = and_(ReceiverRow.name == receiver, ReceiverRow.claim == token)
            connection.execute(update(ReceiverRow).where(is_mine).values(**values))

    def failures(self, receiver: str) -> int:
        """Return how many drains in a row have ended with a failure."""
        with self._reading("reading how a receiver fares") as connection:
            found = connection.execute(select(ReceiverRow.failures).where(ReceiverRow.name == receiver))
            return found.scalar_one_or_none() or 0

    def next(self, receiver: str, *, freshest: bool = False) -> Delivery | None:
        """Return what is due for a receiver, or None.

        Args:
            receiver: its name.
            freshest: the one that was tried least often first; otherwise the oldest.
        """
        with self._reading("reading a delivery") as connection:
            query = select(RecordedEvent.__table__, DeliveryRow.attempts).join(
                DeliveryRow, DeliveryRow.event_id == RecordedEvent.id
            )
            query = query.where(DeliveryRow.receiver == receiver, _is_due(database_now(connection)))
            by_age = (RecordedEvent.time_utc, RecordedEvent.id)
            query = query.order_by(*((DeliveryRow.attempts, *by_age) if freshest else by_age)).limit(1)
            row = connection.execute(query).mappings().first()
        return None if row is None else Delivery(event_of(row), receiver, row["attempts"])

    def was_told(self, delivery: Delivery, within_s: float) -> bool:
        """Tell whether the receiver was told of the same kind, camera and rule less than so many seconds from this."""
        if within_s <= 0:
            return False
        event, span = delivery.event, timedelta(seconds=within_s)
        query = select(func.count()).select_from(DeliveryRow)
        query = query.join(RecordedEvent, DeliveryRow.event_id == RecordedEvent.id).where(
            DeliveryRow.receiver == delivery.receiver,
            DeliveryRow.state == DeliveryState.SENT.value,
            RecordedEvent.camera == event.camera,
            RecordedEvent.rule == event.rule,
            RecordedEvent.kind == event.kind.value,
            # An older one that comes late was told of too, in effect.
            RecordedEvent.time_utc > event.time_utc - span,
            RecordedEvent.time_utc < event.time_utc + span,
        )
        with self._reading("looking for what was told") as connection:
            return bool(connection.execute(query).scalar_one())

    def settle(self, delivery: Delivery, state: DeliveryState, reason: str = "", again_s: float = 0.0) -> None:
        """Write down what has become of a delivery, and count it.

        Args:
            delivery: that was tried, or needn't be.
            state: `WAITING` when it failed and is to be tried again.
            reason: why it wasn't sent, without credentials.
            again_s: seconds until it may be tried again.
        """
        tried = 0 if state is DeliveryState.QUIET else 1
        outcome = "failed" if state is DeliveryState.WAITING else state.value
        with self._writing("settling a delivery") as connection:
            now = database_now(connection)
            is_this = and_(DeliveryRow.event_id == delivery.event.id, DeliveryRow.receiver == delivery.receiver)
            connection.execute(
                update(DeliveryRow)
                .where(is_this)
                .values(
                    state=state.value,
                    attempts=DeliveryRow.attempts + tried,
                    next_utc=now + timedelta(seconds=again_s),
                    reason=_short(reason),
                )
            )
            values: dict[str, Any] = {outcome: getattr(ReceiverRow, outcome) + 1}
            if state is DeliveryState.SENT:
                values |= {"failures": 0, "reason": "", "sent_utc": now}
            connection.execute(update(ReceiverRow).where(ReceiverRow.name == delivery.receiver).values(**values))

    def give_up(self, receiver: str, older_than_s: float, reason: str) -> int:
        """Give up what has waited for too long and return how many.

        Args:
            receiver: its name.
            older_than_s: seconds.
            reason: for those that nobody has tried; others keep theirs.
        """
        with self._writing("giving up deliveries") as connection:
            before = database_now(connection) - timedelta(seconds=older_than_s)
            old = update(DeliveryRow).where(
                DeliveryRow.receiver == receiver,
                DeliveryRow.state == DeliveryState.WAITING.value,
                DeliveryRow.made_utc <= before,
            )
            kept = case((DeliveryRow.reason == "", _short(reason)), else_=DeliveryRow.reason)
            count = connection.execute(old.values(state=DeliveryState.GIVEN_UP.value, reason=kept)).rowcount
            more = update(ReceiverRow).where(ReceiverRow.name == receiver)
            connection.execute(more.values(given_up=ReceiverRow.given_up + count))
            return count

    def receivers(self) -> list[ReceiverView]:
        """Return how all receivers fare that something was ever due for, sorted by name."""
        waiting = select(DeliveryRow.receiver, func.count(), func.min(DeliveryRow.made_utc))
        waiting = waiting.where(DeliveryRow.state == DeliveryState.WAITING.value).group_by(DeliveryRow.receiver)
        with self._reading("reading how receivers fare") as connection:
            waits = {name: (count, oldest) for name, count, oldest in connection.execute(waiting)}
            rows = {row["name"]: row for row in connection.execute(select(ReceiverRow.__table__)).mappings()}
        return [_view(name, rows.get(name), *waits.get(name, (0, None))) for name in sorted({*waits, *rows})]

    def reasons(self, receiver: str, states: Collection[DeliveryState], limit: int = 20) -> list[tuple[Event, str]]:
        """Return the newest deliveries in one of some states, with why."""
        query = select(RecordedEvent.__table__, DeliveryRow.reason.label("why"))
        query = query.join(DeliveryRow, DeliveryRow.event_id == RecordedEvent.id)
        query = query.where(DeliveryRow.receiver == receiver, DeliveryRow.state.in_([one.value for one in states]))
        query = query.order_by(RecordedEvent.time_utc.desc(), RecordedEvent.id).limit(limit)
        with self._reading("reading deliveries") as connection:
            return [(event_of(row), row["why"]) for row in connection.execute(query).mappings()]


_IS_ITS_RECEIVER = ReceiverRow.name == DeliveryRow.receiver


def _is_due(now: datetime) -> Any:
    return and_(DeliveryRow.state == DeliveryState.WAITING.value, DeliveryRow.next_utc <= now)


def _is_past(column: Any, now: datetime) -> Any:
    return or_(column.is_(None), column <= now)


def _is_free(now: datetime) -> Any:
    return _is_past(ReceiverRow.claimed_until_utc, now)


def database_now(connection: Connection) -> datetime:
    """Return the time by the database's clock."""
    if connection.dialect.name != "postgresql":
        return datetime.now(UTC)  # SQLite has this machine's
    moment: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return moment.astimezone(UTC)


def _view(name: str, row: Any, waiting: int, oldest_utc: datetime | None) -> ReceiverView:
    counts = {outcome: 0 if row is None else int(row[outcome]) for outcome in ("sent", "failed", "quiet", "given_up")}
    if row is None:
        return ReceiverView(name, waiting, oldest_utc, 0, None, "", None, counts)
    return ReceiverView(
        name, waiting, oldest_utc, row["failures"], row["next_utc"], row["reason"], row["sent_utc"], counts
    )


def _short(reason: str) -> str:
    # PostgreSQL keeps no NUL in a text.
    return reason.replace("\0", "?")[:_LONGEST_REASON]
