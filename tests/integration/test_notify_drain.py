"""Rounds with one receiver, over a real record: what is sent, in which order, and what happens when it isn't taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from maskwatch.events import Event
from maskwatch.store import Store
from tests.support_outbox import let_pass, states
from tests.support_records import an_event
from workers.notify.drain import Drained, drain, pause_s
from workers.notify.message import Message, message_of
from workers.notify.outcome import Outcome, Result

NOW = datetime.now(UTC)
SENT = Outcome(Result.SENT, "ok")
AWAY = Outcome(Result.FAILED, "away")
REFUSED = Outcome(Result.REFUSED, "answered 413")


class Receiver:
    """Takes messages, or not, as a test says for each track; notes which were tried."""

    def __init__(self) -> None:
        self.tried: list[int] = []
        self.outcomes: dict[int, Outcome] = {}
        self.otherwise = SENT
        self.opened = 0

    def open(self) -> AbstractContextManager[Receiver]:
        self.opened += 1
        return nullcontext(self)

    def send(self, message: Message) -> Outcome:
        track = int(message.fields["track_id"])
        self.tried.append(track)
        return self.outcomes.get(track, self.otherwise)

    def since(self) -> list[int]:
        """Return what was tried since this was asked the last time."""
        tried, self.tried = self.tried, []
        return tried


class Room:
    """A record with one receiver."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'record.db'}"
        self.store = Store(self.url, lambda _event: ("ward",))
        self.store.upgrade()
        self.receiver = Receiver()
        self.cooldown_s = 0.0

    def happen(self, *numbers: int, **fields: object) -> None:
        self.store.record([event(number, **fields) for number in numbers])

    def drain(self, **more: object) -> Drained:
        return drain(
            self.store.outbox,
            "ward",
            self.cooldown_s,
            lambda event: message_of(event, UTC, None),
            self.receiver.open,
            **more,  # type: ignore[arg-type]
        )

    def later(self, seconds: float) -> Drained:
        let_pass(self.url, seconds)
        return self.drain()


def event(number: int, **fields: object) -> Event:
    return an_event(number, **({"time_utc": NOW + timedelta(seconds=number)} | fields))


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path)
    yield room
    room.store.close()


def test_all_that_is_due_is_told_once_oldest_first(room: Room) -> None:
    room.happen(2, 1, 3)
    assert room.drain() == Drained(sent=3)
    assert room.receiver.since() == [1, 2, 3]
    assert room.drain() == Drained()
    assert room.receiver.opened == 1


def test_nothing_is_opened_where_nothing_is_due(room: Room) -> None:
    assert room.drain().text == "nothing was due"
    assert room.receiver.opened == 0


def test_receiver_that_is_away_is_tried_twice_and_left_alone_longer_each_time(room: Room) -> None:
    room.happen(*range(10))
    room.receiver.otherwise = AWAY
    done = room.drain()
    assert (done.failed, done.reason, len(room.receiver.since())) == (2, "away", 2)
    assert room.drain() == Drained()
    room.happen(11)  # news is no reason to try sooner
    assert room.drain() == Drained()
    assert room.later(16).failed == 2
    assert room.later(16) == Drained()
    assert room.later(15).failed == 2
    room.receiver.otherwise = SENT
    room.receiver.since()
    assert room.later(61).sent == 11
    assert room.receiver.since() == sorted([*range(10), 11])


def test_pause_grows_to_a_quarter_of_an_hour_and_no_further() -> None:
    assert [pause_s(failures, lambda: 0.0) for failures in (1, 2, 3, 7, 8, 1000)] == [15, 30, 60, 900, 900, 900]
    assert pause_s(1, lambda: 1.0) == pytest.approx(11.25)


def test_message_that_is_never_taken_does_not_hold_up_the_others(room: Room) -> None:
    room.happen(*range(6))
    room.receiver.outcomes = {0: AWAY, 1: AWAY, 2: AWAY}
    seen: set[int] = set()
    for _round in range(6):
        room.later(1000)
        seen |= set(room.receiver.since())
    assert seen == set(range(6))
    assert {track for track, (state, _why) in states(room.url).items() if state == "sent"} == {3, 4, 5}
    room.happen(7)
    room.later(1000)
    assert states(room.url)[7] == ("sent", "")


def test_message_that_is_refused_is_given_up_at_once(room: Room) -> None:
    room.happen(1, 2)
    room.receiver.outcomes = {1: REFUSED}
    assert room.drain() == Drained(sent=1, given_up=1, reason="answered 413")
    assert states(room.url)[1] == ("given_up", "answered 413")
    room.happen(3)
    assert room.drain().sent == 1  # whoever refuses is there


def test_day_of_failures_is_given_up_with_the_last_reason(room: Room) -> None:
    room.happen(1, 2, 3)
    room.receiver.otherwise = AWAY
    room.drain()
    done = room.later(24 * 3600 + 1)
    assert done.given_up == 3
    reasons = {why for _state, why in states(room.url).values()}
    assert reasons == {"away", "nobody delivered it for 24 hours; does `maskwatch jobs` run?"}


def test_rule_is_told_of_once_within_its_cooldown(room: Room) -> None:
    room.cooldown_s = 60
    room.happen(0, 30, 59, 61, 100, 125)
    assert room.drain() == Drained(sent=3, quiet=3)
    assert room.receiver.since() == [0, 61, 125]
    room.happen(126, rule="hats")
    room.happen(127, camera="yard")
    room.happen(128)
    assert room.drain() == Drained(sent=2, quiet=1)


def test_event_in_place_of_one_that_was_given_up_is_told(room: Room) -> None:
    room.cooldown_s = 60
    room.happen(0, 30)
    room.receiver.outcomes = {0: REFUSED}
    assert room.drain().sent == 1


def test_round_ends_when_its_time_is_up(room: Room) -> None:
    room.happen(*range(10))
    times = iter(range(0, 1000, 7))
    assert room.drain(budget_s=20, clock=lambda: float(next(times))).sent == 2
    assert room.drain().sent == 8


def test_death_after_sending_sends_again_with_the_same_id(room: Room) -> None:
    room.happen(1)
    ids: list[str] = []

    class Dying(Receiver):
        def send(self, message: Message) -> Outcome:
            ids.append(message.id)
            raise KeyboardInterrupt

    first, room.receiver = room.receiver, Dying()
    with pytest.raises(KeyboardInterrupt):
        room.drain()
    room.receiver = first
    assert room.drain().sent == 1
    assert ids == [str(event(1).id)]


def test_only_one_round_at_a_time(room: Room) -> None:
    room.happen(1)
    inner: list[Drained] = []

    class Nested(Receiver):
        def send(self, message: Message) -> Outcome:
            inner.append(room.drain())
            return SENT

    room.receiver = Nested()
    assert room.drain().sent == 1
    assert inner == [Drained()]


def test_round_whose_receiver_was_taken_over_ends(room: Room) -> None:
    room.happen(1, 2, 3)

    class Sleeping(Receiver):
        def send(self, message: Message) -> Outcome:
            let_pass(room.url, 100)
            assert room.store.outbox.claim("ward", "somebody", 60)
            return super().send(message)

    room.receiver = Sleeping()
    assert room.drain() == Drained(sent=1)


def test_text_says_what_was_done() -> None:
    said: Callable[..., str] = lambda **numbers: Drained(**numbers).text  # noqa: E731
    assert said(sent=2, failed=1, reason="away") == "2 sent, 1 failed (away)"
    assert said(quiet=1, given_up=1) == "1 within the cool-down, 1 given up"
