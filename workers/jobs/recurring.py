"""The jobs that come by themselves: reports and retention, each with an id that says when it is due.

RQ's scheduler holds the next of each. An id is the same whoever plans it, so that several planners make one job; and
one that was due while nothing ran is done when something runs again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from maskwatch.jobs import JobKind
from maskwatch.jobs.carrier import Carrier, Standing
from maskwatch.jobs.records import JobRecords
from maskwatch.settings import Settings

__all__ = ["Due", "due_next", "make_recurring", "plan_recurring", "report_spec"]

_REPORT = re.compile(r"report-(\d{8})-(daily|weekly)")
_RETENTION = re.compile(r"retention-\d{8}-\d{2}")
_MONDAY = 0


@dataclass(frozen=True, slots=True)
class Due:
    """The next of what recurs.

    Attributes:
        job_id: says what and when.
        kind: what.
        at: when, with a time zone.
    """

    job_id: str
    kind: JobKind
    at: datetime


def due_next(settings: Settings, now: datetime) -> Iterator[Due]:
    """Yield the next retention and, where one is wanted, the next report.

    Args:
        settings: of this installation.
        now: with a time zone.
    """
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    yield Due(f"retention-{hour:%Y%m%d-%H}", JobKind.RETENTION, hour)
    every = settings.report.every
    if every == "never":
        return
    zone = ZoneInfo(settings.web.timezone) if settings.web.timezone else None
    local = now.astimezone(zone)
    clock = time.fromisoformat(settings.report.at)
    day = local.date()
    # By the calendar and the clock on the wall: a day has 23 or 25 hours twice a year.
    while True:
        at = datetime.combine(day, clock, zone) if zone else datetime.combine(day, clock).astimezone()
        if at.timestamp() > now.timestamp() and (every == "daily" or day.weekday() == _MONDAY):
            break
        day += timedelta(days=1)
    yield Due(f"report-{day:%Y%m%d}-{every}", JobKind.REPORT, at)


def plan_recurring(settings: Settings, records: JobRecords, carrier: Carrier, now: datetime) -> None:
    """Put the next of what recurs into RQ's scheduler where it isn't yet.

    Raises:
        QueueError: if Redis can't be asked.
    """
    for due in due_next(settings, now):
        if carrier.standing(due.job_id) is Standing.GONE and records.get(due.job_id) is None:
            carrier.send(due.job_id, due.kind, due.at)


def make_recurring(records: JobRecords, settings: Settings, job_id: str) -> None:
    """Enter a job that has come by itself; one that is known, or whose id says nothing, is left alone.

    Raises:
        QueueError: if Redis can't be asked.
    """
    report = _REPORT.fullmatch(job_id)
    if (report is None and _RETENTION.fullmatch(job_id) is None) or records.get(job_id) is not None:
        return
    if report is None:
        records.make(job_id, JobKind.RETENTION, "what is too old", {})
    elif settings.report.every != "never":
        spec = report_spec(report[1], report[2], settings.report.by)
        records.make(job_id, JobKind.REPORT, f"{report[2]} report, {spec['from']} to {spec['to']}", spec)


def report_spec(due: str, every: str, by: str) -> dict[str, Any]:
    """Return what a report is about that is due on a day: the day before it, or the seven days before it.

    Args:
        due: YYYYMMDD.
        every: daily or weekly.
        by: what its first chart shows.
    """
    day = datetime.strptime(due, "%Y%m%d").date()
    first = day - timedelta(days=7 if every == "weekly" else 1)
    return {"from": first.isoformat(), "to": (day - timedelta(days=1)).isoformat(), "by": by}
