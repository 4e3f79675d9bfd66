"""The book of cameras on real servers: holds, epochs, states, removal."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
import redis

from maskwatch.broker import keys
from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.counts import Counts
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.happened import Happened
from maskwatch.broker.messages import CameraInfo, CameraView, DoneStatus, Hold, OfferStatus, TakenKind
from maskwatch.errors import StreamFull
from maskwatch.events import Event, Record, event_id, pack_record, unpack_record
from maskwatch.types import CameraState, CameraStatus, EventKind, MaskLabel, Person, Verdict
from tests.support import wait_for
from tests.support_queue import count, counts, done, expire_hold, expire_lease, held, offer, result

LIVE = CameraStatus(CameraState.LIVE, packet_age_s=0.1, holder="ingest", size_wh=(640, 360))
SOMEBODY = Person(1, (0.1, 0.1, 0.2, 0.2), 0.9, MaskLabel.WITH_MASK, (1.0, 0.0, 0.0), Verdict.WITH_MASK)


@pytest.fixture
def queue(each_redis: redis.Redis) -> FrameQueue:
    return FrameQueue(each_redis)


@pytest.fixture
def book(each_redis: redis.Redis) -> CameraBook:
    return CameraBook(each_redis)


def taken_hold(book: CameraBook, camera: str, ingest: str = "ingest") -> Hold:
    hold = book.hold(camera, ingest)
    assert hold is not None
    return hold


def view(book: CameraBook, camera: str = "lobby") -> CameraView:
    return next(view for view in book.overview() if view.info.name == camera)


def leave_tracks(queue: FrameQueue, hold: Hold, number: int = 1) -> None:
    queue.offer(offer(hold, number))
    queue.done([done(queue.take(1)[0], result(SOMEBODY), b"tracks")])


def test_registered_cameras_are_known_and_counted_from_zero(each_redis: redis.Redis, book: CameraBook) -> None:
    infos = [CameraInfo("yard", fps=2.0), CameraInfo("lobby", enabled=False)]
    book.register(infos)
    book.register(infos)
    book.register([])
    assert book.configured() == {info.name: info for info in infos}
    seen = counts(each_redis)
    assert list(seen.cameras) == ["lobby", "yard"]
    lobby = seen.cameras["lobby"]
    for family, size in (("dropped", 8), ("faces", 3), ("people", 4), ("present", 4), ("events", 5)):
        assert list(getattr(lobby, family).values()) == [0] * size
    assert each_redis.hlen(keys.COUNTS + "lobby") == len(keys.COUNTERS)


def test_camera_is_held_by_one_ingest_only(book: CameraBook) -> None:
    book.register([CameraInfo("lobby")])
    hold = taken_hold(book, "lobby", "one")
    assert book.hold("lobby", "two") is None
    assert book.holders() == {"lobby": "one"}
    assert book.renew([hold]) == [True]
    book.release(hold)
    assert book.holders() == {}
    assert book.renew([hold]) == [False]
    assert taken_hold(book, "lobby", "two").epoch != hold.epoch


def test_hold_that_runs_out_may_be_taken_and_is_lost_then(each_redis: redis.Redis) -> None:
    book = CameraBook(each_redis, hold_ms=150)
    (hold,) = held(each_redis, "lobby", ingest="patient")
    frozen = CameraBook(each_redis, hold_ms=1)
    assert frozen.renew([hold]) == [True]
    wait_for(lambda: not book.holders(), 60, "the hold to run out")
    other = taken_hold(book, "lobby", "other")
    queue = FrameQueue(each_redis)
    assert book.renew([hold, other]) == [False, True]
    assert queue.offer(offer(hold, 1)) is OfferStatus.STALE_EPOCH
    assert book.publish(hold, LIVE) is False
    assert book.new_epoch(hold) is None
    book.release(hold)
    book.end(hold)
    assert queue.take(1, wait_s=0) == []
    assert book.publish(other, LIVE) is True


def test_hold_that_ran_out_unnoticed_may_be_renewed(each_redis: redis.Redis, book: CameraBook) -> None:
    (hold,) = held(each_redis, "lobby")
    expire_hold(each_redis, "lobby")
    assert book.holders() == {}
    assert book.renew([hold]) == [True]
    assert book.holders() == {"lobby": "ingest"}


def test_restarted_ingest_has_its_cameras_back_at_once(book: CameraBook) -> None:
    first = taken_hold(book, "lobby", "front-pc")
    second = taken_hold(book, "lobby", "front-pc")
    assert book.renew([first, second]) == [False, True]


def test_epoch_that_began_already_is_not_lost_with_its_answer(book: CameraBook) -> None:
    hold = book.hold("lobby", "a")
    assert hold is not None
    new = book.new_epoch(hold, "wished")
    assert new == Hold("lobby", "wished")
    assert book.new_epoch(hold, "wished") == new
    assert book.new_epoch(hold, "another") is None
    assert book.renew([new]) == [True]


def test_new_epoch_drops_frames_and_keeps_tracks_for_the_worker(
    each_redis: redis.Redis, book: CameraBook, queue: FrameQueue
) -> None:
    (hold,) = held(each_redis, "lobby")
    leave_tracks(queue, hold)
    queue.offer(offer(hold, 2))
    new = book.new_epoch(hold)
    assert new is not None
    assert count(each_redis, "lobby").dropped["stale"] == 1
    assert queue.take(1, wait_s=0) == []
    queue.offer(offer(new, 3))
    (taken,) = queue.take(1)
    assert (taken.epoch, taken.state) == (new.epoch, b"tracks")


def test_end_of_an_old_epoch_still_closes_tracks_when_no_frame_comes(
    each_redis: redis.Redis, book: CameraBook, queue: FrameQueue
) -> None:
    (hold,) = held(each_redis, "lobby")
    leave_tracks(queue, hold)
    book.end(hold)
    new = book.new_epoch(hold)
    assert new is not None
    (end,) = queue.take(1)
    assert (end.kind, end.epoch, end.state) == (TakenKind.END, new.epoch, b"tracks")
    assert queue.done([done(end)]) == [DoneStatus.ACCEPTED]


def test_living_ingests_are_told_to_each_other(each_redis: redis.Redis) -> None:
    book = CameraBook(each_redis)
    assert book.heartbeat("two") == ["two"]
    assert book.heartbeat("one") == ["one", "two"]
    book.leave("two")
    assert book.heartbeat("one") == ["one"]
    CameraBook(each_redis, hold_ms=50).heartbeat("brief")
    wait_for(lambda: book.heartbeat("one") == ["one"], 60, "the silent one to be forgotten")


def test_camera_without_a_holder_is_offline(book: CameraBook) -> None:
    book.register([CameraInfo("lobby"), CameraInfo("desk", on="front-pc"), CameraInfo("off", enabled=False)])
    assert [(seen.info.name, seen.state, seen.reason) for seen in book.overview()] == [
        ("desk", CameraState.OFFLINE, "waits for the ingest named front-pc"),
        ("lobby", CameraState.OFFLINE, "no ingest holds it"),
        ("off", CameraState.DISABLED, "disabled in the configuration"),
    ]
    lobby = view(book)
    assert (lobby.status, lobby.packet_age_s, lobby.frame_age_s, lobby.analysed_fps) == (None, None, None, 0.0)


def test_published_status_is_shown_while_it_is_fresh(each_redis: redis.Redis, book: CameraBook) -> None:
    (hold,) = held(each_redis, "lobby")
    assert view(book).state is CameraState.CONNECTING
    assert book.publish(hold, LIVE)
    seen = view(book)
    assert (seen.state, seen.status) == (CameraState.LIVE, LIVE)
    assert seen.packet_age_s is not None
    assert seen.packet_age_s >= 0.1
    each_redis.hset(keys.camera_key("lobby"), "status_at", 1)
    assert view(book).state is CameraState.STALLED
    assert "ingest has said nothing for" in view(book).reason


def test_live_camera_without_packets_is_stalled(each_redis: redis.Redis, book: CameraBook) -> None:
    (hold,) = held(each_redis, "lobby")
    book.publish(hold, CameraStatus(CameraState.LIVE, packet_age_s=3.2))
    assert (view(book).state, view(book).reason) == (CameraState.STALLED, "last packet 3 s ago")


def test_word_of_a_lost_holder_is_not_shown(each_redis: redis.Redis, book: CameraBook) -> None:
    (hold,) = held(each_redis, "lobby")
    book.publish(hold, LIVE)
    expire_hold(each_redis, "lobby")
    assert (view(book).state, view(book).status) == (CameraState.OFFLINE, None)


def test_going_offline_and_coming_online_are_counted_once(each_redis: redis.Redis, book: CameraBook) -> None:
    (hold,) = held(each_redis, "lobby")
    states = "connecting live live stalled live offline offline connecting offline live auth_failed unsupported live"
    for state in states.split():
        assert book.publish(hold, CameraStatus(CameraState(state)))
    events = count(each_redis, "lobby").events
    assert (events["camera_offline"], events["camera_online"], sum(events.values())) == (2, 3, 5)


def test_what_happens_to_cameras_is_handed_over_once_it_is_safe(each_redis: redis.Redis, book: CameraBook) -> None:
    (hold,) = held(each_redis, "lobby")
    book.publish(hold, LIVE)
    book.publish(hold, CameraStatus(CameraState.OFFLINE, "no route to 10.0.0.5"))
    happened, kept = Happened(each_redis), list[Record]()

    def refuse(_records: Sequence[Record]) -> None:
        raise StreamFull("no room")

    with pytest.raises(StreamFull):
        happened.move(refuse)
    each_redis.lpush(keys.HAPPENED, b"\xc1 nothing")
    assert happened.move(kept.extend) == 3
    assert happened.move(kept.extend) == 0
    online, offline = (one for one in kept if isinstance(one, Event))
    assert (online.kind, online.camera, online.epoch) == (EventKind.CAMERA_ONLINE, "lobby", hold.epoch)
    assert (offline.kind, offline.note) == (EventKind.CAMERA_OFFLINE, "no route to 10.0.0.5")
    assert offline.id == event_id(hold.epoch, None, "", EventKind.CAMERA_OFFLINE, 1)
    assert abs((offline.time_utc - datetime.now(UTC)).total_seconds()) < 60
    unpack_record(pack_record(offline))


def fps_of(times_s: Sequence[float], now_s: float) -> float:
    """Return the rate of frames of these times: each fades within some three seconds, and so do those not known."""
    known = 1 - math.exp(-max(1.0, now_s - times_s[0]) / 3)
    return sum(math.exp((time_s - now_s) / 3) / 3 for time_s in times_s) / known


def test_rate_of_even_frames_is_how_often_they_come() -> None:
    assert fps_of([number / 5 for number in range(50)], 10.0) == pytest.approx(5, rel=0.05)


def test_overview_tells_age_rate_and_people(each_redis: redis.Redis, book: CameraBook, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "lobby")
    book.publish(hold, LIVE)
    before_s, after_s = list[float](), list[float]()
    for number in range(1, 16):
        queue.offer(offer(hold, number, age_s=0.25))
        (taken,) = queue.take(1)
        before_s.append(time.monotonic())
        queue.done([done(taken, result(SOMEBODY))])
        after_s.append(time.monotonic())
        time.sleep(0.1)
    asked_s = time.monotonic()
    seen = view(book)
    assert seen.frame_age_s is not None
    assert 0.25 <= seen.frame_age_s < 30.0
    assert seen.people == {"with_mask": 1, "without_mask": 0, "incorrect_mask": 0, "unknown": 0}
    least, most = fps_of(before_s, time.monotonic()), fps_of(after_s, asked_s)
    assert 0.98 * least <= seen.analysed_fps <= 1.02 * most
    each_redis.hincrby(keys.camera_key("lobby"), "rate_at", -60_000)
    assert view(book).analysed_fps < 0.1


def test_camera_that_kills_workers_is_shown_as_failed(
    each_redis: redis.Redis, book: CameraBook, queue: FrameQueue
) -> None:
    (hold,) = held(each_redis, "lobby")
    book.publish(hold, LIVE)
    for number in (1, 2, 3):
        queue.offer(offer(hold, number))
        assert len(queue.take(1, wait_s=0)) == 1
        expire_lease(each_redis, "lobby")
        queue.take(0, wait_s=0)
    seen = view(book)
    assert seen.state is CameraState.FAILED
    assert seen.reason.startswith("workers die over its frames (3 so far); tried again in ")
    queue.offer(offer(hold, 4))
    each_redis.hset(keys.camera_key("lobby"), "retry_at", 1)
    each_redis.zadd(keys.FAILED, {"lobby": 1})
    (taken,) = queue.take(1)
    assert taken.alone
    queue.done([done(taken)])
    assert view(book).state is CameraState.LIVE


def test_state_is_given_up_when_it_may_be_what_kills(
    each_redis: redis.Redis, book: CameraBook, queue: FrameQueue
) -> None:
    (hold,) = held(each_redis, "lobby")
    leave_tracks(queue, hold)
    book.end(hold)
    for _ in range(4):
        each_redis.hset(keys.camera_key("lobby"), "retry_at", 1)
        each_redis.zadd(keys.FAILED, {"lobby": 1})
        assert queue.take(1, wait_s=0)[0].kind is TakenKind.END
        expire_lease(each_redis, "lobby")
        queue.take(0, wait_s=0)
    assert queue.take(1, wait_s=0) == []
    assert not each_redis.hexists(keys.camera_key("lobby"), "state")
    assert view(book).people["with_mask"] == 0


def test_camera_that_nobody_holds_loses_its_people(
    each_redis: redis.Redis, book: CameraBook, queue: FrameQueue
) -> None:
    (hold,) = held(each_redis, "lobby")
    book.publish(hold, LIVE)
    leave_tracks(queue, hold)
    expire_hold(each_redis, "lobby", ago_ms=9_000)
    assert queue.take(1, wait_s=0) == []
    expire_hold(each_redis, "lobby", ago_ms=10_001)
    (end,) = queue.take(1, wait_s=0)
    assert (end.kind, end.state) == (TakenKind.END, b"tracks")
    queue.done([done(end, result(closed=(Verdict.WITH_MASK,)))])
    seen = count(each_redis, "lobby")
    assert (seen.people["with_mask"], seen.present["with_mask"]) == (1, 0)
    assert seen.events["camera_offline"] == 1
    assert book.renew([hold]) == [False]


def test_retired_camera_is_deleted_once_its_tracks_are_closed(
    each_redis: redis.Redis, book: CameraBook, queue: FrameQueue
) -> None:
    other, hold = held(each_redis, "other", "lobby")
    leave_tracks(queue, hold)
    queue.offer(offer(hold, 2, dropped={}))
    (flying,) = queue.take(1)
    queue.offer(offer(hold, 3))
    book.retire("lobby")
    book.retire("lobby")
    assert list(book.configured()) == ["other"]
    assert book.holders() == {"other": "ingest"}
    assert queue.offer(offer(hold, 4)) is OfferStatus.STALE_EPOCH
    assert queue.done([done(flying)]) == [DoneStatus.STALE_EPOCH]
    assert (book.renew([hold]), book.publish(hold, LIVE)) == ([False], False)
    assert count(each_redis, "lobby").dropped["removed"] == 2
    (end,) = queue.take(1)
    assert (end.kind, end.state) == (TakenKind.END, b"tracks")
    assert queue.done([done(end, result(closed=(Verdict.WITH_MASK,)))]) == [DoneStatus.ACCEPTED]
    assert [key for key in each_redis.scan_iter() if b"lobby" in key] == []
    after = counts(each_redis)
    assert list(after.cameras) == ["other"]
    assert (after.removed.captured, after.removed.analysed, after.removed.dropped["removed"]) == (3, 1, 2)
    assert after.removed.people["with_mask"] == 1
    assert queue.offer(offer(other, 1)) is OfferStatus.ACCEPTED


def test_retired_camera_without_tracks_is_deleted_at_once(
    each_redis: redis.Redis, book: CameraBook, queue: FrameQueue
) -> None:
    (hold,) = held(each_redis, "lobby")
    queue.offer(offer(hold, 1))
    (flying,) = queue.take(1)
    queue.offer(offer(hold, 2))
    book.retire("lobby")
    book.retire("never-seen")
    assert [key for key in each_redis.scan_iter() if b"lobby" in key] == []
    assert queue.done([done(flying)]) == [DoneStatus.STALE_EPOCH]
    assert queue.take(1, wait_s=0) == []
    assert counts(each_redis).removed.dropped["removed"] == 2


def test_retired_camera_that_comes_back_goes_on_counting(
    each_redis: redis.Redis, book: CameraBook, queue: FrameQueue
) -> None:
    (hold,) = held(each_redis, "lobby")
    leave_tracks(queue, hold)
    book.retire("lobby")
    book.register([CameraInfo("lobby")])
    again = taken_hold(book, "lobby")
    queue.offer(offer(again, 2))
    (taken,) = queue.take(1)
    assert (taken.kind, taken.state) == (TakenKind.FRAME, b"tracks")
    queue.done([done(taken)])
    assert queue.take(1, wait_s=0) == []
    assert count(each_redis, "lobby").analysed == 2


def test_flushed_books_fill_again(each_redis: redis.Redis, book: CameraBook) -> None:
    (hold,) = held(each_redis, "lobby")
    each_redis.flushall()
    assert (book.renew([hold]), book.publish(hold, LIVE)) == ([False], False)
    book.end(hold)
    book.release(hold)
    assert book.overview() == []
    assert Counts.read(each_redis).cameras == {}
    (again,) = held(each_redis, "lobby")
    assert again.epoch != hold.epoch
    assert book.publish(again, LIVE)


def test_unreadable_entries_are_left_out(each_redis: redis.Redis, book: CameraBook) -> None:
    good, _ = held(each_redis, "good", "bad")
    book.publish(good, LIVE)
    each_redis.hset(keys.CONFIGURED, "bad", b"\xc1")
    each_redis.hset(keys.camera_key("good"), "status", b"\xc1")
    assert list(book.configured()) == ["good"]
    assert [(seen.info.name, seen.status) for seen in book.overview()] == [("good", None)]


def test_all_keys_carry_the_one_hash_tag(each_redis: redis.Redis, book: CameraBook, queue: FrameQueue) -> None:
    (hold,) = held(each_redis, "lobby")
    leave_tracks(queue, hold)
    book.publish(hold, LIVE)
    book.heartbeat("ingest")
    queue.offer(offer(hold, 2))
    queue.take(1)
    queue.offer(offer(hold, 3))
    assert all(key.startswith(b"{mw}:") for key in each_redis.scan_iter())
