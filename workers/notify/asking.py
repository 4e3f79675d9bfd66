"""Asks for jobs that tell receivers, one at a time for each: there is nothing to tell twice at once."""

from __future__ import annotations

from collections.abc import Collection

import structlog

from maskwatch.errors import QueueError
from maskwatch.jobs import JobBook, JobKind

__all__ = ["ask_for"]


def ask_for(book: JobBook, receivers: Collection[str]) -> None:
    """Ask for a job for each receiver that has none under way.

    A Redis that is away is no error here: what is due is in the record's outbox, and `maskwatch jobs` looks there too.

    Args:
        book: of jobs.
        receivers: their names.
    """
    try:
        for name in sorted(receivers):
            job_id = f"notify-{name}"
            known = book.get(job_id)
            if known is None or known.state.is_over:
                book.submit(JobKind.NOTIFY, {"receiver": name}, title=f"notifications to {name}", job_id=job_id)
    except QueueError as error:
        structlog.get_logger().warning("notify.not_asked", error=str(error))
