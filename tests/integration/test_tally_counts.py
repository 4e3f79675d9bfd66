"""What finished turns add to the counters, on real servers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import redis

from maskwatch.broker import keys
from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.messages import DoneStatus, Taken
from maskwatch.types import MaskLabel, Person, Verdict
from tests.support_queue import count, counts, done, expire_lease, held, offer, result

MASKED = Person(1, (0.1, 0.1, 0.6, 0.6), 0.9, MaskLabel.WITH_MASK, (0.97, 0.02, 0.01), Verdict.WITH_MASK)
BLURRED = Person(2, (0.1, 0.1, 0.2, 0.2), 0.9, None, (), Verdict.UNKNOWN)


@pytest.fixture
def queue(each_redis: redis.Redis) -> FrameQueue:
    return FrameQueue(each_redis)


def take(each_redis: redis.Redis, queue: FrameQueue, camera: str) -> Taken:
    """Hold a camera and take a frame of it."""
    (hold,) = held(each_redis, camera)
    queue.offer(offer(hold, 1))
    (taken,) = queue.take(1)
    return taken


def test_faces_are_counted_by_size_chance_and_label(each_redis: redis.Redis, queue: FrameQueue) -> None:
    taken = take(each_redis, queue, "lobby")
    queue.done([done(taken, result(MASKED, BLURRED))])
    snapshot = counts(each_redis)
    seen = snapshot.cameras["lobby"]
    assert (seen.faces["with_mask"], seen.unlabelled) == (1, 1)
    assert seen.face_sizes_px.cumulative[-1] == ("+Inf", 2)
    assert seen.face_sizes_px.sum == 32 + 6
    chances = snapshot.confidence["with_mask"]
    assert dict(chances.cumulative)["0.95"] == 0
    assert dict(chances.cumulative)["0.99"] == 1
    assert chances.sum == pytest.approx(0.97)
    assert snapshot.confidence["without_mask"].sum == 0


def test_batch_adds_up_what_was_said_of_all_its_cameras(each_redis: redis.Redis, queue: FrameQueue) -> None:
    for hold in held(each_redis, "a", "b", "c"):
        queue.offer(offer(hold, 1))
    items = [done(taken, result(MASKED, MASKED)) for taken in queue.take(3)]
    assert queue.done(items) == [DoneStatus.ACCEPTED] * 3
    assert counts(each_redis).confidence["with_mask"].cumulative[-1] == ("+Inf", 6)


@pytest.mark.parametrize("again", [DoneStatus.REPEATED, DoneStatus.LEASE_LOST, DoneStatus.STALE_EPOCH])
def test_turn_counts_once_or_not_at_all(each_redis: redis.Redis, queue: FrameQueue, again: DoneStatus) -> None:
    taken = take(each_redis, queue, "lobby")
    item = replace(done(taken, result(MASKED)), left=(("door", Verdict.WITH_MASK),), flips=1)
    if again is DoneStatus.REPEATED:
        assert queue.done([item]) == [DoneStatus.ACCEPTED]
    elif again is DoneStatus.LEASE_LOST:
        expire_lease(each_redis, "lobby")
        queue.take(1, 0)
    else:
        item = replace(item, epoch="another")
    assert queue.done([item]) == [again]
    times = 1 if again is DoneStatus.REPEATED else 0
    snapshot = counts(each_redis)
    seen = snapshot.cameras["lobby"]
    assert snapshot.confidence["with_mask"].cumulative[-1] == ("+Inf", times)
    assert (seen.label_flips, seen.face_sizes_px.cumulative[-1]) == (times, ("+Inf", times))
    in_door = {verdict.value: int(verdict is Verdict.WITH_MASK) for verdict in Verdict}
    assert seen.zones == ({"door": in_door} if times else {})


def test_removed_camera_leaves_no_zone_behind(each_redis: redis.Redis, queue: FrameQueue) -> None:
    taken = take(each_redis, queue, "lobby")
    queue.done([replace(done(taken, result(MASKED, closed=(Verdict.WITH_MASK,))), left=(("door", Verdict.WITH_MASK),))])
    assert count(each_redis, "lobby").zones["door"]["with_mask"] == 1
    CameraBook(each_redis).retire("lobby")
    snapshot = counts(each_redis)
    assert not snapshot.cameras
    assert snapshot.removed.people["with_mask"] == 1
    assert set(each_redis.hkeys(keys.REMOVED)) <= {name.encode() for name in keys.COUNTERS}
    # What the classifier said stays: it isn't about cameras.
    assert snapshot.confidence["with_mask"].cumulative[-1] == ("+Inf", 1)


def test_new_camera_s_counters_begin_at_zero(each_redis: redis.Redis) -> None:
    held(each_redis, "lobby")
    assert each_redis.hgetall(f"{keys.COUNTS}lobby") == {name.encode(): b"0" for name in keys.COUNTERS}
