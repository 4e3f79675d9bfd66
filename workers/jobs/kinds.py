"""Which function does which kind of job; each is imported when a job of its kind comes."""

from __future__ import annotations

from maskwatch.jobs import JobKind
from workers.jobs.context import JobContext, Outcome

__all__ = ["do"]


def do(job: JobContext) -> Outcome:
    """Do a job.

    Raises:
        Cancelled, Interrupted: as `JobContext.tell`.
        MaskwatchError: if it can't be done.
    """
    match job.view.kind:
        case JobKind.VIDEO:
            from workers.jobs.video import do_video

            return do_video(job)
        case JobKind.REPORT:
            from workers.jobs.report import do_report

            return do_report(job)
        case JobKind.RETENTION:
            from workers.jobs.retention import do_retention

            return do_retention(job)
        case JobKind.TRAIN:
            from workers.jobs.train import do_train

            return do_train(job)
        case JobKind.NOTIFY:
            return _do_notify(job)


def _do_notify(job: JobContext) -> Outcome:
    from workers.notify import deliver

    told = deliver(job.settings, str(job.view.spec.get("receiver", "")))
    summary = {"sent": told.sent, "failed": told.failed, "quiet": told.quiet, "given_up": told.given_up}
    return Outcome(summary=summary, error=told.reason)
