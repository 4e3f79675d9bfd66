"""What a job has at hand while it is done, and how it tells how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import redis

from maskwatch.blobs import BlobStore
from maskwatch.errors import JobError
from maskwatch.jobs import JobBook, JobResult, JobView
from maskwatch.jobs.records import JobRecords
from maskwatch.service import Stop
from maskwatch.settings import Settings

__all__ = ["Cancelled", "Interrupted", "JobContext", "Outcome"]

_TELL_EVERY_S = 1.0
_CHUNK_BYTES = 1 << 20
_FIRST_GUESS_S = 2.0
"""Of work, before anything is said about the time that is left."""
_MB = 1_000_000


class Cancelled(Exception):
    """Somebody doesn't want the job any more."""


class Interrupted(Exception):
    """The process is to end; the job goes on in the next one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job has come to.

    Attributes:
        results: files that it made.
        summary: figures for people, JSON's values.
        error: why it has failed all the same, e.g. where a video broke off; empty when it hasn't.
        is_worth_keeping: False for one that had nothing to do and of which no record is wanted.
    """

    results: tuple[JobResult, ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    is_worth_keeping: bool = True


class JobContext:
    """One job that is being done.

    Args:
        settings: of this installation.
        view: the job as it was when it began.
        client: of the durable Redis.
        stop: a request to end the process.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        settings: Settings,
        view: JobView,
        client: redis.Redis,
        stop: Stop,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.view = view
        self.stop = stop
        self.blobs = BlobStore(settings.blobs_folder, settings.blobs.most_mb * _MB)
        self.folder = settings.jobs_folder / view.id
        """Of this job alone, for what isn't finished; made by `make_folder`, gone when the job is over."""
        self.book = JobBook(client, self.blobs)
        self.records = JobRecords(client)
        self._clock = clock
        self._next_s = clock()
        self._first: tuple[float, float] | None = None

    def make_folder(self) -> Path:
        """Make the job's folder, which nobody else can read, and return it.

        Raises:
            JobError: if it can't be made.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise JobError(f"{self.folder}: can't be made ({error.strerror}); see jobs.dir") from error
        return self.folder

    def tell(self, progress: float | None) -> None:
        """Say how far the job is; asked often, said once a second.

        Args:
            progress: 0..1, or None where nobody can tell.

        Raises:
            Interrupted: if the process is to end.
            Cancelled: if nobody wants the job any more.
            QueueError: if Redis can't be asked.
        """
        now_s = self._clock()
        if self.stop.requested:
            raise Interrupted
        if now_s < self._next_s:
            return
        self._next_s = now_s + _TELL_EVERY_S
        if not self.records.progress(self.view.id, progress, self._left_s(progress, now_s)):
            raise Cancelled

    def keep(self, name: str, path: Path, mimetype: str) -> JobResult:
        """Put a file among the kept ones as a result.

        Args:
            name: as people see it.
            path: of the file, which stays where it is.
            mimetype: for whoever downloads it.

        Raises:
            BlobError: if it can't be kept.
        """
        key = f"job-{self.view.id}-{name}"
        size = self.blobs.write(key, _chunks(path), self.settings.blobs.most_mb * _MB)
        return JobResult(name, key, mimetype, size)

    def _left_s(self, progress: float | None, now_s: float) -> float | None:
        """Guess from the speed of this attempt, which may have begun in the middle."""
        if progress is None:
            return None
        if self._first is None:
            self._first = (now_s, progress)
        passed_s, done = now_s - self._first[0], progress - self._first[1]
        return passed_s / done * (1 - progress) if passed_s >= _FIRST_GUESS_S and done > 0 else None


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from _pieces(file)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_CHUNK_BYTES):
        yield piece
