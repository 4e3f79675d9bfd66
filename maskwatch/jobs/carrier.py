"""RQ's queues: they carry the ids of jobs to the workers, as JSON."""

from __future__ import annotations

from datetime import datetime

import redis
from rq import Queue, Retry
from rq.exceptions import NoSuchJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from maskwatch.broker.connect import translated
from maskwatch.jobs.types import QUEUE_OF, JobKind

__all__ = ["ENTRY", "Carrier"]

ENTRY = "workers.jobs.entry.perform"
"""What a worker calls with a job's id; a name, because nobody who sends imports it."""

_RETRIES = {JobKind.VIDEO: (10, 60, 300), JobKind.TRAIN: (60,), JobKind.REPORT: (30, 300), JobKind.RETENTION: ()}
"""Seconds before the next attempts, after a worker's death or an error that may pass."""
_TIMEOUTS_S = {
    JobKind.VIDEO: 24 * 3600,
    JobKind.TRAIN: 24 * 3600,
    JobKind.REPORT: 900,
    JobKind.RETENTION: 300,
    JobKind.NOTIFY: 60,
}
_KEPT_S = 24 * 3600
"""For how long RQ keeps its own note of a job that is over; ours says more."""


class Carrier:
    """Sends jobs to the workers.

    Every method raises `BrokerDown` when Redis can't be reached and `QueueError` when it answers with an error.

    Args:
        client: of the durable Redis, as `connect` makes it.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._queues = {name: Queue(name, connection=client, serializer=JSONSerializer) for name in QUEUE_OF.values()}

    def send(self, job_id: str, kind: JobKind, at: datetime | None = None) -> None:
        """Put a job into its queue, in place of what RQ knew of its id.

        Args:
            job_id: as in its record.
            kind: what it is; decides queue, time-out and retries.
            at: when it is due, with a time zone; None is now.
        """
        intervals = list(_RETRIES.get(kind, ()))
        options = {
            "job_id": job_id, "description": f"{kind.value} {job_id}", "result_ttl": _KEPT_S, "failure_ttl": _KEPT_S,
            "retry": Retry(max=len(intervals), interval=intervals) if intervals else None,
        }  # fmt: skip
        queue, timeout_s = self._queues[QUEUE_OF[kind]], _TIMEOUTS_S[kind]
        with translated(self._client, "sending a job"):
            self.forget(job_id)
            if at is None:
                queue.enqueue_call(ENTRY, args=(job_id,), timeout=timeout_s, **options)
            else:
                queue.enqueue_at(at, ENTRY, job_id, job_timeout=timeout_s, **options)

    def is_under_way(self, job_id: str) -> bool:
        """Return whether RQ has a job in a queue, scheduled, or with a worker."""
        with translated(self._client, "looking for a job"):
            job = self._fetch(job_id)
            return job is not None and job.get_status() in (JobStatus.QUEUED, JobStatus.SCHEDULED, JobStatus.STARTED)

    def forget(self, job_id: str) -> None:
        """Take a job out of RQ's queues and registries."""
        with translated(self._client, "withdrawing a job"):
            job = self._fetch(job_id)
            if job is not None:
                job.delete()

    def _fetch(self, job_id: str) -> Job | None:
        try:
            return Job.fetch(job_id, connection=self._client, serializer=JSONSerializer)
        except NoSuchJobError:
            return None
