"""Each kind of job done as RQ's worker would, in this process: what it makes, and what it refuses."""

from __future__ import annotations

import csv
import json
import signal
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import cv2
import pytest
import redis

from maskwatch.blobs import BlobStore
from maskwatch.errors import MaskwatchError
from maskwatch.jobs import JobBook, JobKind, JobState, JobView
from maskwatch.store import Store
from tests.support_jobs import face_film, jobs_environ
from tests.support_models import write_class_folders
from tests.support_worker import astronaut_bgr, require_shipped_models
from workers.jobs.entry import perform

pytestmark = pytest.mark.timeout(600)

UPLOAD = "upload-0123.mp4"


@pytest.fixture(autouse=True)
def _settings(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    require_shipped_models()
    (tmp_path / "films").mkdir()
    for name, value in jobs_environ(redis_url, tmp_path / "state").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASKWATCH_JOBS__FOLDERS", json.dumps([str(tmp_path / "films")]))
    # As in RQ's worker, which has a handler of its own.
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "state" / "blobs", 1 << 30)


@pytest.fixture
def book(redis_client: redis.Redis, blobs: BlobStore) -> JobBook:
    return JobBook(redis_client, blobs)


def done(book: JobBook, kind: JobKind, spec: dict[str, Any], **more: Any) -> JobView:
    """Ask for a job, do it, and return it as it then stands."""
    job = book.submit(kind, spec, **more)
    with suppress(MaskwatchError):
        perform(job.id)
    view = book.get(job.id)
    assert view is not None
    return view


def result(blobs: BlobStore, view: JobView, name: str) -> bytes:
    (found,) = [one for one in view.results if one.name == name]
    data = blobs.get(found.key)
    assert data is not None
    assert len(data) == found.bytes
    return data


def test_uploaded_video_becomes_an_annotated_one_with_its_people(
    book: JobBook, blobs: BlobStore, tmp_path: Path
) -> None:
    blobs.put(UPLOAD, face_film(tmp_path / "film.mp4", 40).read_bytes())
    view = done(book, JobKind.VIDEO, {"input": {"upload": UPLOAD}, "name": "door.mp4", "profile": "fast"})
    assert (view.state, view.reason, view.progress) == (JobState.DONE, "", 1.0)
    names = [one.name for one in view.results]
    assert names == ["annotated.mp4", "timeline.csv", "result.json", "people.csv", "summary.html"]
    with av.open(BytesIO(result(blobs, view, "annotated.mp4")), "r") as film:
        stream = film.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert len(list(film.decode(stream))) == 40
    assert view.summary["frames"] == 40
    assert view.summary["people"]["without_mask"] == 1
    people = list(csv.DictReader(result(blobs, view, "people.csv").decode().splitlines()))
    assert [row["verdict"] for row in people] == ["without_mask"]
    assert float(people[0]["to_s"]) > 2.0
    said = json.loads(result(blobs, view, "result.json"))
    assert (said["input"], len(said["frames"]), said["error"]) == ("door.mp4", 40, None)
    assert b"door.mp4" in result(blobs, view, "summary.html")
    assert not (tmp_path / "state" / "jobs" / view.id).exists()
    assert not blobs.has(UPLOAD)


def test_every_nth_picture_of_a_named_video_is_looked_at(book: JobBook, blobs: BlobStore, tmp_path: Path) -> None:
    face_film(tmp_path / "films" / "walk.mp4", 40)
    view = done(book, JobKind.VIDEO, {"input": {"path": "walk.mp4"}, "every": 4, "profile": "fast"})
    assert (view.state, view.reason) == (JobState.DONE, "")
    assert view.summary["frames"] == 10
    assert len(set(csv_column(result(blobs, view, "timeline.csv"), "frame"))) > 3


def csv_column(data: bytes, name: str) -> list[str]:
    return [row[name] for row in csv.DictReader(data.decode().splitlines())]


def test_folder_is_packed_and_what_leads_out_of_it_is_refused(book: JobBook, blobs: BlobStore, tmp_path: Path) -> None:
    folder = tmp_path / "films" / "day"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), astronaut_bgr())
    (folder / "b.jpg").write_bytes(b"no picture")
    face_film(folder / "c.mp4", 15)
    spec = {"input": {"path": "day"}, "profile": "fast"}
    view = done(book, JobKind.VIDEO, spec)
    assert (view.state, view.reason) == (JobState.DONE, "")
    assert view.summary["inputs"] == 3
    (problem,) = view.summary["problems"]
    assert problem.startswith("b.jpg: ")
    with zipfile.ZipFile(BytesIO(result(blobs, view, "annotated.zip"))) as archive:
        names = set(archive.namelist())
    assert names == {"a.annotated.jpg", "a.json", "a.csv", "c.annotated.mp4", "c.json", "c.csv"}

    cv2.imwrite(str(tmp_path / "secret.png"), astronaut_bgr())
    (folder / "d.png").symlink_to(tmp_path / "secret.png")
    view = done(book, JobKind.VIDEO, spec)
    assert view.state is JobState.FAILED
    assert "jobs.folders" in view.reason


def test_what_is_beyond_the_limits_is_refused(
    book: JobBook, blobs: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs.put(UPLOAD, face_film(tmp_path / "film.mp4", 30).read_bytes())
    spec = {"input": {"upload": UPLOAD}, "name": "door.mp4", "profile": "fast"}
    monkeypatch.setenv("MASKWATCH_JOBS__MOST_MINUTES", "0.02")
    view = done(book, JobKind.VIDEO, spec)
    assert (view.state, view.results) == (JobState.FAILED, ())
    assert view.reason == "door.mp4: 0.1 minutes, expected at most 0.02; see jobs.most_minutes"
    monkeypatch.delenv("MASKWATCH_JOBS__MOST_MINUTES")
    monkeypatch.setenv("MASKWATCH_JOBS__MOST_PIXELS", "20000")
    view = done(book, JobKind.VIDEO, spec)
    assert (view.state, view.results) == (JobState.FAILED, ())
    assert "320x180 pixels, expected at most 20000" in view.reason


def test_damaged_video_has_failed_with_what_could_be_read(book: JobBook, blobs: BlobStore, tmp_path: Path) -> None:
    whole = face_film(tmp_path / "film.mp4", 80).read_bytes()
    blobs.put(UPLOAD, whole[: len(whole) * 2 // 3])
    view = done(book, JobKind.VIDEO, {"input": {"upload": UPLOAD}, "name": "door.mp4", "profile": "fast"})
    assert view.state is JobState.FAILED
    assert "cut off" in view.reason
    with av.open(BytesIO(result(blobs, view, "annotated.mp4")), "r") as film:
        assert 20 < len(list(film.decode(video=0))) < 80


@pytest.mark.parametrize("content", [b"", b"no video at all" * 100, b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"])
def test_what_is_no_video_has_failed_and_is_not_tried_again(book: JobBook, blobs: BlobStore, content: bytes) -> None:
    blobs.put(UPLOAD, content)
    view = done(book, JobKind.VIDEO, {"input": {"upload": UPLOAD}, "name": "door.mp4", "profile": "fast"})
    assert (view.state, view.attempts, view.results) == (JobState.FAILED, 1, ())
    assert view.reason
    assert "root:" not in view.reason


def test_upload_that_is_gone_says_so(book: JobBook) -> None:
    view = done(book, JobKind.VIDEO, {"input": {"upload": "upload-gone.mp4"}})
    assert view.state is JobState.FAILED
    assert "upload it again" in view.reason


def test_report_is_among_the_results(book: JobBook, blobs: BlobStore, tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path / 'state' / 'record.db'}") as store:
        store.upgrade()
    view = done(book, JobKind.REPORT, {"from": "2026-11-16", "to": "2026-11-22", "by": "day"})
    assert (view.state, view.reason) == (JobState.DONE, "")
    assert result(blobs, view, "report.html").lstrip().startswith(b"<!doctype html>")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_training_installs_a_model_and_keeps_its_report(book: JobBook, blobs: BlobStore, tmp_path: Path) -> None:
    write_class_folders(tmp_path / "films" / "drawn" / "train", 8)
    write_class_folders(tmp_path / "films" / "drawn" / "val", 2, seed=1)
    tiny = {
        "size": 64, "alpha": 0.35, "backbone_weights": "none", "threads": 1, "fine_from": "Conv_1", "epochs_head": 0,
        "epochs_fine": 1, "epoch_faces": 24, "batch": 8,
    }  # fmt: skip
    view = done(book, JobKind.TRAIN, {"data": ["drawn/train"], "val": ["drawn/val"], "name": "our-door", **tiny})
    assert (view.state, view.reason) == (JobState.DONE, "")
    assert view.title == view.summary["model"] == "our-door"
    assert json.loads(result(blobs, view, "report.json"))["faces"]["train"]["with_mask"] == 8
    assert (tmp_path / "state" / "models" / "our-door" / "manifest.json").is_file()


def test_planned_report_makes_its_record_when_it_is_due(
    book: JobBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASKWATCH_REPORT__EVERY", "daily")
    with Store(f"sqlite:///{tmp_path / 'state' / 'record.db'}") as store:
        store.upgrade()
    perform("report-20261122-daily")
    view = book.get("report-20261122-daily")
    assert view is not None
    assert (view.state, view.title) == (JobState.DONE, "daily report, 2026-11-21 to 2026-11-21")


def test_retention_removes_old_jobs_and_leaves_no_record_when_there_was_nothing(
    book: JobBook, blobs: BlobStore, redis_client: redis.Redis, tmp_path: Path
) -> None:
    (tmp_path / "state").mkdir()
    job = book.submit(JobKind.RETENTION, {})
    perform(job.id)
    assert book.get(job.id) is None

    old = done(book, JobKind.VIDEO, {"input": {"upload": "upload-gone.mp4"}})
    blobs.put("job-kept-annotated.mp4", b"film")
    long_ago = (datetime.now(UTC) - timedelta(days=8)).timestamp()
    redis_client.hset(f"{{mw}}:job:{old.id}", "ended", repr(long_ago))
    view = done(book, JobKind.RETENTION, {})
    assert (view.state, view.reason, view.summary["jobs"]) == (JobState.DONE, "", 1)
    assert book.get(old.id) is None
    assert blobs.has("job-kept-annotated.mp4")
