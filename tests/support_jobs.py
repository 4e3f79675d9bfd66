"""Starting real job processes for tests, and films to give them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from maskwatch.jobs import JobBook, JobState, JobView
from maskwatch.media.writer import VideoWriter
from tests.support import ROOT, wait_for
from tests.support_worker import moving_face

__all__ = ["JobsProcess", "face_film", "jobs_environ", "started_jobs", "wait_over"]


def face_film(path: Path, frames: int, fps: float = 10.0, size_wh: tuple[int, int] = (320, 180)) -> Path:
    """Write a film in which the astronaut moves for some pictures, then nobody is there for ten."""
    with VideoWriter(path, size_wh, fps) as writer:
        for number in range(frames):
            is_empty = number >= frames - 10
            blank = np.full((size_wh[1], size_wh[0], 3), 90, np.uint8)
            writer.write(blank if is_empty else moving_face(number, size_wh))
    return path


def jobs_environ(url: str, state_dir: Path, **more: str) -> dict[str, str]:
    """Return the settings of a process that does jobs, as environment variables."""
    return {
        "MASKWATCH_REDIS__LIVE": url,
        "MASKWATCH_REDIS__DURABLE": url,
        "MASKWATCH_STATE_DIR": str(state_dir),
        **more,
    }


class JobsProcess:
    """A `maskwatch jobs` that runs."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        """What it and its workers have logged."""
        return self._log.read_text(errors="replace")

    def pids(self, *words: str) -> set[int]:
        """Return it and the processes below it whose command line holds all the words."""
        below, parents = {self.process.pid}, _parents()
        while more := {pid for pid, parent in parents.items() if parent in below} - below:
            below |= more
        return {pid for pid in below if all(word in _command(pid) for word in words)}

    def worker(self, queue: str) -> int:
        """Return the process id of a queue's worker, once it runs."""
        # What it has just forked has its command line too.
        return min(wait_for(lambda: self.pids("--one", queue), 120, f"the worker of {queue} runs"))

    def stop(self, within_s: float = 15.0) -> int:
        """Ask it to end and return its exit code; fails when it takes longer."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within_s)


def _parents() -> dict[int, int]:
    """Return the parent of every process."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            found[int(stat.parent.name)] = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
    return found


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


@contextmanager
def started_jobs(environ: Mapping[str, str], folder: Path, *words: str) -> Iterator[JobsProcess]:
    """Start `maskwatch jobs` and make sure it is gone afterwards, with all that it started."""
    path = folder / "jobs.log"
    with path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "maskwatch", "jobs", "--name", "test", *words],
            cwd=ROOT, env={**os.environ, **environ}, stdout=log, stderr=log,
        )  # fmt: skip
    jobs = JobsProcess(process, path)
    try:
        yield jobs
    finally:
        process.kill()
        process.wait(10)


def wait_over(book: JobBook, job_id: str, within_s: float = 90.0) -> JobView:
    """Wait until a job is over and return it."""

    def over() -> JobView | None:
        view = book.get(job_id)
        assert view is not None
        return view if view.state.is_over else None

    try:
        return wait_for(over, within_s, f"job {job_id} is over")
    except AssertionError as error:
        raise AssertionError(f"{error}: {book.get(job_id)}") from None


def is_waiting(view: JobView | None) -> bool:
    """Whether a job waits."""
    return view is not None and view.state is JobState.WAITING
