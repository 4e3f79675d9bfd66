"""A queue that says what a test tells it to, for the site's unit tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2

from maskwatch.arrays import UInt8Array
from maskwatch.broker.counts import CameraCounts, CountsSnapshot, Distribution, Histogram, Totals
from maskwatch.broker.events import Backlog
from maskwatch.broker.messages import CameraInfo, CameraView, ProcessInfo, Shown
from maskwatch.errors import BrokerDown
from maskwatch.shedding import Shedding
from maskwatch.types import (
    CameraState,
    CameraStatus,
    DropReason,
    EventKind,
    FrameResult,
    FrameStatus,
    MaskLabel,
    Verdict,
)

__all__ = ["FakeBus", "FakeClock", "camera_counts", "camera_view", "jpeg_of"]


class FakeClock:
    """Monotonic seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class FakeBus:
    """Answers from its attributes; `down` makes every answer a `BrokerDown`, `broken` an error of programming."""

    def __init__(self, views: Sequence[CameraView] = ()) -> None:
        self.views = {view.info.name: view for view in views}
        self.shown: dict[str, Shown] = {}
        self.held: dict[str, str] = {view.info.name: "ingest-1" for view in views}
        self.alive = [ProcessInfo("ingest", "ingest-1", "127.0.0.1:9001"), ProcessInfo("worker", "worker-1")]
        self.counted: dict[str, CameraCounts] = {view.info.name: camera_counts() for view in views}
        self.waiting = Backlog(3, 0.2, 100_000)
        self.level = 0
        self.down = False
        self.durable_down = False
        self.broken = False
        self.calls: list[str] = []
        self.fetched: list[str] = []

    def _called(self, what: str) -> None:
        self.calls.append(what)
        if self.down:
            raise BrokerDown("Redis at localhost:6379 can't be reached")
        if self.broken:
            raise RuntimeError("a bug")

    def show(self, camera: str, frame_id: str, image_bgr: UInt8Array, result: FrameResult | None = None) -> None:
        """Make a picture the newest analysed one."""
        height, width = image_bgr.shape[:2]
        result = result or FrameResult(FrameStatus.OK, (width, height))
        self.shown[camera] = Shown(camera, frame_id, jpeg_of(image_bgr), (width, height), result, 0.1)

    def change(self, camera: str, **changes: object) -> None:
        """Change fields of a camera's view."""
        self.views[camera] = replace(self.views[camera], **changes)  # type: ignore[arg-type]  # names are checked at run time

    def overview(self) -> list[CameraView]:
        """Return the views."""
        self._called("overview")
        return [self.views[name] for name in sorted(self.views)]

    def versions(self, cameras: Sequence[str]) -> dict[str, str]:
        """Return the ids of the pictures."""
        self._called("versions")
        return {name: self.shown[name].frame_id for name in cameras if name in self.shown}

    def fetch(self, cameras: Sequence[str]) -> dict[str, Shown]:
        """Return the pictures."""
        self._called("fetch")
        self.fetched += cameras
        return {name: self.shown[name] for name in cameras if name in self.shown}

    def holders(self) -> Mapping[str, str]:
        """Return the holders."""
        self._called("holders")
        return self.held

    def counts(self) -> CountsSnapshot:
        """Return the counters."""
        self._called("counts")
        histogram = Histogram((0.1, 1.0), (3, 2, 1), 4.5)
        confidence = {label.value: Distribution((0.5, 0.9), (1, 2, 3), 5.1) for label in MaskLabel}
        return CountsSnapshot(self.counted, histogram, histogram, Totals(0, 0, {}, {}, {}, {}), confidence)

    def processes(self) -> list[ProcessInfo]:
        """Return the processes."""
        self._called("processes")
        return self.alive

    def backlog(self) -> Backlog:
        """Return what waits for a recorder."""
        self._called("backlog")
        if self.durable_down:
            raise BrokerDown("Redis at localhost:6380 can't be reached")
        return self.waiting

    def shedding(self) -> Shedding:
        """Return the level."""
        self._called("shedding")
        return Shedding(self.level)


def camera_view(name: str = "lobby", state: CameraState = CameraState.LIVE, **changes: object) -> CameraView:
    """Return the view of a camera that is well."""
    view = CameraView(
        info=CameraInfo(name, "rtsp://***@10.0.0.5/stream2"),
        state=state,
        reason="",
        status=CameraStatus(state, packet_age_s=0.1, captured_fps=5.0, size_wh=(640, 360), holder="ingest-1"),
        packet_age_s=0.1,
        frame_age_s=0.2,
        analysed_fps=5.0,
        people={verdict.value: 0 for verdict in Verdict},
    )
    return replace(view, **changes)  # type: ignore[arg-type]  # names are checked at run time


def camera_counts() -> CameraCounts:
    """Return counters that balance."""
    return CameraCounts(
        captured=10,
        analysed=7,
        dropped={reason.value: 2 if reason is DropReason.REPLACED else 0 for reason in DropReason},
        faces={label.value: 4 for label in MaskLabel},
        people={verdict.value: 1 for verdict in Verdict},
        events={kind.value: 0 for kind in EventKind},
        present={verdict.value: 0 for verdict in Verdict},
        waiting=1,
        in_flight=0,
    )


def jpeg_of(image_bgr: UInt8Array) -> bytes:
    """Encode a picture."""
    done, data = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, 90])
    assert done
    return data.tobytes()
