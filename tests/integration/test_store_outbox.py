"""The outbox in real databases, SQLite and PostgreSQL: the same tests for both."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, text

from maskwatch.errors import MaskwatchError, RecordRefused, StoreDown
from maskwatch.events import Event
from maskwatch.store import DeliveryState, Outbox, Retention, Store
from maskwatch.store.engine import store_url
from maskwatch.types import EventKind
from tests.support import free_port
from tests.support_outbox import let_pass, states
from tests.support_records import an_event

NOW = datetime.now(UTC)
A_DAY_S = 24 * 3600.0


@pytest.fixture
def url(each_record_url: str) -> str:
    return each_record_url


def wanted(event: Event) -> tuple[str, ...]:
    return () if event.camera == "garden" else ("ward", "hook") if event.camera == "yard" else ("ward",)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store(url, wanted) as store:
        store.upgrade()
        yield store


@pytest.fixture
def outbox(store: Store) -> Outbox:
    return store.outbox


def event(number: int, **fields: object) -> Event:
    return an_event(number, **({"time_utc": NOW + timedelta(seconds=number), "rule": f"rule-{number}"} | fields))


def tracks(outbox: Outbox, receiver: str = "ward") -> list[int | None]:
    """Return what is told in this order, by telling it."""
    order = []
    while (delivery := outbox.next(receiver)) is not None:
        order.append(delivery.event.track_id)
        outbox.settle(delivery, DeliveryState.SENT)
    return order


def test_event_comes_with_a_delivery_for_each_who_wants_it(store: Store, outbox: Outbox) -> None:
    done = store.record([event(1), event(2, camera="yard"), event(3, camera="garden")])
    assert done.receivers == {"ward", "hook"}
    assert outbox.due() == ["hook", "ward"]
    assert tracks(outbox) == [1, 2]
    assert tracks(outbox, "hook") == [2]
    assert outbox.due() == []


def test_event_that_comes_again_is_told_once(store: Store, outbox: Outbox) -> None:
    store.record([event(1)])
    assert tracks(outbox) == [1]
    assert store.record([event(1)]).receivers == frozenset()
    assert outbox.due() == []


def test_nobody_is_told_of_what_was_not_recorded(store: Store, outbox: Outbox) -> None:
    with pytest.raises(RecordRefused):
        store.record([event(1), event(2, note="a\0b")])
    assert outbox.due() == []


def test_event_that_is_recorded_a_day_late_is_told_to_nobody(url: str, store: Store, outbox: Outbox) -> None:
    assert store.record([event(1, time_utc=NOW - timedelta(days=2))]).receivers == frozenset()
    assert outbox.due() == []
    assert states(url)[1] == ("given_up", "recorded more than 24 hours after it had happened")


def test_oldest_comes_first_and_after_a_failure_the_freshest(store: Store, outbox: Outbox) -> None:
    store.record([event(3), event(1), event(2)])
    first = outbox.next("ward")
    assert first is not None
    assert first.event == event(1)
    outbox.settle(first, DeliveryState.WAITING, "no", 0.0)
    again, fresh = outbox.next("ward"), outbox.next("ward", freshest=True)
    assert again is not None
    assert fresh is not None
    assert (again.event.track_id, again.attempts, fresh.event.track_id) == (1, 1, 2)


def test_failed_delivery_waits_for_its_time(url: str, store: Store, outbox: Outbox) -> None:
    store.record([event(1)])
    delivery = outbox.next("ward")
    assert delivery is not None
    outbox.settle(delivery, DeliveryState.WAITING, "refused\0", 100.0)
    assert outbox.next("ward") is None
    assert outbox.due() == []
    assert states(url)[1] == ("waiting", "refused?")
    let_pass(url, 101)
    assert outbox.due() == ["ward"]


def test_one_claims_a_receiver_and_a_dead_one_loses_it(url: str, store: Store, outbox: Outbox) -> None:
    store.record([event(1)])
    assert outbox.claim("ward", "a", 60)
    assert not outbox.claim("ward", "b", 60)
    assert outbox.claim("hook", "b", 60)
    assert outbox.due() == []
    let_pass(url, 61)
    assert outbox.due() == ["ward"]
    assert outbox.claim("ward", "c", 60)
    assert not outbox.renew("ward", "a", 60)  # woke up late
    outbox.release("ward", "a", None)
    assert not outbox.claim("ward", "d", 60)
    let_pass(url, 50)
    assert outbox.renew("ward", "c", 60)
    let_pass(url, 50)
    assert not outbox.claim("ward", "d", 60)
    outbox.release("ward", "c", None)
    assert outbox.claim("ward", "d", 60)


def test_one_of_many_at_once_gets_the_claim(url: str, store: Store) -> None:
    got: list[str] = []
    problems: list[MaskwatchError] = []

    def claim(token: str) -> None:
        with Store(url) as other:
            try:
                if other.outbox.claim("ward", token, 60):
                    got.append(token)
            except MaskwatchError as error:
                problems.append(error)

    threads = [threading.Thread(target=claim, args=(str(number),)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []
    assert len(got) == 1


def test_receiver_that_failed_is_left_alone_for_a_while(url: str, store: Store, outbox: Outbox) -> None:
    store.record([event(1)])
    for failures in (1, 2):
        assert outbox.claim("ward", "a", 60)
        outbox.release("ward", "a", "away", 30)
        assert outbox.failures("ward") == failures
        assert not outbox.claim("ward", "b", 60)
        assert outbox.due() == []
        let_pass(url, 31)
    assert outbox.due() == ["ward"]
    (view,) = outbox.receivers()
    assert (view.waiting, view.failures, view.reason) == (1, 2, "away")
    delivery = outbox.next("ward")
    assert delivery is not None
    outbox.settle(delivery, DeliveryState.SENT)
    (view,) = outbox.receivers()
    assert (view.waiting, view.failures, view.reason, view.counts["sent"]) == (0, 0, "", 1)
    assert view.sent_utc is not None


def test_same_rule_was_told_within_the_cooldown_either_way(store: Store, outbox: Outbox) -> None:
    told = event(100, rule="masks")
    store.record([told])
    delivery = outbox.next("ward")
    assert delivery is not None
    assert not outbox.was_told(delivery, 60)
    outbox.settle(delivery, DeliveryState.SENT)

    def was_told(within_s: float, **fields: object) -> bool:
        other = event(1, **({"rule": "masks", "time_utc": told.time_utc + timedelta(seconds=30)} | fields))
        return outbox.was_told(type(delivery)(other, "ward", 0), within_s)

    assert was_told(60)
    assert was_told(60, time_utc=told.time_utc - timedelta(seconds=30))
    assert not was_told(20)
    assert not was_told(0)
    assert not was_told(60, rule="hats")
    assert not was_told(60, camera="yard")
    assert not was_told(60, kind=EventKind.CROWD)


def test_what_has_waited_for_too_long_is_given_up_with_a_reason(url: str, store: Store, outbox: Outbox) -> None:
    store.record([event(1), event(2)])
    assert outbox.claim("ward", "a", 60)
    tried = outbox.next("ward")
    assert tried is not None
    outbox.settle(tried, DeliveryState.WAITING, "away", 0.0)
    assert outbox.give_up("ward", A_DAY_S, "nobody tried") == 0
    let_pass(url, A_DAY_S + 1)
    assert outbox.give_up("ward", A_DAY_S, "nobody tried") == 2
    assert states(url) == {1: ("given_up", "away"), 2: ("given_up", "nobody tried")}
    assert outbox.next("ward") is None
    (view,) = outbox.receivers()
    assert view.counts == {"sent": 0, "failed": 1, "quiet": 0, "given_up": 2}
    assert [(one.track_id, why) for one, why in outbox.reasons("ward", (DeliveryState.GIVEN_UP,))] == [
        (2, "nobody tried"), (1, "away"),
    ]  # fmt: skip


def test_deliveries_go_with_their_event(url: str, store: Store) -> None:
    store.record([event(1), event(2, time_utc=NOW - timedelta(hours=23))])
    store.purge(Retention(events_days=0.5, snapshots_days=0.5, tallies_days=1), NOW)
    assert set(states(url)) == {1}


def test_records_of_the_version_before_get_an_outbox(url: str) -> None:
    with Store(url) as store:
        store.upgrade()
        store.record([event(1)])
        engine = create_engine(store_url(url))
        with engine.begin() as connection:
            for table in ("deliveries", "receivers"):
                connection.execute(text(f"DROP TABLE {table}"))
            connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        engine.dispose()
        store.upgrade()
        assert len(store.events().rows) == 1
        assert store.outbox.receivers() == []


def test_outbox_of_a_database_that_is_away_says_so() -> None:
    with Store(f"postgresql://me:s3cret@127.0.0.1:{free_port()}/records") as store, pytest.raises(StoreDown) as told:
        store.outbox.due()
    assert "s3cret" not in str(told.value)
