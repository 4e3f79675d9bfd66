"""What pages and API of jobs work with: the book of jobs, the kept files, and how much may be uploaded."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from flask import Flask, current_app
from werkzeug.exceptions import NotFound

from maskwatch.blobs import BlobStore
from maskwatch.broker.connect import connect
from maskwatch.jobs.book import JobBook
from maskwatch.jobs.types import JobKind, JobState, JobView
from maskwatch.settings import Settings
from web.asked import shown_received
from web.streams import StreamSlots

__all__ = ["JobDesk", "Jobs", "desk", "find_job"]

_KEY = "maskwatch.jobs"
_MOST_UPLOADS = 4
"""At once; the site's threads are for those who look, too."""


class Jobs(Protocol):
    """The book of jobs; every method raises `QueueError` when Redis doesn't answer as it should."""

    def submit(self, kind: JobKind, spec: Mapping[str, Any], *, title: str = "") -> JobView:
        """Ask for a job."""

    def list(self, limit: int = 100, state: JobState | None = None) -> list[JobView]:
        """Return jobs, the newest first; only those of one state, if wanted."""

    def get(self, job_id: str) -> JobView | None:
        """Return a job, or None when there is none of that id."""

    def cancel(self, job_id: str) -> JobView:
        """Wish a job's end; raises `JobError` if there is no such job."""

    def retry(self, job_id: str) -> JobView:
        """Try again what has failed or was cancelled; raises `JobError` for any other."""

    def delete(self, job_id: str) -> None:
        """Delete a job with its upload and its results; raises `JobError` if it isn't over."""


class JobDesk:
    """Takes uploads and gives results; may be used by several threads at once.

    Args:
        settings: of the installation.
    """

    def __init__(self, settings: Settings) -> None:
        self.files = BlobStore(settings.blobs_folder, settings.blobs.most_mb << 20)
        self.uploads = StreamSlots(_MOST_UPLOADS)
        self.folders: tuple[Path, ...] = settings.named_folders
        store_bytes = settings.blobs.most_mb << 20
        self.most_together_bytes = store_bytes // 2
        """Of all uploads: they may not push out what is kept with events."""
        self.most_bytes = min(settings.jobs.most_upload_mb << 20, self.most_together_bytes)
        """Of one upload."""
        self._settings = settings
        self._book: Jobs | None = None
        self._lock = threading.Lock()

    @property
    def jobs(self) -> Jobs:
        """The book of jobs on the durable Redis; nothing of it is there before it is first asked for.

        Raises:
            ConfigError: if the settings name no Redis.
            QueueError: if its address can't be understood.
        """
        with self._lock:
            if self._book is None:
                address = self._settings.require_redis().durable.get_secret_value()
                self._book = JobBook(connect(address), self.files)
            return self._book

    def install(self, app: Flask) -> None:
        """Make the routes of an application find this desk."""
        app.extensions[_KEY] = self


def desk() -> JobDesk:
    """Return the desk of the site that answers the current request."""
    found = current_app.extensions[_KEY]
    assert isinstance(found, JobDesk)
    return found


def find_job(job_id: str) -> JobView:
    """Return a job.

    Raises:
        NotFound: if there is none of that id.
        QueueError: if Redis doesn't answer as it should.
    """
    found = desk().jobs.get(job_id) if len(job_id) <= 128 else None
    if found is None:
        raise NotFound(f"no job has the id {shown_received(job_id)}; it was deleted, or is older than jobs.keep_days")
    return found
