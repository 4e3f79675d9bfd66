"""What RQ calls with a job's id: begins the job, does it, and writes down how it ended."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import structlog
from rq import get_current_job
from rq.timeouts import JobTimeoutException

from maskwatch.broker.connect import connect
from maskwatch.errors import MaskwatchError, QueueError, StoreDown
from maskwatch.jobs import JobState
from maskwatch.jobs.records import JobRecords
from maskwatch.options import settings_from
from maskwatch.service import Stop, stop_on_signals
from maskwatch.settings import Settings
from workers.jobs.child import ChildFailed
from workers.jobs.context import Cancelled, Interrupted, JobContext
from workers.jobs.kinds import do
from workers.jobs.recurring import make_recurring

__all__ = ["CONFIG_VARIABLE", "perform", "settings_of_process"]

CONFIG_VARIABLE = "MASKWATCH_CONFIG"
"""The configuration's file, also of a process that RQ has started."""

_PASSING = (QueueError, StoreDown, ChildFailed)
"""What another attempt may mend."""


def settings_of_process() -> Settings:
    """Read the configuration that this process was given, as it is now.

    Raises:
        ConfigError: if it has become wrong.
    """
    path = os.environ.get(CONFIG_VARIABLE)
    return settings_from(Path(path) if path else None)


def perform(job_id: str) -> None:
    """Do a job; RQ calls this, in a process of the job's own or in the worker's.

    Raises:
        MaskwatchError: if it can't be done; RQ tries again what may pass.
    """
    settings = settings_of_process()
    # RQ's worker has a handler, a job's own process has none: there the job is told to save itself.
    has_handler = signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    stop = Stop() if has_handler else stop_on_signals()
    with connect(settings.require_redis().durable.get_secret_value()) as client:
        records = JobRecords(client)
        make_recurring(records, settings, job_id)
        view = records.begin(job_id)
        if view is None:
            return
        with structlog.contextvars.bound_contextvars(job=job_id, kind=view.kind.value):
            _do(JobContext(settings, view, client, stop))


def _do(job: JobContext) -> None:
    log, job_id, records = structlog.get_logger(), job.view.id, job.records
    log.info("job.begun", attempt=job.view.attempts)
    try:
        outcome = do(job)
    except Interrupted:
        log.info("job.interrupted")
        records.wait(job_id, "interrupted; goes on where it stood when `maskwatch jobs` runs again", was_attempt=False)
        return
    except Cancelled:
        log.info("job.cancelled")
        records.end(job_id, JobState.CANCELLED)
    except JobTimeoutException as error:
        _fail(job, f"took too long: {error}; look at a shorter part, or at fewer pictures (`every`)")
        raise
    except _PASSING as error:
        _try_again(job, str(error))
        raise
    except MaskwatchError as error:
        _fail(job, str(error))
        raise
    except Exception as error:
        log.exception("job.crashed")
        _try_again(job, f"unexpected {type(error).__name__}: {error}; the log of `maskwatch jobs` says more")
        raise
    else:
        if outcome.is_worth_keeping:
            state = JobState.FAILED if outcome.error else JobState.DONE
            records.end(job_id, state, reason=outcome.error, results=outcome.results, summary=outcome.summary)
            if state is JobState.DONE:  # one that has failed may be tried again
                job.book.let_go_of_upload(job.view)
        else:
            records.delete(job_id)
        log.info("job.ended", error=outcome.error)
    shutil.rmtree(job.folder, ignore_errors=True)


def _try_again(job: JobContext, reason: str) -> None:
    """Let RQ's retry have its way, where one is left."""
    current = get_current_job()
    if current is not None and current.retries_left:
        structlog.get_logger().warning("job.tried_again", reason=reason)
        job.records.wait(job.view.id, f"{reason} (attempt {job.view.attempts}; another one follows)")
    else:
        _fail(job, reason)


def _fail(job: JobContext, reason: str) -> None:
    """Write down a failure that another attempt wouldn't mend, and keep RQ from making one."""
    structlog.get_logger().warning("job.failed", reason=reason)
    job.records.end(job.view.id, JobState.FAILED, reason=reason)
    current = get_current_job()
    if current is not None:
        current.retries_left = 0
