"""Whose turn it is, how workers wait for it, and what that costs."""

from __future__ import annotations

import threading
import time
from collections import Counter
from itertools import pairwise

import pytest
import redis

from maskwatch.broker import keys
from maskwatch.broker.connect import connect
from maskwatch.broker.frames import FrameQueue
from tests.support import wait_for
from tests.support_queue import counts, done, held, offer


@pytest.fixture
def queue(each_redis: redis.Redis) -> FrameQueue:
    return FrameQueue(each_redis)


class Requests:
    """Counts what a client sends, by wrapping its connections' sending."""

    def __init__(self, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent = 0
        connection = client.connection_pool.connection_class
        send = connection.send_packed_command

        def counted(this: redis.Connection, command: object, check_health: bool = True) -> None:
            self.sent += 1
            send(this, command, check_health)

        monkeypatch.setattr(connection, "send_packed_command", counted)


def test_least_recently_served_cameras_come_first(each_redis: redis.Redis, queue: FrameQueue) -> None:
    holds = {hold.camera: hold for hold in held(each_redis, "a", "b", "c")}
    for number, ready in enumerate(["abc", "ab", "abc"]):
        for camera in ready:
            queue.offer(offer(holds[camera], number))
        queue.done([done(one) for one in queue.take(3)])
    for camera in "abc":
        queue.offer(offer(holds[camera], 9))
    # c was served first in the last round, since it had waited for longest.
    assert queue.take(1)[0].camera == "c"
    for number in (10, 11):
        queue.offer(offer(holds["b"], number))
    assert [one.camera for one in queue.take(2)] == ["a", "b"]


def test_overloaded_fast_and_slow_cameras_get_equal_shares(each_redis: redis.Redis, queue: FrameQueue) -> None:
    holds = held(each_redis, *(f"fast{n}" for n in range(10)), *(f"slow{n:02}" for n in range(90)))
    served: Counter[str] = Counter()
    for round_ in range(300):
        # The fast ones offer in every round, each slow one in every fourth: together 32 a round, 8 are served.
        ready = [hold for place, hold in enumerate(holds) if place < 10 or (place + round_) % 4 == 0]
        queue.offer_many([offer(hold, round_) for hold in ready])
        taken = queue.take(8, wait_s=0)
        served.update(one.camera[:4] for one in taken)
        queue.done([done(one) for one in taken])
    fast, slow = served["fast"] / 10, served["slow"] / 90
    assert fast == pytest.approx(slow, rel=0.1)


def test_latency_and_wait_are_observed_by_the_servers_clock(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "lobby")
    queue.offer(offer(hold, 1, age_s=4.0))
    queue.done([done(queue.take(1)[0])])
    snapshot = counts(each_redis)
    assert (snapshot.latency.count, snapshot.queue_wait.count) == (1, 1)
    assert 4.0 <= snapshot.latency.sum_s < 9.0
    assert snapshot.queue_wait.sum_s < 5.0
    cumulative = dict(snapshot.latency.cumulative)
    assert (cumulative["3.0"], cumulative["10.0"], cumulative["+Inf"]) == (0, 1, 1)
    assert all(low <= high for (_, low), (_, high) in pairwise(snapshot.latency.cumulative))


@pytest.fixture
def patience_s(monkeypatch: pytest.MonkeyPatch) -> float:
    """How long a take may wait here: so long that one which isn't woken is told from a slow machine."""
    for module in ("connect", "frames"):
        monkeypatch.setattr(f"maskwatch.broker.{module}.LONGEST_WAIT_S", 60.0)
    return 60.0


def test_waiting_take_is_woken_by_an_offer(each_redis_url: str, each_redis: redis.Redis, patience_s: float) -> None:
    (hold,) = held(each_redis, "lobby")
    found: list[float] = []

    def consume() -> None:
        with connect(each_redis_url, blocking=True) as client:
            started = time.monotonic()
            assert FrameQueue(client).take(1, wait_s=patience_s)
            found.append(time.monotonic() - started)

    consumer = threading.Thread(target=consume)
    consumer.start()
    wait_for(lambda: _blocked(each_redis) == 1, 30, "the consumer to wait")
    FrameQueue(each_redis).offer(offer(hold, 1))
    consumer.join(90)
    assert len(found) == 1
    assert found[0] < patience_s


def test_cameras_that_one_take_leaves_wake_another(
    each_redis_url: str, each_redis: redis.Redis, patience_s: float
) -> None:
    holds = held(each_redis, *(f"c{n}" for n in range(6)))
    found: list[str] = []

    def consume() -> None:
        with connect(each_redis_url, blocking=True) as client:
            found.extend(one.camera for one in FrameQueue(client).take(2, wait_s=patience_s))

    consumers = [threading.Thread(target=consume) for _ in range(3)]
    for consumer in consumers:
        consumer.start()
    wait_for(lambda: _blocked(each_redis) == 3, 30, "the consumers to wait")
    started = time.monotonic()
    queue = FrameQueue(each_redis)
    for hold in holds:
        queue.offer(offer(hold, 1))
    for consumer in consumers:
        consumer.join(90)
    first = sorted(found)
    rest = queue.take(6, wait_s=0)
    assert sorted(first + [one.camera for one in rest]) == [f"c{n}" for n in range(6)]
    assert len(first) >= 3
    assert time.monotonic() - started < patience_s


def test_take_that_leaves_cameras_rings_again_and_the_last_one_does_not(
    each_redis: redis.Redis, queue: FrameQueue
) -> None:
    for hold in held(each_redis, "a", "b", "c"):
        queue.offer(offer(hold, 1))
    each_redis.zpopmin(keys.BELL)
    assert len(queue.take(2)) == 2
    assert each_redis.zcard(keys.BELL) == 1
    assert len(queue.take(2)) == 1
    assert each_redis.zcard(keys.BELL) == 0


def test_idle_consumers_send_next_to_nothing(
    each_redis: redis.Redis, queue: FrameQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.take(1, wait_s=0.05)
    requests = Requests(each_redis, monkeypatch)
    ends = time.monotonic() + 1.0
    while time.monotonic() < ends:
        assert queue.take(8, wait_s=0.5) == []
    assert requests.sent <= 12


def test_round_trips_are_one_two_and_one(
    each_redis: redis.Redis, queue: FrameQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    holds = held(each_redis, *(f"c{n}" for n in range(8)))
    for number in (1, 2):
        for hold in holds:
            queue.offer(offer(hold, number))
        taken = queue.take(8)
        queue.renew(taken)
        queue.done([done(one) for one in taken])
    requests = Requests(each_redis, monkeypatch)
    for hold in holds:
        queue.offer(offer(hold, 3))
    assert requests.sent == 8
    taken = queue.take(8)
    assert (len(taken), requests.sent) == (8, 10)
    queue.renew(taken)
    assert requests.sent == 11
    queue.done([done(one) for one in taken])
    assert requests.sent == 12


def _blocked(client: redis.Redis) -> int:
    return int(client.info("clients")["blocked_clients"])
