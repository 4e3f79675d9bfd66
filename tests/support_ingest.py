"""Ingest processes for tests, and what Redis says of their cameras."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
import yaml

from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.connect import connect
from maskwatch.broker.counts import CameraCounts, Counts
from maskwatch.broker.messages import CameraView
from tests.support import ROOT, wait_for

__all__ = ["GENEROUS_S", "STOP_S", "Ingest", "ingest"]

GENEROUS_S = 60.0
"""For things that take a second or two on an idle machine."""
STOP_S = 15.0
"""Ten seconds are promised for the end of a process; on a busy machine it is over a little later."""


class Ingest:
    """One ingest process and what Redis says of its cameras."""

    def __init__(self, url: str, folder: Path, cameras: dict[str, object] | None, name: str = "one") -> None:
        self.client: redis.Redis = connect(url)
        self.book = CameraBook(self.client)
        self.config = folder / "cameras.yaml"
        if cameras is not None:
            self.configure(cameras)
        self.log = folder / f"{name}.log"
        environ = {"PATH": "/usr/bin:/bin", "MASKWATCH_REDIS__LIVE": url, "MASKWATCH_REDIS__DURABLE": url}
        command = [sys.executable, "-P", "-m", "maskwatch", "ingest", "--config", str(self.config), "--name", name]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=environ, cwd=ROOT, stderr=log)

    @property
    def said(self) -> str:
        return self.log.read_text()

    def configure(self, cameras: dict[str, object]) -> None:
        self.config.write_text(yaml.safe_dump({"defaults": {"fps": 5}, "cameras": cameras}))

    def view(self, camera: str) -> CameraView | None:
        return next((view for view in self.book.overview() if view.info.name == camera), None)

    def await_state(self, camera: str, state: str, deadline_s: float = GENEROUS_S) -> CameraView:
        def reached() -> CameraView | None:
            view = self.view(camera)
            return view if view is not None and view.state == state else None

        return wait_for(reached, deadline_s, f"{camera} is {state}; now {self.view(camera)}")

    def counts(self, camera: str) -> CameraCounts:
        return Counts.read(self.client).cameras[camera]

    def captured(self, camera: str) -> int:
        found = Counts.read(self.client).cameras.get(camera)
        return found.captured if found else 0

    def await_frames(self, camera: str, more: int, deadline_s: float = GENEROUS_S) -> None:
        goal = self.captured(camera) + more
        wait_for(lambda: self.captured(camera) >= goal, deadline_s, f"{more} more frames of {camera}")


@contextmanager
def ingest(url: str, folder: Path, cameras: dict[str, object] | None = None, name: str = "one") -> Iterator[Ingest]:
    """Run an ingest; without cameras it uses the folder's configuration as it is. It must end well on SIGTERM."""
    process = Ingest(url, folder, cameras, name)
    try:
        yield process
        if process.process.poll() is None:
            process.process.send_signal(signal.SIGTERM)
            assert process.process.wait(STOP_S) == 0
    finally:
        process.process.kill()
        process.process.wait(10)
        process.client.close()
