"""Frames that are too old when their turn comes: dropped and counted, and no camera goes blind by it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from maskwatch.broker import keys
from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.messages import TakenKind
from tests.support_queue import count, counts, done, held, offer


@pytest.fixture
def queue(each_redis: redis.Redis) -> FrameQueue:
    """With a budget of 100 s, so that a slow machine changes nothing."""
    return FrameQueue(each_redis, stale_ms=100_000)


def now_ms(client: redis.Redis) -> int:
    seconds, micros = client.time()
    return int(seconds * 1000 + micros // 1000)


def let_time_pass(client: redis.Redis, camera: str, field: str, ms: int) -> None:
    """Let something of a camera have happened so much earlier."""
    assert client.hexists(keys.camera_key(camera), field)
    client.hincrby(keys.camera_key(camera), field, -ms)


def test_frame_that_waited_too_long_is_dropped_and_counted(each_redis: redis.Redis, queue: FrameQueue) -> None:
    old, fresh = held(each_redis, "old", "fresh")
    for hold in (old, fresh):
        queue.offer(offer(hold, 1))
    let_time_pass(each_redis, "old", "next_at", 120_000)
    assert [one.camera for one in queue.take(8, 0)] == ["fresh"]
    said = count(each_redis, "old")
    assert (said.captured, said.dropped["stale"], said.waiting) == (1, 1, 0)
    assert each_redis.get(keys.next_key("old")) is None


def test_age_at_the_offer_counts_as_well_as_the_time_since(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "a")
    queue.offer(offer(hold, 1, age_s=60.0))
    let_time_pass(each_redis, "a", "next_at", 60_000)
    assert queue.take(1, 0) == []
    assert count(each_redis, "a").dropped["stale"] == 1
    queue.offer(offer(hold, 2, age_s=60.0))
    assert [one.frame_id for one in queue.take(1, 0)] == ["nonce-2"]


def test_queue_without_a_budget_takes_frames_of_any_age(each_redis: redis.Redis) -> None:
    (hold,) = held(each_redis, "a")
    queue = FrameQueue(each_redis)
    queue.offer(offer(hold, 1, age_s=1000.0))
    assert len(queue.take(1, 0)) == 1


def test_camera_whose_frame_was_dropped_keeps_its_rank(each_redis: redis.Redis, queue: FrameQueue) -> None:
    slow, *others = held(each_redis, "slow", "b", "c")
    for hold in (slow, *others):
        queue.offer(offer(hold, 1))
    let_time_pass(each_redis, "slow", "next_at", 120_000)
    queue.done([done(one) for one in queue.take(3, 0)])
    for hold in (*others, slow):
        queue.offer(offer(hold, 2))
    assert [one.camera for one in queue.take(1, 0)] == ["slow"]


def test_camera_whose_frames_always_come_late_is_seen_once_a_second(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "late")
    began_ms = now_ms(each_redis)
    queue.offer(offer(hold, 1, age_s=160.0))
    assert queue.take(1, 0) == []
    let_time_pass(each_redis, "late", "late_at", 1000)
    queue.offer(offer(hold, 2, age_s=160.0))
    queue.done([done(one) for one in queue.take(1, 0)])
    said = count(each_redis, "late")
    assert (said.analysed, said.dropped["stale"]) == (1, 1)
    late_at = each_redis.hget(keys.camera_key("late"), "late_at")
    assert late_at is not None
    assert int(late_at) >= began_ms, "the second begins anew"
    each_redis.hset(keys.camera_key("late"), "late_at", now_ms(each_redis) + 60_000)
    queue.offer(offer(hold, 3, age_s=160.0))
    assert queue.take(1, 0) == []


def test_frame_in_time_ends_the_lateness_of_a_camera(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "late")
    queue.offer(offer(hold, 1, age_s=160.0))
    assert queue.take(1, 0) == []
    let_time_pass(each_redis, "late", "late_at", 60_000)
    queue.offer(offer(hold, 2))
    queue.done([done(one) for one in queue.take(1, 0)])
    queue.offer(offer(hold, 3, age_s=160.0))
    assert queue.take(1, 0) == [], "it has to be late for a second again"


def test_frame_that_waited_too_long_is_dropped_however_late_its_camera_is(
    each_redis: redis.Redis, queue: FrameQueue
) -> None:
    (hold,) = held(each_redis, "late")
    queue.offer(offer(hold, 1, age_s=160.0))
    assert queue.take(1, 0) == []
    let_time_pass(each_redis, "late", "late_at", 60_000)
    queue.offer(offer(hold, 2, age_s=160.0))
    let_time_pass(each_redis, "late", "next_at", 120_000)
    assert queue.take(1, 0) == []


def test_end_of_the_tracks_comes_after_a_stale_frame(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "film")
    queue.offer(offer(hold, 1))
    CameraBook(each_redis).end(hold)
    let_time_pass(each_redis, "film", "next_at", 120_000)
    (taken,) = queue.take(1, 0)
    assert taken.kind is TakenKind.END
    assert count(each_redis, "film").dropped["stale"] == 1


def test_many_stale_frames_are_dropped_at_once_and_fresh_ones_found_behind_them(
    each_redis: redis.Redis, queue: FrameQueue
) -> None:
    holds = held(each_redis, *(f"cam{number:03}" for number in range(200)))
    for hold in holds:
        queue.offer(offer(hold, 1))
    for hold in holds[:190]:
        let_time_pass(each_redis, hold.camera, "next_at", 120_000)
    taken = queue.take(8, 0)
    assert {one.camera for one in taken} <= {hold.camera for hold in holds[190:]}
    assert len(taken) == 8
    assert sum(camera.dropped["stale"] for camera in counts(each_redis).cameras.values()) == 190


def test_waiting_is_told_and_lets_others_join(each_redis: redis.Redis, queue: FrameQueue) -> None:
    holds = held(each_redis, "a", "b")
    waited = []

    @contextmanager
    def idle() -> Iterator[None]:
        # Both become ready while nobody has asked yet: what matters is that the wait ends with the first.
        for hold in holds:
            queue.offer(offer(hold, 1))
        began_s = time.monotonic()
        yield
        waited.append(time.monotonic() - began_s)

    assert len(queue.take(8, 1.0, gather_s=0.03, idle=idle)) == 2
    assert len(waited) == 1
    assert waited[0] >= 0.03
    queue.offer(offer(holds[0], 2))
    queue.take(8, 0)
    assert len(waited) == 1, "there was no wait: the cameras that are in flight are the caller's"


def test_nothing_is_gathered_when_frames_are_there(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "a")
    queue.offer(offer(hold, 1))
    waits = []

    @contextmanager
    def idle() -> Iterator[None]:
        waits.append(1)
        yield

    assert len(queue.take(8, 1.0, gather_s=1.0, idle=idle)) == 1
    assert waits == []
