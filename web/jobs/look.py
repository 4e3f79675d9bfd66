"""Jobs as the pages show them: the same words everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from maskwatch.jobs.types import JobKind, JobResult, JobState, JobView
from maskwatch.store import ComplianceRow
from maskwatch.types import Verdict
from web.answers.words import count, duration
from web.jobs.rows import result_url

__all__ = ["KIND_WORDS", "STATE_WORDS", "FileLook", "JobLook", "job_look", "size_words"]

KIND_WORDS: Mapping[JobKind, str] = {
    JobKind.VIDEO: "Recorded material",
    JobKind.REPORT: "Report",
    JobKind.RETENTION: "Clearing away",
    JobKind.NOTIFY: "Notification",
    JobKind.TRAIN: "Training",
}

STATE_WORDS: Mapping[JobState, str] = {
    JobState.WAITING: "waiting",
    JobState.RUNNING: "running",
    JobState.DONE: "done",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
}

_MOST_FACTS = 20
_TOLD_ELSEWHERE = frozenset({"people", "problems", "every", "profile"})
_NOT_TOLD = frozenset({"compliance"})
"""A share of few people says nothing; the chart knows when there are enough."""


@dataclass(frozen=True, slots=True)
class FileLook:
    """A result.

    Attributes:
        name: of the file.
        url: where it is.
        size: in words.
        is_film: whether browsers play it.
        is_picture: whether browsers show it.
    """

    name: str
    url: str
    size: str
    is_film: bool
    is_picture: bool


@dataclass(frozen=True, slots=True)
class JobLook:
    """A job.

    Attributes:
        view: as it stands.
        kind: in words.
        state: in words.
        percent: how far it is, 0..100, or None where nobody can tell.
        left: how long it takes yet, in words; may be empty.
        took: how long it took, in words; may be empty.
        made_at: when it was asked for, in the page's zone; the next two alike.
        begun_at: when its newest attempt began, or None.
        ended_at: when it was over, or None.
        files: its results.
        people: by verdict, or None where it counts none.
        facts: its other figures: what, and how much.
        wishes: how its material is looked at: what, and how.
        problems: what couldn't be looked at, or not wholly, and why.
        shape: changes when more than its progress does.
    """

    view: JobView
    kind: str
    state: str
    percent: int | None
    left: str
    took: str
    made_at: datetime
    begun_at: datetime | None
    ended_at: datetime | None
    files: tuple[FileLook, ...]
    people: ComplianceRow | None
    facts: tuple[tuple[str, str], ...]
    wishes: tuple[tuple[str, str], ...]
    problems: tuple[str, ...]
    shape: str


def job_look(view: JobView, zone: tzinfo) -> JobLook:
    """Return a job in words.

    Args:
        view: the job.
        zone: in which its times are told.
    """
    is_going_on = view.state is JobState.RUNNING and not view.is_cancelling
    took_s = (view.ended_at - view.begun_at).total_seconds() if view.ended_at and view.begun_at else None
    return JobLook(
        view=view,
        kind=KIND_WORDS[view.kind],
        state="cancelling" if view.is_cancelling else STATE_WORDS[view.state],
        percent=None if view.progress is None else min(max(int(100 * view.progress), 0), 100),
        left=f"about {duration(max(view.left_s, 1))} left" if is_going_on and view.left_s is not None else "",
        took=duration(max(took_s, 0)) if took_s is not None else "",
        made_at=view.made_at.astimezone(zone),
        begun_at=view.begun_at.astimezone(zone) if view.begun_at else None,
        ended_at=view.ended_at.astimezone(zone) if view.ended_at else None,
        files=tuple(_file_look(view.id, one) for one in view.results),
        people=_people(view),
        facts=_facts(view),
        wishes=_wishes(view),
        problems=_problems(view),
        shape=f"{view.id}:{view.state.value}:{view.is_cancelling:d}:{view.attempts}:{len(view.results)}",
    )


def size_words(size_bytes: int) -> str:
    """Write a number of bytes."""
    for unit, width in (("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10)):
        if size_bytes >= width:
            return f"{size_bytes / width:.1f} {unit}" if size_bytes < 10 * width else f"{size_bytes // width} {unit}"
    return f"{size_bytes} bytes"


def _file_look(job_id: str, one: JobResult) -> FileLook:
    return FileLook(
        name=one.name,
        url=result_url(job_id, one.name),
        size=size_words(one.bytes),
        is_film=one.mimetype == "video/mp4",
        is_picture=one.mimetype in ("image/jpeg", "image/png"),
    )


def _people(view: JobView) -> ComplianceRow | None:
    given = view.summary.get("people")
    if not isinstance(given, Mapping):
        return None
    counts = {verdict: _whole(given.get(verdict.value)) for verdict in Verdict}
    return ComplianceRow(
        with_mask=counts[Verdict.WITH_MASK],
        without_mask=counts[Verdict.WITHOUT_MASK],
        incorrect_mask=counts[Verdict.INCORRECT_MASK],
        unknown=counts[Verdict.UNKNOWN],
    )


def _whole(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0


def _facts(view: JobView) -> tuple[tuple[str, str], ...]:
    facts = []
    for key, value in view.summary.items():
        if key in _TOLD_ELSEWHERE | _NOT_TOLD:
            continue
        what = str(key).replace("_", " ").capitalize()
        if key == "seconds" and isinstance(value, int | float):
            facts.append(("Length", duration(value)))
        elif isinstance(value, int) and not isinstance(value, bool):
            facts.append((what, count(value)))
        elif isinstance(value, float):
            facts.append((what, f"{value:.4g}"))
        elif isinstance(value, str) and value:
            facts.append((what, value[:200]))
    return tuple(facts[:_MOST_FACTS])


def _wishes(view: JobView) -> tuple[tuple[str, str], ...]:
    if view.kind is not JobKind.VIDEO:
        return ()
    every = view.spec.get("every", 1)
    given = view.spec.get("input")
    path = given.get("path") if isinstance(given, Mapping) else None
    wishes = [
        ("Pictures", "every one" if every == 1 else f"one in {every}"),
        ("Profile", str(view.spec.get("profile", ""))),
        # The summary knows which version it was.
        ("Detector", "" if "detector" in view.summary else str(view.spec.get("detector", ""))),
    ]
    return tuple((what, how) for what, how in [("From", str(path or "")), *wishes] if how)


def _problems(view: JobView) -> tuple[str, ...]:
    given = view.summary.get("problems")
    return tuple(str(one) for one in given) if isinstance(given, list) else ()
