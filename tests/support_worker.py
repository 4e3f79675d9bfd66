"""Starting real worker processes for tests, and faces to give them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import redis

from maskwatch.arrays import UInt8Array
from maskwatch.broker.processes import ProcessBook
from maskwatch.errors import ModelError
from models.classifier import DEFAULT_CLASSIFIER
from models.registry import Registry
from tests.support import ROOT, wait_for

__all__ = [
    "WorkerProcess",
    "astronaut_bgr",
    "moving_face",
    "registered",
    "require_shipped_models",
    "rss_mb",
    "started_worker",
]


def require_shipped_models() -> None:
    """Fail with the registry's own words when a model that is shipped isn't there."""
    try:
        Registry().get(DEFAULT_CLASSIFIER)
    except ModelError as error:
        pytest.fail(str(error))


@cache
def _astronaut() -> UInt8Array:
    from skimage import data

    return np.ascontiguousarray(
        np.asarray(data.astronaut(), np.uint8)[..., ::-1]  # type: ignore[no-untyped-call]
    )


def astronaut_bgr() -> UInt8Array:
    """The photograph of one bare face that scikit-image brings along, (512, 512, 3); a copy."""
    return _astronaut().copy()


def moving_face(number: int, size_wh: tuple[int, int] = (640, 360)) -> UInt8Array:
    """A frame in which the astronaut stands, a little further right in each."""
    width, height = size_wh
    frame = np.full((height, width, 3), 90, np.uint8)
    person = cv2.resize(astronaut_bgr(), (height, height), interpolation=cv2.INTER_AREA)
    left = 20 + 4 * number % (width - height - 20)
    frame[:, left : left + height] = person
    return frame


class WorkerProcess:
    """A `maskwatch worker` that runs."""

    def __init__(self, process: subprocess.Popen[bytes], name: str, log: Path) -> None:
        self.process = process
        self.name = name
        self._log = log

    @property
    def log(self) -> str:
        """What it has logged."""
        return self._log.read_text(errors="replace")

    def is_ready(self) -> bool:
        """Whether it has said that it is; fails at once when it has ended."""
        assert self.process.poll() is None, f"the worker ended with {self.process.returncode}:\n{self.log}"
        return "worker.ready" in self.log

    def stop(self, within_s: float = 10.0) -> int:
        """Ask it to end and return its exit code; fails when it takes longer."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within_s)


@contextmanager
def started_worker(
    url: str, folder: Path, name: str = "one", words: Sequence[str] = (), *, ready_within_s: float = 120.0
) -> Iterator[WorkerProcess]:
    """Start a worker, wait until it is ready, and make sure it is gone afterwards.

    Args:
        url: of Redis, for both servers.
        folder: for its log.
        name: unique.
        words: further ones for the command line.
        ready_within_s: deadline.
    """
    environ = {**os.environ, "MASKWATCH_REDIS__LIVE": url, "MASKWATCH_REDIS__DURABLE": url}
    # On a busy machine a frame may well be older than a live picture should be.
    environ.setdefault("MASKWATCH_WORKER__STALE_AFTER_S", "60")
    path = folder / f"worker-{name}.log"
    with path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "maskwatch", "worker", "--name", name, *words],
            cwd=ROOT, env=environ, stdout=log, stderr=log,
        )  # fmt: skip
    worker = WorkerProcess(process, name, path)
    try:
        wait_for(worker.is_ready, ready_within_s, f"worker {name} is ready")
        yield worker
    finally:
        process.kill()
        process.wait(10)


def registered(client: redis.Redis) -> set[str]:
    """Names of the workers that are alive."""
    return {info.name for info in ProcessBook(client).list("worker")}


def rss_mb(process: subprocess.Popen[bytes]) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"process {process.pid} has no VmRSS; it has ended")
