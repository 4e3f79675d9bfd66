"""Processes that help to measure: each runs one job of `workers.bench.child`, pinned to a core where that is wanted.

A helper gets its job as one line of JSON on its standard input, says "ready" once it is warm, begins at "go", and
answers with one line of JSON. It never outlives this process.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any

from maskwatch.errors import ConfigError, MaskwatchError
from maskwatch.service import die_with_parent
from workers.bench.facts import usable_cores

__all__ = ["Helpers", "helpers", "pick_cores"]

_READY_WITHIN_S = 600.0
"""TensorFlow takes 7 s on a quiet machine, JAX a minute to compile; a busy one isn't given up at once."""
_END_WITHIN_S = 120.0
"""Beyond the time for which it measures: JAX on a busy CPU takes ten seconds a batch, and then comes its parity."""


def pick_cores(count: int) -> list[int]:
    """Return the numbers of so many cores.

    Raises:
        ConfigError: if this process may not use as many.
    """
    cores = usable_cores()
    if count > len(cores):
        raise ConfigError(f"--cores {count}: this process may use {len(cores)}; give at most that many")
    return cores[:count]


class Helpers:
    """Helper processes that are ready to begin."""

    def __init__(self, processes: Sequence[subprocess.Popen[str]]) -> None:
        self._processes = processes

    def go(self) -> None:
        """Let all of them begin."""
        for process in self._processes:
            _write(process, "go")

    def results(self, after_s: float) -> list[dict[str, Any]]:
        """Return what each has measured.

        Args:
            after_s: for how long they measure.

        Raises:
            MaskwatchError: if one failed (it has said why on stderr) or doesn't end.
        """
        ends_s = time.monotonic() + after_s + _END_WITHIN_S
        return [json.loads(_line(process, ends_s, "end")) for process in self._processes]


@contextmanager
def helpers(jobs: Sequence[Mapping[str, Any]], cores: Sequence[int | None] = ()) -> Iterator[Helpers]:
    """Start one helper a job, wait until all are ready, and end them all in the end; call it from the main thread.

    Args:
        jobs: what each is to do; see `workers.bench.child`.
        cores: the core of each; None, or no entry, leaves a helper free.

    Raises:
        MaskwatchError: if one fails before it is ready.
    """
    processes: list[subprocess.Popen[str]] = []
    try:
        for number, job in enumerate(jobs):
            processes.append(_start(cores[number] if number < len(cores) else None))
            _write(processes[-1], json.dumps(job))
        ends_s = time.monotonic() + _READY_WITHIN_S
        for process in processes:
            if _line(process, ends_s, "get ready") != "ready":
                raise MaskwatchError("a helper process of the benchmark said something else than ready")
        yield Helpers(processes)
    finally:
        for process in processes:
            _end(process)


def _start(core: int | None) -> subprocess.Popen[str]:
    parent = os.getpid()

    def before_exec() -> None:
        die_with_parent(parent)
        if core is not None:
            os.sched_setaffinity(0, {core})

    return subprocess.Popen(
        (sys.executable, "-P", "-m", "workers.bench.child"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=before_exec,
    )


def _write(process: subprocess.Popen[str], line: str) -> None:
    """Say something to a helper; one that has ended is noticed when its answer is read."""
    with contextlib.suppress(BrokenPipeError):
        pipe = _pipe(process.stdin)
        pipe.write(line + "\n")
        pipe.flush()


def _line(process: subprocess.Popen[str], ends_s: float, doing: str) -> str:
    """Read one line.

    Raises:
        MaskwatchError: if the helper ends without one, or none comes in time.
    """
    pipe = _pipe(process.stdout)
    # A helper writes whole lines and never two before it is asked, so nothing waits in Python's own buffer.
    if not select.select([pipe], [], [], max(0.0, ends_s - time.monotonic()))[0]:
        raise MaskwatchError(f"a helper process of the benchmark didn't {doing} in time; is the machine overloaded?")
    line = pipe.readline().strip()
    if not line:
        raise MaskwatchError("a helper process of the benchmark failed; its message is above")
    return line


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def _end(process: subprocess.Popen[str]) -> None:
    """Kill what is left and give the pipes back."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait(5)
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            _pipe(pipe).close()
