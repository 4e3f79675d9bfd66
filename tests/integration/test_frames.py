"""The frame queue on real servers: one behaviour a test."""

from __future__ import annotations

import pytest
import redis

from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.frames import MOST_STATE_BYTES, FrameQueue
from maskwatch.broker.messages import DoneStatus, Hold, OfferStatus, TakenKind
from maskwatch.errors import QueueError
from maskwatch.types import DropReason, MaskLabel, Person, Verdict
from tests.support_queue import count, counts, done, expire_lease, held, offer, result


@pytest.fixture
def queue(each_redis: redis.Redis) -> FrameQueue:
    return FrameQueue(each_redis)


def person(label: MaskLabel | None, verdict: Verdict, *, seen: bool = True) -> Person:
    return Person(1, (0.1, 0.1, 0.2, 0.2), 0.9, label, (1.0, 0.0, 0.0) if label else (), verdict, seen)


def test_newer_frame_replaces_the_waiting_one(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "lobby")
    for number in (1, 2, 3):
        assert queue.offer(offer(hold, number)) is OfferStatus.ACCEPTED
    assert [taken.jpeg for taken in queue.take(4)] == [offer(hold, 3).jpeg]
    seen = count(each_redis, "lobby")
    assert (seen.captured, seen.dropped["replaced"], seen.in_flight) == (3, 2, 1)


def test_older_frame_that_comes_late_is_refused(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "lobby")
    assert queue.offer(offer(hold, 10)) is OfferStatus.ACCEPTED
    assert queue.offer(offer(hold, 9)) is OfferStatus.DUPLICATE
    assert [taken.frame_id for taken in queue.take(1)] == ["nonce-10"]


def test_frames_dropped_before_the_queue_are_captured_too(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "lobby")
    queue.offer(offer(hold, 1, dropped={DropReason.STILL: 2, DropReason.BROKER_DOWN: 3}))
    seen = count(each_redis, "lobby")
    assert (seen.captured, seen.dropped["still"], seen.dropped["broker_down"], seen.waiting) == (6, 2, 3, 1)


def test_offers_made_together_are_answered_one_by_one(each_redis: redis.Redis, queue: FrameQueue) -> None:
    a, b, c = held(each_redis, "a", "b", "c")
    old = Hold("b", "another epoch")
    queue.offer(offer(c, 1))
    batch = [
        offer(a, 1, dropped={DropReason.STALE: 2, DropReason.STILL: 3}),
        offer(old, 1, size=90_000),
        offer(b, 1),
        offer(c, 1),
        offer(c, 2, size=90_000),
        offer(a, 2),
    ]
    accepted, stale, duplicate = OfferStatus.ACCEPTED, OfferStatus.STALE_EPOCH, OfferStatus.DUPLICATE
    assert queue.offer_many(batch) == [accepted, stale, accepted, duplicate, accepted, accepted]
    assert queue.offer_many([]) == []
    taken = {one.camera: one for one in queue.take(3)}
    assert {camera: one.jpeg for camera, one in taken.items()} == {
        "a": batch[5].jpeg,
        "b": batch[2].jpeg,
        "c": batch[4].jpeg,
    }
    seen = counts(each_redis).cameras
    assert [seen[camera].captured for camera in "abc"] == [7, 1, 2]
    assert [seen[camera].dropped["replaced"] for camera in "abc"] == [1, 0, 1]
    assert (seen["a"].dropped["stale"], seen["a"].dropped["still"]) == (2, 3)
    assert not each_redis.keys("*staged*")


def test_offer_of_another_epoch_writes_nothing(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (old,) = held(each_redis, "lobby")
    new = CameraBook(each_redis).new_epoch(old)
    assert new is not None
    before = {key: each_redis.dump(key) for key in each_redis.scan_iter()}
    assert queue.offer(offer(old, 1)) is OfferStatus.STALE_EPOCH
    assert {key: each_redis.dump(key) for key in each_redis.scan_iter()} == before


def test_camera_has_one_frame_in_flight_and_is_ready_again_after_done(
    each_redis: redis.Redis, queue: FrameQueue
) -> None:
    (hold,) = held(each_redis, "lobby")
    queue.offer(offer(hold, 1))
    (first,) = queue.take(8)
    queue.offer(offer(hold, 2))
    assert queue.take(8, wait_s=0) == []
    assert (count(each_redis, "lobby").waiting, count(each_redis, "lobby").in_flight) == (1, 1)
    assert queue.done([done(first)]) == [DoneStatus.ACCEPTED]
    assert [taken.frame_id for taken in queue.take(8, wait_s=0)] == ["nonce-2"]


def test_state_travels_from_one_turn_to_the_next(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "lobby")
    state = bytes(range(256)) * 16
    queue.offer(offer(hold, 1))
    queue.done([done(queue.take(1)[0], state=state)])
    queue.offer(offer(hold, 2))
    (taken,) = queue.take(1)
    assert taken.state == state
    queue.done([done(taken, state=b"")])
    queue.offer(offer(hold, 3))
    assert queue.take(1)[0].state == b""


def test_too_large_a_state_is_refused_with_the_cameras_name(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "lobby")
    queue.offer(offer(hold, 1))
    (taken,) = queue.take(1)
    with pytest.raises(QueueError, match="camera lobby: expected at most 8192 bytes, received 8193"):
        queue.done([done(taken, state=b"x" * (MOST_STATE_BYTES + 1))])
    assert count(each_redis, "lobby").in_flight == 1


def test_done_sent_twice_counts_once(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "lobby")
    queue.offer(offer(hold, 1))
    (taken,) = queue.take(1)
    item = done(taken, result(closed=(Verdict.WITH_MASK,)))
    assert queue.done([item]) == [DoneStatus.ACCEPTED]
    assert queue.done([item]) == [DoneStatus.REPEATED]
    assert count(each_redis, "lobby").people["with_mask"] == 1


def test_done_after_a_new_epoch_is_stale(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "lobby")
    queue.offer(offer(hold, 1))
    (taken,) = queue.take(1)
    queue.offer(offer(hold, 2))
    new = CameraBook(each_redis).new_epoch(hold)
    assert new is not None
    assert queue.done([done(taken, state=b"zombie")]) == [DoneStatus.STALE_EPOCH]
    queue.offer(offer(new, 3))
    assert queue.take(1)[0].state == b""
    seen = count(each_redis, "lobby")
    assert (seen.dropped["lease_lost"], seen.dropped["stale"], seen.captured) == (1, 1, 3)


def test_batch_is_answered_camera_by_camera(each_redis: redis.Redis, queue: FrameQueue) -> None:
    holds = held(each_redis, "a", "b", "c")
    for hold in holds:
        queue.offer(offer(hold, 1))
    taken = queue.take(3)
    expire_lease(each_redis, "b")
    queue.take(1, wait_s=0)
    CameraBook(each_redis).new_epoch(holds[2])
    assert queue.done([done(one) for one in taken]) == [
        DoneStatus.ACCEPTED,
        DoneStatus.LEASE_LOST,
        DoneStatus.STALE_EPOCH,
    ]


def test_end_comes_after_the_waiting_frame(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "lobby")
    queue.offer(offer(hold, 1))
    CameraBook(each_redis).end(hold)
    (frame,) = queue.take(1)
    assert frame.kind is TakenKind.FRAME
    queue.done([done(frame, result(person(None, Verdict.UNKNOWN)), b"tracks")])
    (end,) = queue.take(1)
    assert (end.kind, end.state, end.jpeg, end.frame_id) == (TakenKind.END, b"tracks", b"", "")
    assert queue.done([done(end, result(closed=(Verdict.WITH_MASK,)))]) == [DoneStatus.ACCEPTED]
    assert queue.take(1, wait_s=0) == []
    seen = count(each_redis, "lobby")
    assert (seen.captured, seen.analysed, seen.people["with_mask"], seen.present["unknown"]) == (1, 1, 1, 0)


def test_end_survives_the_death_of_its_worker(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "lobby")
    CameraBook(each_redis).end(hold)
    assert queue.take(1)[0].kind is TakenKind.END
    expire_lease(each_redis, "lobby")
    (again,) = queue.take(1, wait_s=0)
    assert again.kind is TakenKind.END
    assert sum(count(each_redis, "lobby").dropped.values()) == 0


def test_end_whose_worker_died_gives_way_to_a_newer_frame(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "lobby")
    CameraBook(each_redis).end(hold)
    queue.take(1)
    queue.offer(offer(hold, 1))
    expire_lease(each_redis, "lobby")
    (frame,) = queue.take(1, wait_s=0)
    assert frame.kind is TakenKind.FRAME
    queue.done([done(frame)])
    assert queue.take(1, wait_s=0) == []


def test_frame_after_the_end_calls_it_off(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "lobby")
    CameraBook(each_redis).end(hold)
    queue.offer(offer(hold, 1))
    (frame,) = queue.take(1)
    assert frame.kind is TakenKind.FRAME
    queue.done([done(frame)])
    assert queue.take(1, wait_s=0) == []


def test_results_are_counted_by_label_and_verdict(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "lobby")
    queue.offer(offer(hold, 1))
    people = (
        person(MaskLabel.WITH_MASK, Verdict.WITH_MASK),
        person(MaskLabel.WITH_MASK, Verdict.UNKNOWN),
        person(None, Verdict.UNKNOWN),
        person(MaskLabel.WITHOUT_MASK, Verdict.WITHOUT_MASK, seen=False),
    )
    closed = (Verdict.UNKNOWN, Verdict.INCORRECT_MASK, Verdict.UNKNOWN)
    queue.done([done(queue.take(1)[0], result(*people, closed=closed))])
    seen = count(each_redis, "lobby")
    assert seen.faces == {"with_mask": 2, "without_mask": 0, "incorrect_mask": 0}
    assert seen.people == {"with_mask": 0, "without_mask": 0, "incorrect_mask": 1, "unknown": 2}
    assert seen.present == {"with_mask": 1, "without_mask": 1, "incorrect_mask": 0, "unknown": 2}
    queue.offer(offer(hold, 2))
    queue.done([done(queue.take(1)[0], result())])
    assert set(count(each_redis, "lobby").present.values()) == {0}
