"""The recorder between a real Redis and a real record: each record once, whatever goes wrong on the way."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from prometheus_client import CollectorRegistry
from sqlalchemy import create_engine, select

from maskwatch.blobs import BlobStore
from maskwatch.broker import keys
from maskwatch.broker.events import EventLog, Snapshots
from maskwatch.errors import BlobError, BrokerDown, StoreDown
from maskwatch.events import Record
from maskwatch.service import Stop
from maskwatch.settings import StoreSettings
from maskwatch.store import Recorded, Rejected, Store
from maskwatch.store.engine import store_url
from maskwatch.store.schema import RejectedRecord
from tests.support_records import NOON, an_event, somebody
from workers.recorder import Recorder, RecorderMetrics
from workers.retention import apply_retention

ALWAYS = (NOON - timedelta(days=1000), NOON + timedelta(days=1000))


class Room:
    """Everything that one recorder works with."""

    def __init__(self, client: redis.Redis, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.store = Store(self.url)
        self.store.upgrade()
        self.log = EventLog(client)
        self.blobs = BlobStore(folder / "blobs", 1_000_000)
        self.snapshots = Snapshots(client)
        self.registry = CollectorRegistry()
        self.stop = Stop()

    def recorder(self, **parts: object) -> Recorder:
        """Make a recorder, as if the last one had died."""
        values: dict[str, object] = {
            "log": EventLog(self.log._client),
            "store": self.store,
            "blobs": self.blobs,
            "snapshots": self.snapshots,
            "metrics": RecorderMetrics(CollectorRegistry()),
            "stop": self.stop,
            "name": "me",
        }
        return Recorder(**(values | parts))  # type: ignore[arg-type]

    def rejected(self) -> list[tuple[str, bytes]]:
        """Return reasons and bytes of what was set aside."""
        engine = create_engine(store_url(self.url))
        with engine.connect() as connection:
            rows = connection.execute(select(RejectedRecord.reason, RejectedRecord.data)).all()
        engine.dispose()
        return [(reason, data) for reason, data in rows]


@pytest.fixture
def room(redis_client: redis.Redis, tmp_path: Path, each_record_url: str) -> Iterator[Room]:
    room = Room(redis_client, tmp_path, each_record_url)
    yield room
    room.store.close()


class Failing:
    """A store that fails so often before it works, after or before it has written."""

    def __init__(self, store: Store, times: int, *, after_writing: bool) -> None:
        self._store = store
        self._times = times
        self._after_writing = after_writing

    def record(self, records: Sequence[Record], rejected: Sequence[Rejected] = ()) -> Recorded:
        if self._times and not self._after_writing:
            self._times -= 1
            raise StoreDown("away")
        done = self._store.record(records, rejected)
        if self._times:
            self._times -= 1
            raise StoreDown("the answer was lost")
        return done


def test_records_are_written_and_then_gone_from_the_stream(room: Room) -> None:
    room.log.add([an_event(1), somebody(1), an_event(2)])
    assert room.recorder().step(0) == 3
    assert len(room.store.events().rows) == 2
    assert room.store.compliance(*ALWAYS)[0].people == 1
    assert room.log.backlog().records == 0
    assert room.recorder().step(0) == 0


@pytest.mark.parametrize("after_writing", [False, True])
def test_record_that_fails_is_written_once_in_the_end(room: Room, after_writing: bool) -> None:
    room.log.add([an_event(1), somebody(1)])
    recorder = room.recorder(store=Failing(room.store, 1, after_writing=after_writing))
    with pytest.raises(StoreDown):
        recorder.step(0)
    assert room.log.backlog().records == 2
    assert room.recorder().step(0) == 2
    assert len(room.store.events().rows) == 1
    assert room.store.compliance(*ALWAYS)[0].people == 1


def test_loop_tries_again_until_the_database_is_back(room: Room) -> None:
    room.log.add([an_event(1)])
    metrics = CollectorRegistry()

    def beat() -> None:
        if room.log.backlog().records == 0:
            room.stop.request()

    store = Failing(room.store, 3, after_writing=False)
    room.recorder(store=store, beat=beat, metrics=RecorderMetrics(metrics)).run()
    assert len(room.store.events().rows) == 1
    assert metrics.get_sample_value("maskwatch_recorder_records_total", {"outcome": "recorded"}) == 1


def test_poison_is_set_aside_and_does_not_stop_the_rest(room: Room, redis_client: redis.Redis) -> None:
    room.log.add([an_event(1)])
    poison = (b"\xff\0no json", b"{}", b'{"version": 99}', b"x" * 100_000, b"[" * 5000)
    for data in poison:
        redis_client.xadd(keys.RECORDS, {"r": data})
    redis_client.xadd(keys.RECORDS, {"strange": "field"})
    room.log.add([an_event(2, note="a\0b"), an_event(3), an_event(4, time_utc=datetime(9999, 1, 1, tzinfo=UTC))])
    metrics = CollectorRegistry()
    room.recorder(metrics=RecorderMetrics(metrics)).step(0)
    assert {event.track_id for event in room.store.events().rows} == {1, 3}
    assert room.log.backlog().records == 0
    reasons = dict((data, reason) for reason, data in room.rejected())
    assert len(reasons) == 8
    assert "expected version 1, received 99" in reasons[b'{"version": 99}']
    assert len(max(reasons, key=len)) == 65_536
    assert metrics.get_sample_value("maskwatch_recorder_records_total", {"outcome": "rejected"}) == 8


def test_poison_that_comes_again_is_set_aside_once(room: Room, redis_client: redis.Redis) -> None:
    redis_client.xadd(keys.RECORDS, {"r": b"poison"})
    with pytest.raises(StoreDown):
        room.recorder(store=Failing(room.store, 1, after_writing=True)).step(0)
    room.recorder().step(0)
    assert len(room.rejected()) == 1


def test_picture_is_kept_with_its_event(room: Room) -> None:
    room.snapshots.put("abc", b"jpeg", 60)
    room.log.add([an_event(1, snapshot="abc"), an_event(2, snapshot="gone"), an_event(3)])
    metrics = CollectorRegistry()
    room.recorder(metrics=RecorderMetrics(metrics)).step(0)
    kept = {event.track_id: event.snapshot for event in room.store.events().rows}
    assert kept == {1: "event-abc.jpg", 2: None, 3: None}
    assert room.blobs.get("event-abc.jpg") == b"jpeg"
    for outcome in ("kept", "missing"):
        assert metrics.get_sample_value("maskwatch_recorder_snapshots_total", {"outcome": outcome}) == 1


def test_picture_kept_before_a_death_is_still_the_events(room: Room, redis_client: redis.Redis) -> None:
    room.snapshots.put("abc", b"jpeg", 60)
    room.log.add([an_event(1, snapshot="abc")])
    with pytest.raises(StoreDown):
        room.recorder(store=Failing(room.store, 1, after_writing=False)).step(0)
    redis_client.delete(keys.snapshot_key("abc"))
    room.recorder().step(0)
    assert room.store.events().rows[0].snapshot == "event-abc.jpg"


def test_better_picture_replaces_the_first(room: Room) -> None:
    recorder = room.recorder()
    for number, jpeg in enumerate((b"first", b"better")):
        room.snapshots.put("abc", jpeg, 60)
        room.log.add([an_event(number, snapshot="abc")])
        recorder.step(0)
    assert room.blobs.get("event-abc.jpg") == b"better"


def test_event_is_recorded_without_a_picture_that_cannot_be_had(room: Room) -> None:
    class Away:
        def get(self, names: Sequence[str]) -> dict[str, bytes]:
            raise BrokerDown("away")

    class Full(BlobStore):
        def put(self, key: str, data: bytes) -> None:
            raise BlobError("no room")

    room.snapshots.put("abc", b"jpeg", 60)
    room.log.add([an_event(1, snapshot="abc")])
    room.recorder(snapshots=Away()).step(0)
    room.log.add([an_event(2, snapshot="abc"), an_event(3, snapshot="../../etc/passwd")])
    room.recorder(blobs=Full(room.folder, 1000)).step(0)
    assert [event.snapshot for event in room.store.events().rows] == [None, None, None]


def test_backlog_is_shown(room: Room) -> None:
    metrics = CollectorRegistry()
    recorder = room.recorder(metrics=RecorderMetrics(metrics))
    room.log.add([an_event(number) for number in range(3)])
    recorder.step(0)
    assert metrics.get_sample_value("maskwatch_recorder_lag") == 3
    assert (metrics.get_sample_value("maskwatch_recorder_lag_seconds") or 0) >= 0


def test_retention_removes_events_and_their_pictures(room: Room) -> None:
    now = datetime.now(UTC)
    for number, days in enumerate((100, 40, 1)):
        room.snapshots.put(f"p{number}", b"jpeg", 60)
        room.log.add([an_event(number, snapshot=f"p{number}", time_utc=now - timedelta(days=days))])
    room.recorder().step(0)
    for name in ("event-stray.jpg", "upload.mp4"):
        room.blobs.put(name, b"x")
        (path,) = room.folder.rglob(name)
        os.utime(path, (time.time() - 50 * 86400,) * 2)
    purged = apply_retention(room.store, room.blobs, StoreSettings(), now)
    assert (purged.events, len(purged.snapshots)) == (1, 2)
    assert {path.name for path in (room.folder / "blobs").rglob("*") if path.is_file()} == {
        "event-p2.jpg",
        "upload.mp4",
    }
    assert {event.track_id: event.snapshot for event in room.store.events().rows} == {1: None, 2: "event-p2.jpg"}
