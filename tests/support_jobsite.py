"""The site with jobs: a real book of jobs on a real Redis, kept files in a folder, and films that browsers play."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import redis
from flask import Flask
from flask.testing import FlaskClient

from maskwatch.blobs import BlobStore
from maskwatch.jobs import JobBook, JobKind, JobResult, JobState, JobView
from maskwatch.jobs.records import JobRecords
from maskwatch.settings import parse_settings
from tests.support_bus import FakeBus
from web.app import create_app
from web.site import site_of

__all__ = ["CSV", "PEOPLE", "JobSite", "begin", "done", "h264_film", "job_site"]

PEOPLE = {"with_mask": 21, "without_mask": 3, "incorrect_mask": 1, "unknown": 4}
CSV = b"person,verdict\n1,with_mask\n"


@dataclass(frozen=True)
class JobSite:
    """A site and what is behind it."""

    app: Flask
    client: FlaskClient
    book: JobBook
    files: BlobStore
    folder: Path

    def kept(self) -> list[str]:
        """Return the keys of all kept files, and the names of unfinished ones."""
        return sorted(path.name for path in (self.folder / "blobs").rglob("*") if path.is_file())


@contextmanager
def job_site(
    url: str, folder: Path, client: redis.Redis, jobs: str = "{}", blobs: str = "{}", web: str = "{}"
) -> Iterator[JobSite]:
    """Give a site whose jobs are on the Redis at `url` and whose files are below `folder`.

    Args:
        url: of Redis.
        folder: empty.
        client: of the same Redis.
        jobs: settings `jobs`, as YAML.
        blobs: settings `blobs`.
        web: settings `web`.
    """
    settings = parse_settings(f"redis: {url}\nstate_dir: {folder}\njobs: {jobs}\nblobs: {blobs}\nweb: {web}\n", {})
    files = BlobStore(settings.blobs_folder, settings.blobs.most_mb << 20)
    app = create_app(settings, FakeBus())
    try:
        yield JobSite(app, app.test_client(), JobBook(client, files), files, folder)
    finally:
        site_of(app).hub.close()


def begin(book: JobBook, client: redis.Redis, title: str, progress: float = 0.0, left_s: float | None = None) -> str:
    """Enter a job about an upload as one that runs, and return its id."""
    view = book.submit(JobKind.VIDEO, {"input": {"upload": "upload-1.mp4"}, "name": title, "every": 2}, title=title)
    records = JobRecords(client)
    assert records.begin(view.id) is not None
    assert records.progress(view.id, progress, left_s)
    return view.id


def done(
    book: JobBook,
    client: redis.Redis,
    files: BlobStore,
    title: str,
    results: Mapping[str, tuple[str, bytes]],
    summary: Mapping[str, Any] | None = None,
) -> JobView:
    """Enter a job as one that is done and has made some files.

    Args:
        book: the book of jobs.
        client: of its Redis.
        files: where results are kept.
        title: of the job.
        results: name -> MIME type and content.
        summary: its figures.
    """
    job_id = begin(book, client, title, 1.0)
    made = []
    for name, (mimetype, content) in results.items():
        files.put(f"job-{job_id}-{name}", content)
        made.append(JobResult(name, f"job-{job_id}-{name}", mimetype, len(content)))
    JobRecords(client).end(job_id, JobState.DONE, results=made, summary=summary or {"people": PEOPLE, "frames": 1500})
    view = book.get(job_id)
    assert view is not None
    return view


def h264_film(path: Path, seconds: float = 6.0, fps: int = 25, size_wh: tuple[int, int] = (640, 360)) -> bytes:
    """Write a film as the jobs do, whose brightness tells the time, and return it.

    Args:
        path: ends in .mp4.
        seconds: how long it lasts.
        fps: pictures a second.
        size_wh: width and height in pixels.
    """
    width, height = size_wh
    noise = np.random.default_rng(5).integers(0, 60, (height, width, 3), np.uint8)
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=fps, options={"g": str(fps), "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        count = round(seconds * fps)
        for number in range(count):
            picture = noise + np.uint8(180 * number / count)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
        container.mux(stream.encode(None))
    return path.read_bytes()
