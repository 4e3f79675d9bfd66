"""The frame queue on real servers: one behaviour a test."""

from __future__ import annotations

import threading
import time
from collections import Counter
from itertools import pairwise

import pytest
import redis

from maskwatch.broker import keys
from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.connect import connect
from maskwatch.broker.counts import Counts
from maskwatch.broker.frames import MOST_STATE_BYTES, FrameQueue
from maskwatch.broker.messages import CameraInfo, DoneStatus, Offer, OfferStatus, TakenKind
from maskwatch.broker.viewer import Viewer
from maskwatch.errors import BrokerDown, QueueError
from maskwatch.types import DropReason, FrameResult, FrameStatus, MaskLabel, Person, Verdict
from tests.support import free_port, wait_for
from tests.support_queue import count, counts, done, expire_lease, held, offer, result
from tests.support_redis import redis_server


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


def person(label: MaskLabel | None, verdict: Verdict, *, seen: bool = True) -> Person:
    return Person(1, (0.1, 0.1, 0.2, 0.2), 0.9, label, (1.0, 0.0, 0.0) if label else (), verdict, seen)


def test_offered_frame_is_taken_as_it_was_offered(each_redis: redis.Redis, queue: FrameQueue) -> None:
    book = CameraBook(each_redis)
    info = CameraInfo("lobby", "rtsp://10.0.0.5", fps=3.0, width=320, on="front-pc")
    book.register([info])
    hold = book.hold("lobby", "ingest")
    assert hold is not None
    frame = offer(hold, 7, age_s=0.5)
    assert queue.offer(frame) is OfferStatus.ACCEPTED
    (taken,) = queue.take(4)
    assert taken.kind is TakenKind.FRAME
    assert (taken.camera, taken.epoch, taken.frame_id) == ("lobby", hold.epoch, frame.frame_id)
    assert (taken.jpeg, taken.size_wh, taken.media_time_s) == (frame.jpeg, frame.size_wh, frame.media_time_s)
    assert (taken.info, taken.state, taken.alone) == (info, b"", False)
    assert 0.5 <= taken.age_s < 5.0


def test_newer_frame_replaces_the_waiting_one(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "lobby")
    for number in (1, 2, 3):
        assert queue.offer(offer(hold, number)) is OfferStatus.ACCEPTED
    assert [taken.jpeg for taken in queue.take(4)] == [offer(hold, 3).jpeg]
    seen = count(each_redis, "lobby")
    assert (seen.captured, seen.dropped["replaced"], seen.in_flight) == (3, 2, 1)


def test_frame_offered_twice_counts_once(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "lobby")
    frame = offer(hold, 1, dropped={DropReason.STILL: 4})
    assert queue.offer(frame) is OfferStatus.ACCEPTED
    assert queue.offer(frame) is OfferStatus.DUPLICATE
    (taken,) = queue.take(1)
    assert queue.offer(frame) is OfferStatus.DUPLICATE
    assert queue.done([done(taken)]) == [DoneStatus.ACCEPTED]
    assert queue.offer(frame) is OfferStatus.DUPLICATE
    assert queue.take(1, wait_s=0) == []
    assert count(each_redis, "lobby").captured == 5


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
    with pytest.raises(QueueError, match="camera lobby: expected at most 4096 bytes, received 4097"):
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


def test_lost_lease_makes_camera_ready_and_refuses_its_done(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "lobby")
    queue.offer(offer(hold, 1))
    (lost,) = queue.take(1)
    queue.offer(offer(hold, 2))
    expire_lease(each_redis, "lobby")
    (taken,) = queue.take(1, wait_s=0)
    assert taken.frame_id == "nonce-2"
    assert queue.done([done(lost, result(closed=(Verdict.UNKNOWN,)), b"zombie")]) == [DoneStatus.LEASE_LOST]
    assert queue.renew([lost, taken]) == [False, True]
    assert queue.done([done(taken)]) == [DoneStatus.ACCEPTED]
    seen = count(each_redis, "lobby")
    assert (seen.dropped["lease_lost"], seen.analysed, seen.people["unknown"]) == (1, 1, 0)


def test_late_done_that_nobody_reclaimed_is_accepted(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "lobby")
    queue.offer(offer(hold, 1))
    (late,) = queue.take(1)
    expire_lease(each_redis, "lobby")
    assert queue.done([done(late)]) == [DoneStatus.ACCEPTED]
    assert queue.take(1, wait_s=0) == []
    assert count(each_redis, "lobby").analysed == 1


def test_renewed_lease_lasts(each_redis: redis.Redis) -> None:
    (hold,) = held(each_redis, "lobby")
    queue = FrameQueue(each_redis, lease_ms=400)
    queue.offer(offer(hold, 1))
    taken = queue.take(1)
    patient = FrameQueue(each_redis, lease_ms=60_000)
    assert patient.renew(taken) == [True]
    time.sleep(0.5)
    assert patient.take(1, wait_s=0) == []
    assert queue.done([done(taken[0])]) == [DoneStatus.ACCEPTED]


def test_take_wakes_when_a_lease_runs_out(each_redis: redis.Redis) -> None:
    (hold,) = held(each_redis, "lobby")
    queue = FrameQueue(each_redis, lease_ms=300)
    queue.offer(offer(hold, 1))
    queue.take(1)
    queue.offer(offer(hold, 2))
    assert wait_for(lambda: queue.take(1, wait_s=1.0), 5, "the frame after the lost one")[0].frame_id == "nonce-2"


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
        for place, hold in enumerate(holds):
            # The fast ones offer in every round, each slow one in every fourth: together 32 a round, 8 are served.
            if place < 10 or (place + round_) % 4 == 0:
                queue.offer(offer(hold, round_))
        taken = queue.take(8, wait_s=0)
        served.update(one.camera[:4] for one in taken)
        queue.done([done(one) for one in taken])
    fast, slow = served["fast"] / 10, served["slow"] / 90
    assert fast == pytest.approx(slow, rel=0.1)


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


def test_undecodable_frame_is_dropped_and_never_shown(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "lobby")
    queue.offer(offer(hold, 1))
    queue.done([done(queue.take(1)[0])])
    queue.offer(offer(hold, 2))
    broken = FrameResult(FrameStatus.DECODE_ERROR, note="not a JPEG")
    assert queue.done([done(queue.take(1)[0], broken)]) == [DoneStatus.ACCEPTED]
    seen = count(each_redis, "lobby")
    assert (seen.analysed, seen.dropped["decode_error"]) == (1, 1)
    assert Viewer(each_redis).versions(["lobby"]) == {"lobby": "nonce-1"}


def test_unreadable_item_is_dropped_without_disturbing_others(each_redis: redis.Redis, queue: FrameQueue) -> None:
    holds = held(each_redis, "bad", "good")
    for hold in holds:
        queue.offer(offer(hold, 1))
        queue.done([done(one, state=b"kept") for one in queue.take(1)])
        queue.offer(offer(hold, 2))
    each_redis.hset(keys.camera_key("bad"), "next_meta", b"\xc1 not msgpack")
    assert [one.camera for one in queue.take(2)] == ["good"]
    seen = count(each_redis, "bad")
    assert (seen.dropped["decode_error"], seen.in_flight) == (1, 0)
    queue.offer(offer(holds[0], 3))
    (again,) = queue.take(1)
    assert (again.camera, again.frame_id, again.state) == ("bad", "nonce-3", b"kept")


def test_frame_whose_picture_is_gone_is_skipped(each_redis: redis.Redis, queue: FrameQueue) -> None:
    holds = held(each_redis, "gone", "good")
    for hold in holds:
        queue.offer(offer(hold, 1))
    each_redis.delete(keys.next_key("gone"))
    assert [one.camera for one in queue.take(2)] == ["good"]
    assert count(each_redis, "gone").dropped["lease_lost"] == 1


def test_turn_that_is_taken_back_before_its_picture_is_read_is_skipped(
    each_redis: redis.Redis, queue: FrameQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    holds = held(each_redis, "a", "b")
    for hold in holds:
        queue.offer(offer(hold, 1))
    hand_out = queue._hand_out
    other = FrameQueue(each_redis)

    def overtaken(n: int) -> object:
        turns = hand_out(n)
        new = CameraBook(each_redis).new_epoch(holds[0])
        assert new is not None
        other.offer(offer(new, 2))
        assert len(other.take(1, wait_s=0)) == 1
        return turns

    monkeypatch.setattr(queue, "_hand_out", overtaken)
    assert [one.camera for one in queue.take(2)] == ["b"]
    counts(each_redis)


def test_waiting_take_is_woken_by_an_offer(each_redis_url: str, each_redis: redis.Redis) -> None:
    (hold,) = held(each_redis, "lobby")
    found: list[float] = []

    def consume() -> None:
        with connect(each_redis_url, blocking=True) as client:
            started = time.monotonic()
            assert FrameQueue(client).take(1, wait_s=2.0)
            found.append(time.monotonic() - started)

    consumer = threading.Thread(target=consume)
    consumer.start()
    wait_for(lambda: _blocked(each_redis) == 1, 5, "the consumer to wait")
    FrameQueue(each_redis).offer(offer(hold, 1))
    consumer.join(5)
    assert len(found) == 1
    assert found[0] < 1.5


def test_cameras_that_one_take_leaves_wake_another(each_redis_url: str, each_redis: redis.Redis) -> None:
    holds = held(each_redis, *(f"c{n}" for n in range(6)))
    found: list[str] = []

    def consume() -> None:
        with connect(each_redis_url, blocking=True) as client:
            found.extend(one.camera for one in FrameQueue(client).take(2, wait_s=2.0))

    consumers = [threading.Thread(target=consume) for _ in range(3)]
    for consumer in consumers:
        consumer.start()
    wait_for(lambda: _blocked(each_redis) == 3, 5, "the consumers to wait")
    started = time.monotonic()
    queue = FrameQueue(each_redis)
    for hold in holds:
        queue.offer(offer(hold, 1))
    for consumer in consumers:
        consumer.join(5)
    first = sorted(found)
    rest = queue.take(6, wait_s=0)
    assert sorted(first + [one.camera for one in rest]) == [f"c{n}" for n in range(6)]
    assert len(first) >= 3
    assert time.monotonic() - started < 1.8


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


def test_flushed_scripts_are_loaded_again(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "lobby")
    each_redis.script_flush()
    assert queue.offer(offer(hold, 1)) is OfferStatus.ACCEPTED
    each_redis.script_flush()
    (taken,) = queue.take(1)
    each_redis.script_flush()
    assert queue.renew([taken]) == [True]
    each_redis.script_flush()
    assert queue.done([done(taken)]) == [DoneStatus.ACCEPTED]
    assert count(each_redis, "lobby").captured == 1


def test_everything_may_be_flushed_in_the_middle(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "lobby")
    queue.offer(offer(hold, 1))
    (taken,) = queue.take(1)
    each_redis.flushall()
    assert queue.offer(offer(hold, 2)) is OfferStatus.STALE_EPOCH
    assert queue.renew([taken]) == [False]
    assert queue.done([done(taken)]) == [DoneStatus.STALE_EPOCH]
    assert queue.take(1, wait_s=0) == []
    assert each_redis.keys() == []
    (again,) = held(each_redis, "lobby")
    assert queue.offer(offer(again, 3)) is OfferStatus.ACCEPTED
    assert queue.done([done(queue.take(1)[0])]) == [DoneStatus.ACCEPTED]
    assert count(each_redis, "lobby").captured == 1


def kill_workers(client: redis.Redis, queue: FrameQueue, times: int, *cameras: str) -> None:
    for _ in range(times):
        taken = {one.camera for one in queue.take(len(cameras), wait_s=0)}
        assert taken == set(cameras)
        expire_lease(client, *cameras)
        queue.take(0, wait_s=0)


def test_suspects_are_taken_alone_and_innocents_cleared(each_redis: redis.Redis, queue: FrameQueue) -> None:
    holds = held(each_redis, "a", "b")
    for number in (1, 2, 3):
        for hold in holds:
            queue.offer(offer(hold, number))
        if number < 3:
            kill_workers(each_redis, queue, 1, "a", "b")
    (first,) = queue.take(8, wait_s=0)
    (second,) = queue.take(8, wait_s=0)
    assert (first.alone, second.alone) == (True, True)
    assert queue.done([done(first), done(second)]) == [DoneStatus.ACCEPTED] * 2
    for hold in holds:
        queue.offer(offer(hold, 4))
    assert [one.alone for one in queue.take(8, wait_s=0)] == [False, False]


def test_suspect_waits_for_a_batch_of_its_own(each_redis: redis.Redis, queue: FrameQueue) -> None:
    bad, good = held(each_redis, "bad", "good")
    for number in (1, 2):
        queue.offer(offer(bad, number))
        kill_workers(each_redis, queue, 1, "bad")
    queue.offer(offer(good, 1))
    queue.offer(offer(bad, 3))
    assert [(one.camera, one.alone) for one in queue.take(8, wait_s=0)] == [("good", False)]
    assert [(one.camera, one.alone) for one in queue.take(8, wait_s=0)] == [("bad", True)]


def test_suspect_whose_turn_it_is_brings_nobody_along(each_redis: redis.Redis, queue: FrameQueue) -> None:
    bad, good = held(each_redis, "bad", "good")
    for number in (1, 2):
        queue.offer(offer(bad, number))
        kill_workers(each_redis, queue, 1, "bad")
    queue.offer(offer(good, 1))
    queue.done([done(one) for one in queue.take(1)])
    for hold in (bad, good):
        queue.offer(offer(hold, 3))
    assert [(one.camera, one.alone) for one in queue.take(8, wait_s=0)] == [("bad", True)]
    assert [(one.camera, one.alone) for one in queue.take(8, wait_s=0)] == [("good", False)]


def test_camera_that_kills_again_is_failed_with_back_off(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "bad")
    waits = []
    for number in range(2 + 7):
        queue.offer(offer(hold, number))
        each_redis.zadd(keys.FAILED, {"bad": 1}, xx=True)
        if each_redis.hexists(keys.camera_key("bad"), "retry_at"):
            each_redis.hset(keys.camera_key("bad"), "retry_at", 1)
        kill_workers(each_redis, queue, 1, "bad")
        retry_at = each_redis.zscore(keys.FAILED, "bad")
        if retry_at is not None:
            seconds, _ = each_redis.time()
            waits.append(retry_at / 1000 - seconds)
    assert waits == pytest.approx([10, 20, 40, 80, 160, 300, 300], abs=2)
    queue.offer(offer(hold, 99))
    assert queue.take(1, wait_s=0) == []
    counts(each_redis)


def test_worker_that_was_only_slow_is_not_held_against_the_camera(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "lobby")
    for number in (1, 2, 3):
        queue.offer(offer(hold, number))
        (taken,) = queue.take(1, wait_s=0)
        assert not taken.alone
        expire_lease(each_redis, "lobby")
        queue.take(0, wait_s=0)
        assert queue.done([done(taken)]) == [DoneStatus.LEASE_LOST]


def test_new_epochs_do_not_hide_a_camera_that_kills(each_redis: redis.Redis, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "loop")
    book = CameraBook(each_redis)
    for number in (1, 2):
        queue.offer(offer(hold, number))
        assert queue.take(1, wait_s=0)
        again = book.new_epoch(hold)
        assert again is not None
        hold = again
    queue.offer(offer(hold, 3))
    assert queue.take(1, wait_s=0)[0].alone


def test_full_server_refuses_offers_but_takes_and_finishes() -> None:
    with redis_server() as url, connect(url) as client:
        queue = FrameQueue(client)
        (hold,) = held(client, "lobby")
        queue.offer(offer(hold, 1))
        client.config_set("maxmemory", client.info("memory")["used_memory"] - 1000)
        with pytest.raises(QueueError, match="has reached its maxmemory while offering a frame of lobby"):
            queue.offer(offer(hold, 2))
        (taken,) = queue.take(1)
        assert queue.renew([taken]) == [True]
        assert queue.done([done(taken, result(closed=(Verdict.UNKNOWN,)), b"x" * 4000)]) == [DoneStatus.ACCEPTED]
        CameraBook(client).retire("lobby")
        assert Counts.read(client).balanced


def test_server_that_is_gone_is_told_as_broker_down() -> None:
    with connect(f"redis://:secret@127.0.0.1:{free_port()}/0") as client:
        queue = FrameQueue(client)
        with pytest.raises(BrokerDown, match="can't be reached while taking frames") as raised:
            queue.take(1)
    assert "secret" not in str(raised.value)


def test_frozen_server_is_told_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with redis_server() as url, connect(url) as patient:
        (hold,) = held(patient, "lobby")
        monkeypatch.setattr("maskwatch.broker.connect._ANSWER_TIMEOUT_S", 0.3)
        with connect(url) as client:
            queue = FrameQueue(client)
            frame = offer(hold, 1)
            patient.execute_command("CLIENT", "PAUSE", 2000, "ALL")
            started = time.monotonic()
            with pytest.raises(BrokerDown, match="while offering a frame of lobby"):
                queue.offer(frame)
            assert time.monotonic() - started < 5
            # Whether it arrived isn't known, so it is offered again: it counts once.
            wait_for(lambda: _offered(queue, frame), 10, "the server to go on")
        assert count(patient, "lobby").captured == 1


def test_client_never_sends_a_command_twice(each_redis_url: str) -> None:
    with connect(each_redis_url) as client:
        retry = client.get_retry()
        assert retry is not None
        assert retry.get_retries() == 0


def _offered(queue: FrameQueue, frame: Offer) -> bool:
    try:
        return queue.offer(frame) in (OfferStatus.ACCEPTED, OfferStatus.DUPLICATE)
    except BrokerDown:
        return False


def _blocked(client: redis.Redis) -> int:
    return int(client.info("clients")["blocked_clients"])
