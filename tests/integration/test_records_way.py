"""From a frame in the queue to records in the stream: a live worker on real servers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import redis

from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.events import EventLog, Snapshots
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.messages import CameraInfo, Hold, Offer
from maskwatch.events import Event, PersonClosed, Record, unpack_record
from maskwatch.media import decode_jpeg, encode_jpeg
from maskwatch.metrics import ProcessMetrics
from maskwatch.service import Stop
from maskwatch.types import EventKind, Verdict
from maskwatch.types import Snapshots as Allowed
from maskwatch.zones import Rule, Zone
from tests.support import wait_for
from tests.support_queue import count
from tests.unit.test_pipeline import FACE, FakeClassifier, FakeDetector, picture
from workers.batching import BatchPlan
from workers.keeping import Keeper
from workers.live import LiveWorker
from workers.models import WorkerModels

LEFT = Zone("left", ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))
LOBBY = CameraInfo("lobby", snapshots=Allowed.BLURRED, zones=(LEFT,), rules=(Rule("masks", zone="left", grace_s=0.4),))
JPEG = encode_jpeg(picture())


@dataclass
class FakeModels:
    """A face that is always there, and bare."""

    classifier = FakeClassifier()

    def detector(self, _name: str) -> FakeDetector:
        return FakeDetector(FACE)


@contextmanager
def working(client: redis.Redis, log: EventLog) -> Iterator[None]:
    stop = Stop()
    worker = LiveWorker(
        FrameQueue(client), cast(WorkerModels, FakeModels()), ProcessMetrics("worker"), stop,
        plan=BatchPlan(8, 60.0, 0.0), keeper=Keeper(log, Snapshots(client)),
    )  # fmt: skip
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield
    finally:
        stop.request()
        thread.join(60)
    assert not thread.is_alive()


def play(client: redis.Redis, hold: Hold, first: int, last: int) -> None:
    """Offer frames one by one, each when the one before is analysed."""
    queue = FrameQueue(client)
    for number in range(first, last):
        queue.offer(Offer("lobby", hold.epoch, f"n-{number}", JPEG, (640, 360), 0.0, number / 5))
        wait_for(lambda number=number: count(client, "lobby").analysed > number, 120, "the frame")  # type: ignore[misc]


def read(log: EventLog) -> list[Record]:
    return [unpack_record(entry.data) for entry in log.read("me", 1000, 0.1)]


def held(client: redis.Redis) -> Hold:
    book = CameraBook(client)
    book.register([LOBBY])
    hold = book.hold("lobby", "ingest")
    assert hold is not None
    return hold


def test_violation_is_in_the_stream_with_its_picture_and_counted(each_redis: redis.Redis) -> None:
    hold, log = held(each_redis), EventLog(each_redis)
    with working(each_redis, log):
        play(each_redis, hold, 0, 15)
        CameraBook(each_redis).end(hold)
        wait_for(lambda: count(each_redis, "lobby").people["without_mask"] == 1, 120, "the person to be counted")
    started, ended, *closed = read(log)
    assert isinstance(started, Event)
    assert isinstance(ended, Event)
    assert (started.kind, started.rule, started.zone) == (EventKind.VIOLATION_STARTED, "masks", "left")
    assert (ended.kind, ended.verdict) == (EventKind.VIOLATION_ENDED, Verdict.WITHOUT_MASK)
    assert [(one.zone, one.verdict) for one in closed if isinstance(one, PersonClosed)] == [
        ("", Verdict.WITHOUT_MASK), ("left", Verdict.WITHOUT_MASK),
    ]  # fmt: skip
    events = count(each_redis, "lobby").events
    assert (events["violation_started"], events["violation_ended"], events["crowd"]) == (1, 1, 0)
    assert started.snapshot == ended.snapshot
    assert started.snapshot is not None
    (jpeg,) = Snapshots(each_redis).get([started.snapshot]).values()
    assert decode_jpeg(jpeg).shape == (360, 640, 3)


def test_worker_stops_committing_while_the_stream_is_full_and_loses_nothing(each_redis: redis.Redis) -> None:
    hold, log = held(each_redis), EventLog(each_redis, most=1)
    with working(each_redis, log):
        play(each_redis, hold, 0, 15)
        CameraBook(each_redis).end(hold)
        # One record fits: the end of the violation and the person who has gone wait until somebody records.
        wait_for(lambda: log.backlog().is_full, 120, "the stream to be full")
        assert count(each_redis, "lobby").people["without_mask"] == 0
        entries = log.read("me", 10, 0.1)
        assert len(entries) == 1
        log.ack([entry.id for entry in entries])
        assert count(each_redis, "lobby").events["violation_ended"] == 0
    roomy = EventLog(each_redis)
    with working(each_redis, roomy):
        wait_for(lambda: count(each_redis, "lobby").people["without_mask"] == 1, 120, "the person to be counted")
    kinds = [one.kind for one in read(roomy) if isinstance(one, Event)]
    assert kinds == [EventKind.VIOLATION_ENDED]
