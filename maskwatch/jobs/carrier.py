"""RQ's queues: they carry the ids of jobs to the workers, as JSON.

RQ is imported when something is sent: the site, which looks at jobs more often than it asks for one, starts without it.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

import redis

from maskwatch.broker.connect import translated
from maskwatch.jobs.types import QUEUE_OF, JobKind

if TYPE_CHECKING:
    from rq.job import Job

__all__ = ["ENTRY", "WORKER_KEY", "Carrier", "Standing"]

ENTRY = "workers.jobs.entry.perform"
"""What a worker calls with a job's id; a name, because nobody who sends imports it."""

WORKER_KEY = "rq:worker:"
"""Before a worker's name: RQ's key of a worker, which is there while it lives."""

_ATTEMPTS_KEY, _STARTED_KEY = "rq:executions:", "rq:wip:"
"""RQ's notes of a job's attempts, and of a queue's attempts that are under way."""

_RETRIES_S = {JobKind.VIDEO: (10, 60, 300), JobKind.TRAIN: (60,), JobKind.REPORT: (30, 300), JobKind.RETENTION: (60,)}
"""Before the next attempts, after a process' death or an error that may pass."""
_TIMEOUTS_S = {
    JobKind.VIDEO: 24 * 3600,
    JobKind.TRAIN: 24 * 3600,
    JobKind.REPORT: 900,
    JobKind.RETENTION: 300,
    JobKind.NOTIFY: 90,
}
_KEPT_S = 24 * 3600
"""For how long RQ keeps its own note of a job that is over; ours says more."""


class Standing(Enum):
    """Where a job stands with RQ."""

    UNDER_WAY = "under way"
    """In a queue, scheduled, or with a worker that lives."""
    LEFT = "left"
    """With a worker that is dead."""
    GONE = "gone"
    """Over, or never heard of."""


class Carrier:
    """Sends jobs to the workers.

    Every method raises `BrokerDown` when Redis can't be reached and `QueueError` when it answers with an error.

    Args:
        client: of the durable Redis, as `connect` makes it.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def send(self, job_id: str, kind: JobKind, at: datetime | None = None) -> None:
        """Put a job into its queue, in place of what RQ knew of its id.

        Args:
            job_id: as in its record.
            kind: what it is; decides queue, time-out and retries.
            at: when it is due, with a time zone; None is now.
        """
        from rq import Queue, Retry
        from rq.serializers import JSONSerializer

        waits_s = list(_RETRIES_S.get(kind, ()))
        retry = Retry(max=len(waits_s), interval=waits_s) if waits_s else None
        timeout_s, description = _TIMEOUTS_S[kind], f"{kind.value} {job_id}"
        with translated(self._client, "sending a job"):
            self.forget(job_id)
            queue = Queue(QUEUE_OF[kind], connection=self._client, serializer=JSONSerializer)
            if at is None:
                queue.enqueue_call(
                    ENTRY, args=(job_id,), job_id=job_id, timeout=timeout_s, retry=retry, description=description,
                    result_ttl=_KEPT_S, failure_ttl=_KEPT_S,
                )  # fmt: skip
            else:
                queue.enqueue_at(
                    at, ENTRY, job_id, job_id=job_id, job_timeout=timeout_s, retry=retry, description=description,
                    result_ttl=_KEPT_S, failure_ttl=_KEPT_S,
                )  # fmt: skip

    def standing(self, job_id: str) -> Standing:
        """Return where a job stands with RQ."""
        from rq.job import JobStatus

        with translated(self._client, "looking for a job"):
            job = self._fetch(job_id)
            status = None if job is None else job.get_status()
            if job is not None and status is JobStatus.STARTED and job.worker_name:
                lives = self._client.exists(WORKER_KEY + job.worker_name)
                return Standing.UNDER_WAY if lives else Standing.LEFT
        is_coming = status in (JobStatus.QUEUED, JobStatus.SCHEDULED, JobStatus.STARTED)
        return Standing.UNDER_WAY if is_coming else Standing.GONE

    def worker_of(self, job_id: str) -> str:
        """Return the name of the worker that has or had a job, or an empty text."""
        with translated(self._client, "looking for a job"):
            job = self._fetch(job_id)
        return "" if job is None else job.worker_name or ""

    def forget(self, job_id: str) -> None:
        """Take a job out of RQ's queues and registries."""
        with translated(self._client, "withdrawing a job"):
            job = self._fetch(job_id)
            if job is not None:
                # RQ would look for attempts whose notes have expired, and would one day take them for abandoned jobs.
                self._client.delete(_ATTEMPTS_KEY + job_id)
                started: list[bytes] = cast(Any, self._client.zrange(_STARTED_KEY + job.origin, 0, -1))
                for entry in started:
                    if entry.startswith(f"{job_id}:".encode()):
                        self._client.zrem(_STARTED_KEY + job.origin, entry)
                job.delete()

    def _fetch(self, job_id: str) -> Job | None:
        from rq.exceptions import NoSuchJobError
        from rq.job import Job
        from rq.serializers import JSONSerializer

        try:
            return Job.fetch(job_id, connection=self._client, serializer=JSONSerializer)
        except NoSuchJobError:
            return None
