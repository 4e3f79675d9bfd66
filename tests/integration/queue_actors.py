"""Producers and consumers that the process tests start, kill, freeze and resume; what they saw goes into files.

Each line of a file is one JSON object, written at once, so that a killed process leaves whole lines.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.connect import connect
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.messages import CameraInfo, Done, Hold, Offer, Taken, TakenKind
from maskwatch.types import CameraState, CameraStatus, FrameResult, FrameStatus

__all__ = ["Consumer", "Producer", "lines", "start"]


@dataclass(frozen=True)
class Producer:
    """An ingest process without cameras of its own making.

    Attributes:
        url: of the server.
        log: file for what happened.
        name: of the ingest.
        cameras: which it wants to hold, all the time.
        fps: frames a second of each.
        hold_ms: duration of a hold.
        clock_off_s: how wrong its wall clock is.
    """

    url: str
    log: Path
    name: str
    cameras: Sequence[str]
    fps: float = 50.0
    hold_ms: int = 5000
    clock_off_s: float = 0.0

    def run(self) -> None:
        _wrong_clock(self.clock_off_s)
        stopped = _on_sigterm()
        with connect(self.url) as client:
            book, queue = CameraBook(client, hold_ms=self.hold_ms), FrameQueue(client)
            holds: dict[str, Hold] = {}
            kept_at = float("-inf")
            number = 0
            while not stopped():
                if time.monotonic() - kept_at > 0.2:
                    kept_at = time.monotonic()
                    self._keep(book, holds)
                for camera, hold in list(holds.items()):
                    number += 1
                    jpeg = f"{camera} {number} ".encode().ljust(4000, b".")
                    frame = Offer(camera, hold.epoch, f"{self.name}-{number}", jpeg, (64, 48), 0.01, number / self.fps)
                    _write(self.log, camera=camera, number=number, offer=queue.offer(frame).value)
                time.sleep(1 / self.fps)

    def _keep(self, book: CameraBook, holds: dict[str, Hold]) -> None:
        book.register([CameraInfo(camera) for camera in self.cameras])
        held = list(holds.values())
        for hold, kept in zip(held, book.renew(held), strict=True):
            if not kept:
                del holds[hold.camera]
                _write(self.log, lost=hold.camera)
        for camera in self.cameras:
            if camera not in holds and (taken := book.hold(camera, self.name)) is not None:
                holds[camera] = taken
        for hold in holds.values():
            book.publish(hold, CameraStatus(CameraState.LIVE, packet_age_s=0.0, holder=self.name))


@dataclass(frozen=True)
class Consumer:
    """A worker process without networks.

    Attributes:
        url: of the server.
        log: file for what happened.
        lease_ms: duration of a lease.
        batch: most turns to take.
        work_s: how long a batch takes.
        poison: camera whose frames kill it.
        clock_off_s: how wrong its wall clock is.
    """

    url: str
    log: Path
    lease_ms: int = 400
    batch: int = 4
    work_s: float = 0.01
    poison: str = ""
    clock_off_s: float = 0.0

    def run(self) -> None:
        _wrong_clock(self.clock_off_s)
        stopped = _on_sigterm()
        with connect(self.url, blocking=True) as client:
            queue = FrameQueue(client, lease_ms=self.lease_ms)
            while not stopped():
                taken = queue.take(self.batch, wait_s=0.3)
                taken_at = time.monotonic()
                if any(one.camera == self.poison for one in taken):
                    os.kill(os.getpid(), signal.SIGKILL)
                for one in taken:
                    self._check(one)
                time.sleep(self.work_s if taken else 0)
                said = FrameResult(FrameStatus.OK)
                items = [Done(one.camera, one.epoch, one.token, said, _state(one)) for one in taken]
                for one, answer in zip(taken, queue.done(items), strict=True):
                    _write(
                        self.log,
                        camera=one.camera,
                        epoch=one.epoch,
                        media=one.media_time_s,
                        age=one.age_s,
                        at=taken_at,
                        done=answer.value,
                        alone=one.alone,
                    )

    def _check(self, taken: Taken) -> None:
        """Write down what must never happen: a wrong picture, or a frame older than the one the state knows."""
        if taken.kind is not TakenKind.FRAME:
            return
        number = taken.frame_id.rpartition("-")[2]
        if not taken.jpeg.startswith(f"{taken.camera} {number} ".encode()):
            _write(self.log, wrong=f"picture {taken.jpeg[:20]!r} of {taken.frame_id}")
        epoch, _, media = taken.state.decode().partition(" ")
        if epoch == taken.epoch and float(media) >= taken.media_time_s:
            _write(self.log, wrong=f"{taken.camera}: {taken.media_time_s} after {media}")


def start(actor: Producer | Consumer) -> SpawnProcess:
    """Start an actor as a process of its own, which doesn't outlive the tests."""
    process = multiprocessing.get_context("spawn").Process(target=actor.run, daemon=True)
    process.start()
    return process


def lines(log: Path) -> list[dict[str, Any]]:
    """Read what an actor wrote so far."""
    if not log.exists():
        return []
    return [json.loads(line) for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]


def _state(taken: Taken) -> bytes:
    return f"{taken.epoch} {taken.media_time_s}".encode() if taken.kind is TakenKind.FRAME else b""


def _write(log: Path, **fields: object) -> None:
    with log.open("ab", buffering=0) as file:
        file.write(json.dumps(fields).encode() + b"\n")


def _wrong_clock(off_s: float) -> None:
    """Let this process believe that it is another time of day; what it measures durations with goes on as it was."""
    right = time.time
    time.time = lambda: right() + off_s


def _on_sigterm() -> Callable[[], bool]:
    signals: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: signals.append(number))
    return lambda: bool(signals)
