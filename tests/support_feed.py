"""Cameras without cameras: pictures and results go through the real queue, as if ingest and a worker were there."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import redis

from maskwatch.arrays import UInt8Array
from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.messages import CameraInfo, Done, Hold, Offer, ProcessInfo
from maskwatch.broker.processes import ProcessBook
from maskwatch.types import (
    LABELS,
    CameraState,
    CameraStatus,
    FrameResult,
    FrameStatus,
    MaskLabel,
    Person,
    Verdict,
)

__all__ = ["Feeder", "picture", "result_with"]

_SIZE_WH = (640, 360)
_PHASES = 16


def picture(phase: int, tint: int = 0, size_wh: tuple[int, int] = _SIZE_WH) -> UInt8Array:
    """Return a room-like picture in which something moves with `phase`; (H, W, 3) uint8 BGR."""
    width, height = size_wh
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    base = 70 + 60 * y / height + 25 * np.sin(x / 41 + tint) + 12 * np.sin(y / 17 + 2 * tint)
    image = np.stack([base * (0.8 + 0.1 * (tint % 3)), base * 0.95, base * (0.85 + 0.08 * (tint % 4))], axis=-1)
    frame_bgr: UInt8Array = np.clip(image, 0, 255).astype(np.uint8)
    at = (round(width * (0.25 + 0.5 * _sway(phase))), round(height * 0.62))
    cv2.ellipse(frame_bgr, (at[0], height), (width // 7, height // 3), 0, 180, 360, (92, 66, 48), cv2.FILLED)
    cv2.circle(frame_bgr, at, height // 7, (150, 175, 215), cv2.FILLED)
    return frame_bgr


def result_with(verdict: Verdict, phase: int = 0, *, seen: bool = True) -> FrameResult:
    """Return a result with one person where `picture` draws one."""
    label = MaskLabel(verdict.value) if verdict is not Verdict.UNKNOWN else None
    probabilities = tuple(0.96 if each is label else 0.02 for each in LABELS) if label else ()
    left = 0.25 + 0.5 * _sway(phase) - 0.09
    person = Person(1, (left, 0.44, left + 0.18, 0.82), 0.9, label, probabilities, verdict, seen)
    return FrameResult(FrameStatus.OK, _SIZE_WH, (person,), model="test 1")


def _sway(phase: int) -> float:
    return 0.5 + 0.5 * math.sin(2 * math.pi * phase / _PHASES)


@dataclass(slots=True)
class _Fed:
    hold: Hold
    frames: list[bytes]
    verdict: Verdict
    status: CameraStatus
    is_fed: bool = True


class Feeder:
    """Plays ingest and worker for some cameras, in a thread of its own.

    Args:
        client: of the live Redis.
        names: of the cameras.
        fps: pictures a second of each.
    """

    def __init__(self, client: redis.Redis, names: Sequence[str], fps: float = 5.0) -> None:
        self._book = CameraBook(client, hold_ms=60_000)  # a busy machine may stop this thread for seconds
        self._processes = ProcessBook(client)
        self._queue = FrameQueue(client)
        self._fps = fps
        self._infos = [CameraInfo(name, f"test://{name}", fps=fps) for name in names]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)
        self.errors: list[BaseException] = []
        self._book.register(self._infos)
        self._fed: dict[str, _Fed] = {}
        verdicts = [Verdict.WITH_MASK, Verdict.WITHOUT_MASK, Verdict.INCORRECT_MASK, Verdict.UNKNOWN, Verdict.WITH_MASK]
        for number, name in enumerate(names):
            hold = self._book.hold(name, "feeder")
            assert hold is not None
            frames = [_jpeg(picture(phase, number)) for phase in range(_PHASES)]
            status = CameraStatus(
                CameraState.LIVE, since_utc=time.time(), captured_fps=fps, size_wh=_SIZE_WH, holder="feeder"
            )
            self._fed[name] = _Fed(hold, frames, verdicts[number % len(verdicts)], status)

    def start(self) -> Feeder:
        """Begin to feed."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End feeding; raises what went wrong in the meantime."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10)
        if self.errors:
            raise self.errors[0]

    def lose(self, name: str, state: CameraState = CameraState.OFFLINE, reason: str = "connection refused") -> None:
        """Stop feeding a camera and say that it is lost."""
        fed = self._fed[name]
        fed.status = CameraStatus(state, reason, time.time(), None, 0.0, 3, _SIZE_WH, "feeder")
        fed.is_fed = False

    def freeze(self, name: str) -> None:
        """Feed no frame any more, while packets go on: a still scene."""
        self._fed[name].is_fed = False

    def _run(self) -> None:
        try:
            self._feed()
        except BaseException as error:  # noqa: BLE001 - the thread's edge; `stop` raises it in the test
            self.errors.append(error)

    def _feed(self) -> None:
        tick = 0
        spoken_at = float("-inf")
        due_at = time.monotonic()
        while not self._stop.is_set():
            if time.monotonic() - spoken_at >= 1:
                spoken_at = time.monotonic()
                self._speak()
            self._feed_once(tick)
            tick += 1
            due_at = max(due_at + 1 / self._fps, time.monotonic() - 1)
            self._stop.wait(max(0.0, due_at - time.monotonic()))

    def _speak(self) -> None:
        self._book.register(self._infos)
        self._book.heartbeat("feeder")
        self._book.renew([fed.hold for fed in self._fed.values()])
        for fed in self._fed.values():
            status = fed.status
            if status.state is CameraState.LIVE:
                status = CameraStatus(
                    status.state,
                    "",
                    status.since_utc,
                    0.01,
                    self._fps,
                    0,
                    status.size_wh,
                    status.holder,
                    is_still=not fed.is_fed,
                )
            self._book.publish(fed.hold, status)
        self._processes.register(ProcessInfo("ingest", "feeder", "127.0.0.1:9001", "test"))
        self._processes.register(ProcessInfo("worker", "feeder", "127.0.0.1:9002", "test", "litert"))

    def _feed_once(self, tick: int) -> None:
        for number, (name, fed) in enumerate(self._fed.items()):
            if fed.is_fed:
                jpeg = fed.frames[(tick + number) % _PHASES]
                self._queue.offer(Offer(name, fed.hold.epoch, f"feed-{tick}-{number}", jpeg, _SIZE_WH, 0.0, tick / 5))
        taken = self._queue.take(len(self._fed), 0)
        done = []
        for item in taken:
            number = list(self._fed).index(item.camera)
            result = FrameResult(FrameStatus.OK)
            if item.jpeg:
                result = result_with(self._fed[item.camera].verdict, (tick + number) % _PHASES)
            done.append(Done(item.camera, item.epoch, item.token, result, b""))
        self._queue.done(done)


def _jpeg(frame_bgr: UInt8Array) -> bytes:
    done, data = cv2.imencode(".jpg", frame_bgr, [cv2.IMWRITE_JPEG_QUALITY, 80])
    assert done
    return data.tobytes()
