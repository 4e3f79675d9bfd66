"""Starting a process that can't outlive this one, and ending it with everything that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from maskwatch.service import die_with_parent

__all__ = ["ChildProcess", "ChildSpec", "launch"]


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """How to start one process.

    Attributes:
        name: what the log calls it, e.g. `worker-1`.
        argv: the command line; it can be read by every user of the machine, so no secret belongs into it.
        environ: the whole environment; may hold secrets.
        stop_rank: processes of a lower rank are stopped earlier.
        stdin: what the process reads from its standard input; may hold secrets.
        output: file for what it prints, emptied at each start; None sends it to our stderr.
    """

    name: str
    argv: tuple[str, ...]
    environ: Mapping[str, str] = field(repr=False)
    stop_rank: int
    stdin: bytes = field(default=b"", repr=False)
    output: Path | None = None


class ChildProcess(Protocol):
    """A process that was started."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def poll(self) -> int | None:
        """Return its exit code, negative for a signal's number, or None while it runs."""

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the process and to everything that it started; a process that is gone is no error."""


class _Started:
    """A running `subprocess.Popen` that leads a session and process group of its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id, which is its group's too."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return its exit code, or None while it runs."""
        return self._process.poll()

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to its whole group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def launch(spec: ChildSpec) -> ChildProcess:
    """Start a process in a session of its own, so that a terminal's Ctrl-C reaches only the supervisor.

    The kernel kills it when the calling thread ends (PR_SET_PDEATHSIG looks at the thread, not at the process), so
    call this from the main thread. Nothing of it comes to this process' stdout, which is for results.

    Raises:
        OSError: if the program can't be started, or its output's file can't be written.
    """
    if spec.output is not None:
        with spec.output.open("wb") as output:
            return _start(spec, output.fileno())
    return _start(spec, 2)


def _start(spec: ChildSpec, output: int) -> _Started:
    process = subprocess.Popen(  # noqa: S603 - the command line is our own, no shell reads it
        spec.argv,
        env=dict(spec.environ),
        stdin=subprocess.PIPE if spec.stdin else subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        preexec_fn=partial(die_with_parent, os.getpid()),
    )
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError), process.stdin:  # a few hundred bytes fit into any pipe
            process.stdin.write(spec.stdin)
    return _Started(process)
