"""The frame queue when workers die, leases run out, servers fill up, freeze and forget."""

from __future__ import annotations

import os
import signal
import time

import pytest
import redis

from maskwatch.broker import keys
from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.connect import connect
from maskwatch.broker.counts import Counts
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.messages import CameraInfo, DoneStatus, Offer, OfferStatus, TakenKind
from maskwatch.broker.viewer import Viewer
from maskwatch.errors import BrokerDown, QueueError
from maskwatch.types import DropReason, FrameResult, FrameStatus, Verdict
from tests.support import free_port, wait_for
from tests.support_queue import count, counts, done, expire_lease, held, offer, result
from tests.support_redis import redis_server


@pytest.fixture
def queue(each_redis: redis.Redis) -> FrameQueue:
    return FrameQueue(each_redis)


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
    assert wait_for(lambda: queue.take(1, wait_s=1.0), 60, "the frame after the lost one")[0].frame_id == "nonce-2"


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
    expected = iter([10, 20, 40, 80, 160, 300, 300])
    for number in range(2 + 7):
        queue.offer(offer(hold, number))
        each_redis.zadd(keys.FAILED, {"bad": 1}, xx=True)
        if each_redis.hexists(keys.camera_key("bad"), "retry_at"):
            each_redis.hset(keys.camera_key("bad"), "retry_at", 1)
        before_s = server_s(each_redis)
        kill_workers(each_redis, queue, 1, "bad")
        retry_at_ms = each_redis.zscore(keys.FAILED, "bad")
        if retry_at_ms is not None:
            assert before_s - 0.001 <= retry_at_ms / 1000 - next(expected) <= server_s(each_redis)
    assert next(expected, None) is None
    queue.offer(offer(hold, 99))
    assert queue.take(1, wait_s=0) == []
    counts(each_redis)


def server_s(client: redis.Redis) -> float:
    """Return the time of day by the server's clock."""
    seconds, micros = client.time()
    return seconds + micros / 1e6


def test_tracks_are_never_given_up_within_an_epoch(each_redis: redis.Redis, queue: FrameQueue) -> None:
    """Their numbers begin at 1 again, and with them the ids of what is recorded."""
    (hold,) = held(each_redis, "bad")
    book = CameraBook(each_redis)
    for number in range(4):
        queue.offer(offer(hold, number))
        each_redis.zadd(keys.FAILED, {"bad": 1}, xx=True)
        if each_redis.hexists(keys.camera_key("bad"), "retry_at"):
            each_redis.hset(keys.camera_key("bad"), "retry_at", 1)
        assert book.renew([hold]) == [True]
        kill_workers(each_redis, queue, 1, "bad")
    assert book.renew([hold]) == [False]
    assert book.holders() == {}
    again = book.hold("bad", "ingest")
    assert again is not None
    assert again.epoch != hold.epoch
    assert queue.offer(offer(hold, 9)) is OfferStatus.STALE_EPOCH
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
        client.config_set("maxmemory", 1)
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
            process = int(patient.info("server")["process_id"])
            os.kill(process, signal.SIGSTOP)
            try:
                started = time.monotonic()
                with pytest.raises(BrokerDown, match="while offering a frame of lobby"):
                    queue.offer(frame)
                assert time.monotonic() - started < 30
            finally:
                os.kill(process, signal.SIGCONT)
            # Whether it arrived isn't known, so it is offered again: it counts once.
            wait_for(lambda: _offered(queue, frame), 60, "the server to go on")
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
