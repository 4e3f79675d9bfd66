"""From the recorder to the job that tells: asked for when the record is safe, one at a time, and never in the way."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis
from prometheus_client import CollectorRegistry

from maskwatch.blobs import BlobStore
from maskwatch.broker.connect import connect
from maskwatch.broker.events import EventLog, Snapshots
from maskwatch.jobs import JobBook, JobKind, JobState
from maskwatch.jobs.records import JobRecords
from maskwatch.service import Stop
from maskwatch.store import Store
from tests.support import free_port
from tests.support_records import an_event, somebody
from workers.notify.asking import ask_for
from workers.recorder import Recorder, RecorderMetrics


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(f"sqlite:///{tmp_path / 'record.db'}", lambda event: ("ward",) if event.rule else ()) as store:
        store.upgrade()
        yield store


def test_receivers_are_asked_for_when_the_record_is_safe(
    redis_client: redis.Redis, store: Store, tmp_path: Path
) -> None:
    log = EventLog(redis_client)
    told: list[tuple[list[str], int, list[str]]] = []

    def tell(receivers: Collection[str]) -> None:
        told.append((sorted(receivers), log.backlog().records, store.outbox.due()))

    recorder = Recorder(
        EventLog(redis_client), store, BlobStore(tmp_path / "blobs", 1_000_000), Snapshots(redis_client),
        RecorderMetrics(CollectorRegistry()), Stop(), name="me", tell=tell,
    )  # fmt: skip
    now = datetime.now(UTC)
    log.add([an_event(1, time_utc=now), somebody(1)])
    recorder.step(0)
    assert told == [(["ward"], 0, ["ward"])]
    log.add([an_event(1, time_utc=now), an_event(2, time_utc=now, rule=""), somebody(2)])
    recorder.step(0)
    assert len(told) == 1
    log.add([an_event(3, time_utc=now), an_event(4, time_utc=now, note="a\0b")])
    recorder.step(0)
    assert told[1][0] == ["ward"]


def state_of(book: JobBook) -> JobState:
    view = book.get("notify-ward")
    assert view is not None
    return view.state


def test_one_job_a_receiver_is_under_way(redis_client: redis.Redis) -> None:
    book = JobBook(redis_client)
    ask_for(book, ["ward", "hook"])
    ask_for(book, ["ward"])
    jobs = {job.id: job for job in book.list()}
    assert set(jobs) == {"notify-ward", "notify-hook"}
    assert jobs["notify-ward"].kind is JobKind.NOTIFY
    assert jobs["notify-ward"].spec == {"receiver": "ward"}
    book.cancel("notify-ward")
    ask_for(book, ["ward"])
    assert state_of(book) is JobState.WAITING


def test_job_whose_worker_died_over_it_is_asked_for_anew(redis_client: redis.Redis) -> None:
    book = JobBook(redis_client)
    ask_for(book, ["ward"])
    for seconds, state in ((10, JobState.RUNNING), (200, JobState.WAITING)):
        records = JobRecords(redis_client, lambda: time.time() - seconds)  # noqa: B023
        if seconds > 10:
            records.make("notify-ward", JobKind.NOTIFY, "", {"receiver": "ward"})
        records.begin("notify-ward")
        ask_for(book, ["ward"])
        assert state_of(book) is state


def test_redis_that_is_away_is_no_error_of_the_recorder() -> None:
    with connect(f"redis://127.0.0.1:{free_port()}/0") as nobody:
        ask_for(JobBook(nobody), ["ward"])
