"""What a job is, for those who ask for one and those who look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

__all__ = ["QUEUES", "QUEUE_OF", "JobKind", "JobResult", "JobState", "JobView"]


class JobKind(StrEnum):
    """What there is to do."""

    VIDEO = "video"
    """Look at a video, a picture or a folder of them as `maskwatch detect --out` does."""
    REPORT = "report"
    """Write a report of a day or a week."""
    RETENTION = "retention"
    """Remove what is older than the configuration allows."""
    NOTIFY = "notify"
    """Tell one receiver what is due."""
    TRAIN = "train"
    """Train a classifier."""


class JobState(StrEnum):
    """How far a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to it unless somebody asks for another try."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


QUEUE_OF = {
    JobKind.VIDEO: "long",
    JobKind.TRAIN: "long",
    JobKind.REPORT: "quick",
    JobKind.RETENTION: "quick",
    JobKind.NOTIFY: "quick",
}
"""Two queues, so that nobody's message waits for a film."""

QUEUES = ("quick", "long")


@dataclass(frozen=True, slots=True)
class JobResult:
    """A file that a job has made.

    Attributes:
        name: as people see it, e.g. `annotated.mp4`.
        key: in the blob store.
        mimetype: for whoever downloads it.
        bytes: its length.
    """

    name: str
    key: str
    mimetype: str
    bytes: int


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as it stands.

    Attributes:
        id: letters, digits and -, safe in an address.
        kind: what is done.
        title: for people, e.g. the name of an uploaded video.
        state: how far it is.
        progress: 0..1, or None where nobody can tell.
        left_s: seconds that it probably takes yet, or None.
        made_at: when it was asked for, UTC; for display, as are the other times.
        begun_at: when its newest attempt began, or None.
        ended_at: when it was over, or None.
        reason: one line: why it failed, with what to do, or what it waits for; else empty.
        attempts: how often it was begun.
        is_cancelling: whether its end was asked for and hasn't come yet.
        results: what it has made.
        summary: figures of its kind, for people.
        spec: what was asked for.
    """

    id: str
    kind: JobKind
    title: str
    state: JobState
    progress: float | None
    left_s: float | None
    made_at: datetime
    begun_at: datetime | None
    ended_at: datetime | None
    reason: str
    attempts: int
    is_cancelling: bool = False
    results: tuple[JobResult, ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
