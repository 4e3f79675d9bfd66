"""`maskwatch jobs` with real RQ workers: deaths, resuming, cancelling, the scheduler."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import av
import pytest
import redis

from maskwatch.blobs import BlobStore
from maskwatch.broker.connect import connect
from maskwatch.broker.processes import ProcessBook
from maskwatch.jobs import JobBook, JobKind, JobState, JobView
from maskwatch.jobs.carrier import Carrier
from maskwatch.store import Store
from tests.support import ROOT, free_port, wait_for
from tests.support_jobs import JobsProcess, face_film, jobs_environ, started_jobs, wait_over
from tests.support_redis import redis_server
from tests.support_worker import require_shipped_models
from workers.jobs.video import CHECKPOINT_EVERY_S

pytestmark = pytest.mark.timeout(600)

FRAMES = 200
SPEC = {"input": {"upload": "upload-1.mp4"}, "name": "door.mp4", "profile": "fast"}


@pytest.fixture(autouse=True)
def _models() -> None:
    require_shipped_models()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return face_film(tmp_path_factory.mktemp("films") / "film.mp4", FRAMES)


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "state" / "blobs", 1 << 30)


@pytest.fixture
def book(redis_client: redis.Redis, blobs: BlobStore) -> JobBook:
    return JobBook(redis_client, blobs)


@pytest.fixture
def environ(redis_url: str, tmp_path: Path) -> dict[str, str]:
    return jobs_environ(redis_url, tmp_path / "state")


def is_under_way(book: JobBook, job: JobView, folder: Path) -> bool:
    """Whether a job has written down a place to go on from."""
    now = book.get(job.id)
    assert now is not None
    assert not now.state.is_over, now
    return (folder / "state" / "jobs" / job.id / "checkpoint.json").exists()


def held_up(jobs: JobsProcess, book: JobBook, job: JobView, folder: Path) -> int:
    """Wait until a job has written down a place to go on from, and return its process.

    It is frozen among its first pictures until it is time to write: on a fast machine the film would be over before.
    """
    wait_for(lambda: with_progress(book, job), 200, "the job tells how far it is", every_s=0.005)
    (horse,) = jobs.pids("workers.jobs.horse")
    os.kill(horse, signal.SIGSTOP)
    threading.Event().wait(CHECKPOINT_EVERY_S)
    os.kill(horse, signal.SIGCONT)
    wait_for(lambda: is_under_way(book, job, folder), 60, "the job has written down where it stands", every_s=0.005)
    return horse


def is_alive(pid: int) -> bool:
    """Whether a process runs; one whose end nobody has asked for is none, though the kernel still lists it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def kept(blobs: BlobStore, view: JobView, name: str) -> bytes:
    (found,) = [one for one in view.results if one.name == name]
    data = blobs.get(found.key)
    assert data is not None
    return data


def check_whole(blobs: BlobStore, view: JobView, film: Path, folder: Path) -> None:
    """Compare a job's results with those of `maskwatch detect --out`, which nobody interrupted."""
    with av.open(BytesIO(kept(blobs, view, "annotated.mp4")), "r") as annotated:
        pictures = list(annotated.decode(video=0))
    assert len(pictures) == FRAMES
    times = [picture.time for picture in pictures]
    assert all(time is not None and abs(time - number / 10) < 0.01 for number, time in enumerate(times))
    subprocess.run(
        [sys.executable, "-m", "maskwatch", "detect", str(film), "--out", str(folder), "--profile", "fast"],
        cwd=ROOT, check=True, capture_output=True, timeout=250,
    )  # fmt: skip
    with (folder / "film.csv").open(newline="") as file:
        assert list(csv.reader(kept(blobs, view, "timeline.csv").decode().splitlines())) == list(csv.reader(file))


def test_video_goes_on_where_it_stood_after_its_worker_and_its_own_process_were_killed(
    book: JobBook, blobs: BlobStore, environ: dict[str, str], film: Path, tmp_path: Path
) -> None:
    blobs.put("upload-1.mp4", film.read_bytes())
    with started_jobs(environ, tmp_path) as jobs:
        job = book.submit(JobKind.VIDEO, SPEC)
        horse = held_up(jobs, book, job, tmp_path)
        assert os.getpriority(os.PRIO_PROCESS, horse) >= min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
        os.kill(jobs.worker("long"), signal.SIGKILL)
        wait_for(lambda: not is_alive(horse), 60, "the job's process ends with its worker")
        wait_for(lambda: is_again(book, job, 2), 200, "the job is done by the next worker", every_s=0.005)
        (horse,) = jobs.pids("workers.jobs.horse")
        os.kill(horse, signal.SIGKILL)
        view = wait_over(book, job.id, 300)
        assert (view.state, view.reason) == (JobState.DONE, "")
        assert view.attempts == 3
        check_whole(blobs, view, film, tmp_path / "detect")
        assert jobs.stop() == 0


def is_again(book: JobBook, job: JobView, attempts: int) -> bool:
    now = book.get(job.id)
    return now is not None and now.state is JobState.RUNNING and now.attempts == attempts


def test_video_is_interrupted_by_the_end_of_the_process_and_goes_on_in_the_next(
    book: JobBook, blobs: BlobStore, environ: dict[str, str], film: Path, tmp_path: Path
) -> None:
    blobs.put("upload-1.mp4", film.read_bytes())
    with started_jobs(environ, tmp_path) as jobs:
        job = book.submit(JobKind.VIDEO, SPEC)
        held_up(jobs, book, job, tmp_path)
        assert jobs.stop(60) == 0
    waiting = book.get(job.id)
    assert waiting is not None
    assert (waiting.state, waiting.attempts) == (JobState.WAITING, 0)
    assert "goes on where it stood" in waiting.reason
    with started_jobs(environ, tmp_path):
        view = wait_over(book, job.id, 300)
        assert (view.state, view.reason, view.attempts) == (JobState.DONE, "", 1)
        check_whole(blobs, view, film, tmp_path / "detect")


def test_running_video_is_cancelled_and_leaves_nothing(
    book: JobBook, blobs: BlobStore, environ: dict[str, str], redis_client: redis.Redis, film: Path, tmp_path: Path
) -> None:
    blobs.put("upload-1.mp4", film.read_bytes())
    with started_jobs(environ, tmp_path) as jobs:
        wait_for(lambda: "test" in names(redis_client), 30, "the process is in the book of processes")
        job = book.submit(JobKind.VIDEO, SPEC)
        told = wait_for(lambda: with_progress(book, job), 200, "the job tells how far it is", every_s=0.005)
        assert told.progress is not None
        assert 0 < told.progress < 1
        book.cancel(job.id)
        view = wait_over(book, job.id, 300)
        assert (view.state, view.results) == (JobState.CANCELLED, ())
        wait_for(lambda: not (tmp_path / "state" / "jobs" / job.id).exists(), 60, "its folder is gone")
        wait_for(lambda: not jobs.pids("workers.jobs.horse"), 60, "its process has ended")
        counted = 'maskwatch_jobs{queue="long",state="cancelled"} 1.0'
        wait_for(lambda: counted in metrics(redis_client), 60, "the metrics count it")


def test_cancelled_job_that_hangs_is_killed(
    book: JobBook, blobs: BlobStore, environ: dict[str, str], film: Path, tmp_path: Path
) -> None:
    blobs.put("upload-1.mp4", film.read_bytes())
    with started_jobs(environ, tmp_path) as jobs:
        job = book.submit(JobKind.VIDEO, SPEC)
        wait_for(lambda: with_progress(book, job), 200, "the job tells how far it is", every_s=0.005)
        (horse,) = jobs.pids("workers.jobs.horse")
        os.kill(horse, signal.SIGSTOP)
        book.cancel(job.id)
        assert wait_over(book, job.id, 300).state is JobState.CANCELLED
        wait_for(lambda: not jobs.pids("workers.jobs.horse"), 60, "its process has been killed")


def test_video_goes_on_after_redis_was_away(
    environ: dict[str, str], blobs: BlobStore, film: Path, tmp_path: Path
) -> None:
    blobs.put("upload-1.mp4", film.read_bytes())
    (tmp_path / "redis").mkdir()
    options = ("--appendonly", "yes", "--appendfsync", "always", "--dir", str(tmp_path / "redis"))
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    with started_jobs({**environ, **jobs_environ(url, tmp_path / "state")}, tmp_path) as jobs:
        with redis_server(None, *options, port=port), connect(url) as client:
            job = JobBook(client).submit(JobKind.VIDEO, SPEC)
            held_up(jobs, JobBook(client), job, tmp_path)
        wait_for(lambda: not jobs.pids("workers.jobs.horse"), 60, "nobody works for a Redis that is away")
        with redis_server(None, *options, port=port), connect(url) as client:
            view = wait_over(JobBook(client), job.id, 300)
            assert (view.state, view.reason) == (JobState.DONE, "")
            check_whole(blobs, view, film, tmp_path / "detect")


def names(client: redis.Redis) -> set[str]:
    return {info.name for info in ProcessBook(client).list("jobs")}


def metrics(client: redis.Redis) -> str:
    (info,) = ProcessBook(client).list("jobs")
    with urllib.request.urlopen(f"http://{info.address}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


def with_progress(book: JobBook, job: JobView) -> JobView | None:
    now = book.get(job.id)
    assert now is not None
    assert not now.state.is_over, now
    return now if now.progress else None


def test_what_is_due_is_done_what_was_lost_is_sent_again_and_the_command_line_asks(
    book: JobBook, environ: dict[str, str], redis_client: redis.Redis, tmp_path: Path
) -> None:
    with Store(f"sqlite:///{tmp_path / 'state' / 'record.db'}") as store:
        (tmp_path / "state").mkdir()
        store.upgrade()
    lost = book.submit(JobKind.REPORT, {"by": "day"})
    redis_client.delete("rq:queue:quick", f"rq:job:{lost.id}")
    with started_jobs(environ, tmp_path) as jobs:
        due = datetime.now(UTC) + timedelta(seconds=3)
        Carrier(redis_client).send("retention-20260101-00", JobKind.RETENTION, due)
        asked = ask(environ, "--submit", "report", "--spec", '{"by": "hour"}')
        for job_id in (lost.id, asked):
            view = wait_over(book, job_id, 300)
            assert (view.state, view.reason, view.results[0].name) == (JobState.DONE, "", "report.html")
        wait_for(
            lambda: not redis_client.exists("rq:job:retention-20260101-00") or is_finished(redis_client), 60, "done"
        )
        assert jobs.stop() == 0
    assert lost.id in ask(environ, "--list")


def is_finished(client: redis.Redis) -> bool:
    return client.hget("rq:job:retention-20260101-00", "status") == b"finished"


def ask(environ: dict[str, str], *words: str) -> str:
    command = [sys.executable, "-m", "maskwatch", "jobs", *words]
    ended = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environ}, capture_output=True, text=True, timeout=250
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_no_password_is_on_any_command_line(film: Path, tmp_path: Path) -> None:
    with redis_server() as url:
        with connect(url) as client:
            client.config_set("requirepass", "hush-hush")
        secret = url.replace("redis://", "redis://:hush-hush@")
        environ = jobs_environ(secret, tmp_path / "state")
        blobs = BlobStore(tmp_path / "state" / "blobs", 1 << 30)
        blobs.put("upload-1.mp4", film.read_bytes())
        with connect(secret) as client, started_jobs(environ, tmp_path) as jobs:
            job = JobBook(client, blobs).submit(JobKind.VIDEO, SPEC)
            wait_for(lambda: jobs.pids("workers.jobs.horse"), 60, "the job's process runs")
            shown = [Path(f"/proc/{pid}/cmdline") for pid in jobs.pids()]
            for path in shown:
                with suppress(FileNotFoundError, ProcessLookupError):  # it may have ended meanwhile
                    assert b"hush-hush" not in path.read_bytes()
            JobBook(client).cancel(job.id)
            wait_over(JobBook(client), job.id, 300)
        assert "hush-hush" not in jobs.log
