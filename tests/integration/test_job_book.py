"""The book of jobs on a real Redis."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from maskwatch.blobs import BlobStore
from maskwatch.errors import JobError
from maskwatch.jobs import JobBook, JobKind, JobResult, JobState
from maskwatch.jobs.carrier import Carrier, Standing
from maskwatch.jobs.named import resolve_named
from maskwatch.jobs.records import JobRecords
from workers.jobs.steward import MOST_ATTEMPTS, send_again

SPEC = {"input": {"upload": "upload-1.mp4"}, "name": "door.mp4"}


@pytest.fixture
def book(each_redis: redis.Redis, tmp_path: Path) -> JobBook:
    return JobBook(each_redis, BlobStore(tmp_path / "blobs", 1 << 20))


@pytest.fixture
def records(each_redis: redis.Redis) -> JobRecords:
    return JobRecords(each_redis)


def test_submitted_job_waits_and_is_in_its_queue(book: JobBook, each_redis: redis.Redis) -> None:
    job = book.submit(JobKind.VIDEO, SPEC)
    assert (job.state, job.title, job.progress, job.attempts) == (JobState.WAITING, "door.mp4", None, 0)
    assert book.get(job.id) == job
    assert Carrier(each_redis).standing(job.id) is Standing.UNDER_WAY
    assert each_redis.lrange("rq:queue:long", 0, -1) == [job.id.encode()]
    # JSON, so that reading a job never runs code: a pickle begins with byte 0x80.
    data = each_redis.hget(f"rq:job:{job.id}", "data")
    assert data is not None
    assert b"\x80" not in data[:2]


def test_list_is_newest_first_and_filters_by_state(book: JobBook, records: JobRecords) -> None:
    first, second = (book.submit(JobKind.REPORT, {"by": "day"}) for _ in range(2))
    assert [job.id for job in book.list()] == [second.id, first.id]
    assert [job.id for job in book.list(limit=1)] == [second.id]
    records.begin(first.id)
    records.end(first.id, JobState.FAILED, reason="no\nroom")
    assert [(job.id, job.reason) for job in book.list(state=JobState.FAILED)] == [(first.id, "no room")]
    assert book.counts()["quick", JobState.FAILED] == 1
    assert book.counts()["long", JobState.RUNNING] == 0


def test_job_runs_tells_and_ends_once(book: JobBook, records: JobRecords) -> None:
    job = book.submit(JobKind.VIDEO, SPEC)
    begun = records.begin(job.id)
    assert begun is not None
    assert (begun.state, begun.attempts) == (JobState.RUNNING, 1)
    assert records.progress(job.id, 0.25, 12.0)
    told = book.get(job.id)
    assert told is not None
    assert (told.progress, told.left_s) == (0.25, 12.0)
    result = JobResult("annotated.mp4", "job-1-annotated.mp4", "video/mp4", 7)
    records.end(job.id, JobState.DONE, results=[result], summary={"frames": 3})
    records.end(job.id, JobState.FAILED, reason="too late")
    over = book.get(job.id)
    assert over is not None
    assert (over.state, over.progress, over.results, over.summary) == (JobState.DONE, 1.0, (result,), {"frames": 3})
    assert over.ended_at is not None
    assert abs(over.ended_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_cancelling_one_that_waits_ends_it_and_one_that_runs_is_told(book: JobBook, records: JobRecords) -> None:
    waiting, running = (book.submit(JobKind.VIDEO, SPEC) for _ in range(2))
    records.begin(running.id)
    assert book.cancel(waiting.id).state is JobState.CANCELLED
    assert records.begin(waiting.id) is None
    ending = book.cancel(running.id)
    assert (ending.state, ending.is_cancelling) == (JobState.RUNNING, True)
    assert records.is_cancelled(running.id)
    assert not records.progress(running.id, 0.5, None)
    records.end(running.id, JobState.CANCELLED)
    over = book.get(running.id)
    assert over is not None
    assert (over.state, over.is_cancelling) == (JobState.CANCELLED, False)
    again = book.retry(running.id)
    assert (again.state, again.is_cancelling) == (JobState.WAITING, False)


def test_retry_lets_a_failed_job_wait_again(book: JobBook, records: JobRecords) -> None:
    job = book.submit(JobKind.VIDEO, SPEC)
    with pytest.raises(JobError, match="is waiting; only one that has failed"):
        book.retry(job.id)
    records.begin(job.id)
    records.end(job.id, JobState.FAILED, reason="no room")
    assert book.retry(job.id).state is JobState.WAITING
    again = records.begin(job.id)
    assert again is not None
    assert (again.attempts, again.reason) == (2, "")


def test_delete_takes_results_and_upload_with_it(tmp_path: Path, each_redis: redis.Redis, records: JobRecords) -> None:
    blobs = BlobStore(tmp_path / "kept", 1 << 20)
    book = JobBook(each_redis, blobs)
    job = book.submit(JobKind.VIDEO, SPEC)
    with pytest.raises(JobError, match="cancel it first"):
        book.delete(job.id)
    blobs.put("upload-1.mp4", b"film")
    blobs.put("job-1-annotated.mp4", b"annotated")
    records.begin(job.id)
    records.end(job.id, JobState.DONE, results=[JobResult("annotated.mp4", "job-1-annotated.mp4", "video/mp4", 9)])
    book.delete(job.id)
    assert book.get(job.id) is None
    assert not blobs.has("upload-1.mp4")
    assert not blobs.has("job-1-annotated.mp4")
    with pytest.raises(JobError, match="there is no job"):
        book.cancel(job.id)


def test_what_is_written_about_a_deleted_job_leaves_nothing(book: JobBook, records: JobRecords) -> None:
    job = book.submit(JobKind.VIDEO, SPEC)
    records.begin(job.id)
    records.delete(job.id)
    assert not records.progress(job.id, 0.5, None)
    records.end(job.id, JobState.DONE)
    assert book.get(job.id) is None
    assert book.list() == []


def test_message_that_comes_twice_begins_nothing(book: JobBook, records: JobRecords) -> None:
    job = book.submit(JobKind.VIDEO, SPEC)
    assert records.begin(job.id) is not None
    assert records.begin(job.id) is None


def test_job_that_kills_every_worker_is_given_up(book: JobBook, records: JobRecords, each_redis: redis.Redis) -> None:
    job = book.submit(JobKind.VIDEO, SPEC)
    for attempt in range(1, MOST_ATTEMPTS + 1):
        view = records.begin(job.id)
        assert view is not None
        assert view.attempts == attempt
        send_again(records, Carrier(each_redis), view)
    over = book.get(job.id)
    assert over is not None
    assert over.state is JobState.FAILED
    assert over.reason.startswith(f"its worker died {MOST_ATTEMPTS} times")


def test_interruption_is_no_attempt(book: JobBook, records: JobRecords) -> None:
    job = book.submit(JobKind.VIDEO, SPEC)
    for _ in range(3):
        assert records.begin(job.id) is not None
        assert records.wait(job.id, "interrupted", was_attempt=False)
    view = book.get(job.id)
    assert view is not None
    assert (view.attempts, view.reason) == (0, "interrupted")


def test_named_inputs_are_found_below_allowed_folders_only(tmp_path: Path) -> None:
    allowed, secret = tmp_path / "allowed", tmp_path / "secret"
    allowed.mkdir()
    secret.mkdir()
    (allowed / "walk.mp4").write_bytes(b"film")
    (secret / "walk.mp4").write_bytes(b"film")
    (allowed / "link.mp4").symlink_to(secret / "walk.mp4")
    (allowed / "out").symlink_to(secret)
    assert resolve_named("walk.mp4", [allowed]) == allowed / "walk.mp4"
    assert resolve_named(str(allowed / "walk.mp4"), [allowed]) == allowed / "walk.mp4"
    for path in ("../secret/walk.mp4", str(secret / "walk.mp4"), "link.mp4", "out/walk.mp4", "gone.mp4", "a\0b"):
        with pytest.raises(JobError, match="no file or folder"):
            resolve_named(path, [allowed])
    with pytest.raises(JobError, match=r"jobs\.folders"):
        resolve_named("walk.mp4", [])
