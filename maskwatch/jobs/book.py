"""The book of jobs: asking for one, looking at them, cancelling, trying again, deleting."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import redis

from maskwatch.blobs import BlobStore
from maskwatch.errors import BlobError, JobError
from maskwatch.jobs.carrier import Carrier
from maskwatch.jobs.records import JobRecords
from maskwatch.jobs.spec import UPLOAD_PREFIX, clean_name
from maskwatch.jobs.types import JobKind, JobState, JobView

__all__ = ["JobBook"]

_TITLES = {
    JobKind.VIDEO: "recorded material",
    JobKind.REPORT: "report",
    JobKind.RETENTION: "retention",
    JobKind.NOTIFY: "notifications",
    JobKind.TRAIN: "training",
}


class JobBook:
    """Jobs as those see them who ask for them.

    Every method raises `BrokerDown` when Redis can't be reached and `QueueError` when it answers with an error.

    Args:
        client: of the durable Redis, as `connect` makes it.
        blobs: where uploads and results are; None for those who delete nothing.
    """

    def __init__(self, client: redis.Redis, blobs: BlobStore | None = None) -> None:
        self._records = JobRecords(client)
        self._carrier = Carrier(client)
        self._blobs = blobs

    def submit(self, kind: JobKind, spec: Mapping[str, Any], *, title: str = "", job_id: str = "") -> JobView:
        """Ask for a job.

        Args:
            kind: what to do.
            spec: its kind's, with values that JSON knows.
            title: for people; empty takes the spec's `name`, or the kind's.
            job_id: letters, digits and -; empty makes one.
        """
        shown = title or _name_in(spec) or _TITLES[kind]
        view = self._records.make(job_id or secrets.token_hex(8), kind, shown, spec)
        # In this order: `maskwatch jobs` sends a record's message again, but a message without a record says nothing.
        self._carrier.send(view.id, kind)
        return view

    def list(self, limit: int = 100, state: JobState | None = None) -> list[JobView]:
        """Return jobs, the newest first; only those of one state, if wanted."""
        return self._records.list(limit, state)

    def get(self, job_id: str) -> JobView | None:
        """Return a job, or None when there is none of that id."""
        return self._records.get(job_id)

    def counts(self) -> dict[tuple[str, JobState], int]:
        """Return how many jobs of each queue are in each state, 0 included."""
        return self._records.counts()

    def cancel(self, job_id: str) -> JobView:
        """Wish a job's end: one that waits is over at once, one that runs within seconds, one that is over stays so.

        Raises:
            JobError: if there is no such job.
        """
        view = self._records.cancel(job_id)
        if view is None:
            raise _unknown(job_id)
        return view

    def retry(self, job_id: str) -> JobView:
        """Try again what has failed or was cancelled; a video goes on where it stood.

        Raises:
            JobError: if there is no such job, or it is in another state.
        """
        view = self._records.again(job_id)
        if view is None:
            known = self._records.get(job_id)
            if known is None:
                raise _unknown(job_id)
            raise JobError(f"job {job_id} is {known.state}; only one that has failed or was cancelled is tried again")
        self._carrier.send(view.id, view.kind)
        return view

    def delete(self, job_id: str) -> None:
        """Delete a job with its upload and its results.

        Raises:
            JobError: if there is no such job, or it isn't over.
        """
        view = self._records.get(job_id)
        if view is None:
            raise _unknown(job_id)
        if not view.state.is_over:
            raise JobError(f"job {job_id} is {view.state}; cancel it first, and delete it when it is over")
        self._let_go([result.key for result in view.results] + _upload_of(view))
        self._records.delete(job_id)

    def let_go_of_upload(self, view: JobView) -> None:
        """Delete the upload that a job was about, once nobody needs it any more."""
        self._let_go(_upload_of(view))

    def _let_go(self, keys: Iterable[str]) -> None:
        if self._blobs is None:
            return
        for key in keys:
            with suppress(BlobError):  # retention removes what can't be removed now
                self._blobs.delete(key)


def _name_in(spec: Mapping[str, Any]) -> str:
    given = spec.get("input")
    path = str(given.get("path", "")) if isinstance(given, Mapping) else ""
    return str(spec.get("name", "")) or (clean_name(path) if path else "")


def _upload_of(view: JobView) -> list[str]:
    given = view.spec.get("input")
    key = given.get("upload") if isinstance(given, Mapping) else None
    return [key] if isinstance(key, str) and key.startswith(UPLOAD_PREFIX) else []


def _unknown(job_id: str) -> JobError:
    return JobError(f"there is no job {job_id[:40]!r}; it may have been deleted, or was older than jobs.keep_days")
