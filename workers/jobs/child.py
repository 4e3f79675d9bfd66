"""Work that has a verb of its own, done by that verb as a child process: nothing of it is imported here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from maskwatch.errors import JobError, MaskwatchError
from maskwatch.service import die_with_parent
from workers.jobs.context import JobContext

__all__ = ["ChildFailed", "run_verb"]

_POLL_S = 0.3
_END_S = 5.0
_MOST_OUTPUT = 20_000
_USAGE = 2


class ChildFailed(MaskwatchError):
    """A child process ended with an error; another attempt may do better."""


def run_verb(job: JobContext, words: Sequence[str], progress: Callable[[], float | None] = lambda: None) -> str:
    """Run `maskwatch WORDS...` with this process' configuration and return what it printed.

    Args:
        job: told how far it is; its end ends the child.
        words: of the command line.
        progress: asked now and then.

    Raises:
        JobError: if the command line or the configuration is refused.
        ChildFailed: if it ends with another error; the message is its last line.
        Cancelled, Interrupted: as `JobContext.tell`; the child is gone by then.
    """
    output = job.make_folder() / "output.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603 - our own program; no shell reads the words
            [sys.executable, "-P", "-m", "maskwatch", *words],
            stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
            preexec_fn=partial(die_with_parent, os.getpid()),
        )  # fmt: skip
        try:
            while True:
                try:
                    code = process.wait(_POLL_S)
                    break
                except subprocess.TimeoutExpired:
                    job.tell(progress())
        except BaseException:
            _end(process)
            raise
    said = _tail(output)
    if code:
        last = said.strip().splitlines()[-1] if said.strip() else f"exit code {code}"
        raise (JobError if code == _USAGE else ChildFailed)(f"maskwatch {words[0]}: {last}")
    return said


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _MOST_OUTPUT))
        return file.read().decode("utf-8", "replace")
