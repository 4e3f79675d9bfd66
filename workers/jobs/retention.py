"""Removes what is older than the configuration allows: from the record, its pictures, and the jobs themselves."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from maskwatch.errors import JobError
from maskwatch.jobs import JobBook, JobState
from maskwatch.jobs.spec import UPLOAD_PREFIX
from maskwatch.store import Store
from workers.jobs.context import JobContext, Outcome
from workers.retention import apply_retention

__all__ = ["do_retention", "forget_old_jobs"]

_BUDGET_S = 200.0
_DAY_S = 86_400.0
_RESULT_PREFIX = "job-"
_ALL = 1 << 30


def do_retention(job: JobContext) -> Outcome:
    """Remove what is too old; what is left because time was up is the next job's, an hour later.

    Raises:
        StoreError: if the record can't be changed.
        BlobError: if the kept files can't be reached.
        QueueError: if the jobs can't be read.
        Cancelled, Interrupted: as `JobContext.tell`.
    """
    counts: dict[str, int] = {}
    with Store(job.settings.record_url) as store:
        store.upgrade()
        purged = apply_retention(store, job.blobs, job.settings.store, datetime.now(UTC), budget_s=_BUDGET_S)
        counts |= {
            "events": purged.events, "tallies": purged.tallies, "rejected": purged.rejected,
            "snapshots": len(purged.snapshots),
        }  # fmt: skip
    job.tell(None)
    counts["jobs"] = forget_old_jobs(job.book, job.settings.jobs.keep_days, datetime.now(UTC))
    counts["files"] = _remove_strays(job)
    return Outcome(summary=counts, is_worth_keeping=any(counts.values()))


def forget_old_jobs(book: JobBook, keep_days: float, now: datetime) -> int:
    """Delete jobs that were over long ago, with what belongs to them; return how many.

    Args:
        book: of all jobs.
        keep_days: for how long they are kept.
        now: with a time zone.

    Raises:
        QueueError: if the jobs can't be read.
    """
    limit = now - timedelta(days=keep_days)
    old = [view for view in book.list(limit=_ALL) if view.state.is_over and (view.ended_at or view.made_at) < limit]
    for view in old:
        with suppress(JobError):  # somebody else has deleted it, or tries it again
            book.delete(view.id)
    return len(old)


def _remove_strays(job: JobContext) -> int:
    """Remove uploads that no job is about, results of jobs that are gone, and folders of unfinished ones."""
    keep_s = job.settings.jobs.keep_days * _DAY_S
    count = job.blobs.purge(keep_s, UPLOAD_PREFIX) + job.blobs.purge(keep_s, _RESULT_PREFIX)
    folders = [path for path in job.settings.jobs_folder.glob("*") if path.is_dir()]
    for folder in folders:
        view = job.book.get(folder.name)
        is_idle = time.time() - folder.stat().st_mtime > min(keep_s, _DAY_S)
        if is_idle and (view is None or view.state in (JobState.DONE, JobState.CANCELLED)):
            shutil.rmtree(folder, ignore_errors=True)
            count += 1
    return count
