"""Asks for jobs that tell receivers, one at a time for each: there is nothing to tell twice at once."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

import structlog

from maskwatch.errors import QueueError
from maskwatch.jobs import JobBook, JobKind, JobState, JobView

__all__ = ["ask_for"]

_LONGEST_S = 75.0
"""More than such a job may take. Two at once would do no harm: the outbox lets one of them speak."""


def ask_for(book: JobBook, receivers: Collection[str]) -> None:
    """Ask for a job for each receiver that has none under way, or one that has been under way for too long.

    A Redis that is away is no error here: what is due is in the record's outbox, and `maskwatch jobs` looks there too.

    Args:
        book: of jobs.
        receivers: their names.
    """
    try:
        for name in sorted(receivers):
            job_id = f"notify-{name}"
            known = book.get(job_id)
            if known is None or known.state.is_over or _is_stuck(known):
                book.submit(JobKind.NOTIFY, {"receiver": name}, title=f"notifications to {name}", job_id=job_id)
    except QueueError as error:
        structlog.get_logger().warning("notify.not_asked", error=str(error))


def _is_stuck(job: JobView) -> bool:
    """Tell whether a job's worker has probably died over it."""
    if job.state is not JobState.RUNNING or job.begun_at is None:
        return False
    return (datetime.now(UTC) - job.begun_at).total_seconds() > _LONGEST_S
