"""Servers and processes that tests kill with SIGKILL and start again."""

from __future__ import annotations

import multiprocessing
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from maskwatch.broker.connect import connect
from maskwatch.broker.events import EventLog
from maskwatch.embedded import find_server
from maskwatch.errors import QueueError
from maskwatch.service import Stop
from maskwatch.settings import parse_settings
from tests.support import free_port, wait_for

__all__ = ["RedisVictim", "Staff", "be_recorder"]

_START_S = 120.0
_PRELOADED = ["workers.recorder_process", "psycopg", "tests.e2e.killed_worker"]


class RedisVictim:
    """A server that is started again at the same address.

    Args:
        folder: of its file.
        keeps: whether it writes every change to its file before it answers, or keeps nothing.
    """

    def __init__(self, folder: Path, *, keeps: bool) -> None:
        self._folder = folder
        self._keeps = keeps
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start it and wait until it has read its file."""
        command = [str(find_server()), "--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        command += ["--save", "", "--appendonly", "yes" if self._keeps else "no", "--appendfsync", "always"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with connect(self.url) as client:
            wait_for(lambda: _answers(EventLog(client)), _START_S, "Redis to have read its file")

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def restart(self) -> None:
        """Kill it and start it again."""
        self.kill()
        self.start()


class Staff:
    """Processes that are killed and started again.

    They are forked from a server that has imported what they need, so that they live longer than they take to start.

    Args:
        jobs: what each of them does, with its arguments.
    """

    def __init__(self, jobs: Sequence[tuple[Callable[..., None], tuple[Any, ...]]]) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)
        self._jobs = jobs
        self._processes = [self._start(number) for number in range(len(jobs))]

    def restart(self, number: int) -> None:
        """Kill one and start it again."""
        self._end(number)
        self._processes[number] = self._start(number)

    def end(self) -> None:
        """Kill all of them."""
        for number in range(len(self._processes)):
            self._end(number)
        self._processes = []

    def _start(self, number: int) -> multiprocessing.process.BaseProcess:
        job, words = self._jobs[number]
        process = self._context.Process(target=job, args=words, daemon=True)
        process.start()
        return process

    def _end(self, number: int) -> None:
        process = self._processes[number]
        process.kill()
        process.join(10)
        process.close()


def be_recorder(config: str, name: str) -> None:
    """Record until killed.

    Args:
        config: the configuration's text.
        name: unique among the recorders.
    """
    from workers.recorder_process import run

    run(parse_settings(config, {}), name, Stop())


def _answers(log: EventLog) -> bool:
    try:
        log.backlog()
    except QueueError:
        return False
    return True
