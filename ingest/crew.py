"""The cameras that this ingest holds: taken, given back, changed, renewed, published."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import structlog

from ingest.camera import Camera
from ingest.holding import plan
from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.messages import CameraInfo, Hold
from maskwatch.errors import QueueError
from maskwatch.settings import CameraSettings, Settings
from maskwatch.types import CameraState

__all__ = ["Crew"]

_LOST_S = 10.0
"""Without a frame: then the people that were in front of the camera are counted as gone."""

_RECLAIM_S = 6.0
"""After the start: what the book has under this name by then is of the process that was killed before."""

_RENEW_S = 1.0
"""While sources close; a hold lasts for 5 s."""

_TUNABLE = frozenset({"width", "fps", "motion", "detector", "profile", "on", "timeout_s", "zones", "rules", "privacy"})
"""Settings that take effect without opening the source again."""

Hire = Callable[[Hold, CameraSettings], Camera]


class Crew:
    """Cameras of one ingest process; used by its supervising thread alone.

    Methods that speak to Redis raise `QueueError`; what they left undone is done by the next call.
    """

    def __init__(self, name: str, settings: Settings, book: CameraBook, hire: Hire) -> None:
        """Begin with no camera.

        Args:
            name: of this ingest.
            settings: whose cameras are shared among the ingest processes.
            book: of cameras.
            hire: makes the camera of a hold and lets it begin.
        """
        self._name = name
        self._settings = settings
        self._book = book
        self._hire = hire
        self._cameras: dict[str, Camera] = {}
        self._closing: dict[str, Camera] = {}
        self._reopen: set[str] = set()
        self._to_retire: set[str] = set()
        self._has_looked_for_leftovers = False
        self._reclaim_until_s = 0.0
        self._published: dict[str, int] = {}
        self._ended: dict[str, float] = {}
        self._fps_factor = 1.0
        self._log = structlog.get_logger()

    @property
    def names(self) -> list[str]:
        """Names of the cameras that are read now."""
        return sorted(self._cameras)

    @property
    def crashes(self) -> int:
        """How often readers of the present cameras broke unexpectedly."""
        return sum(camera.crashes for camera in self._all())

    @property
    def closings(self) -> int:
        """How often the present cameras closed their sources; it changes with each of them, and when one goes."""
        return sum(camera.closings for camera in self._all())

    def apply(self, settings: Settings) -> None:
        """Take over another configuration; cameras that are the same in it aren't touched."""
        before, self._settings = self._settings.cameras, settings
        self._to_retire |= before.keys() - settings.cameras.keys()
        self._to_retire -= settings.cameras.keys()
        for name, camera in list(self._cameras.items()):
            wanted = settings.cameras.get(name)
            if wanted is None or not wanted.enabled:
                self._close(name)
                continue
            differs = _difference(camera.settings, wanted)
            if differs - _TUNABLE:
                self._close(name, reopen=True)
            elif differs:
                camera.retune(wanted)

    def shed(self, fps_factor: float) -> None:
        """Let every camera offer this share of its frames from now on, those included that are taken later."""
        self._fps_factor = fps_factor
        for camera in self._all():
            camera.shed(fps_factor)

    def watch(self) -> None:
        """Notice stalls, and threads that have closed their source; no Redis needed."""
        for camera in self._cameras.values():
            camera.watch()

    def step(self) -> None:
        """Say at once what changed, and go on with what is being closed; called several times a second.

        Raises:
            QueueError: if Redis can't be reached or answers an error.
        """
        for camera in self._cameras.values():
            if self._published.get(camera.name) != camera.machine.standing.number:
                self._publish(camera)
            self._end_if_lost(camera)
        for name, camera in list(self._closing.items()):
            if not camera.is_alive:
                self._finish_closing(name, camera)

    def cycle(self) -> None:
        """Register, renew, share out, publish; called about once a second.

        Raises:
            QueueError: if Redis can't be reached or answers an error.
        """
        self._retire()
        self._book.register([_info(name, camera) for name, camera in self._settings.cameras.items()])
        living = self._book.heartbeat(self._name)
        self._renew()
        self._share_out(living)
        for camera in self._all():
            self._publish(camera)

    def close_sources(self, give_up_s: float) -> bool:
        """Close every source; the cameras are held on to as long as Redis answers.

        Args:
            give_up_s: how long to wait for them.

        Returns:
            Whether every thread has ended.
        """
        for camera in self._all():
            camera.request_stop()
        now_s = time.monotonic()
        ends_s, renew_at_s = now_s + give_up_s, now_s + _RENEW_S
        while any(camera.is_alive for camera in self._all()) and (now_s := time.monotonic()) < ends_s:
            if now_s >= renew_at_s:
                renew_at_s = now_s + _RENEW_S if self._has_renewed() else math.inf
            time.sleep(0.05)
        return not any(camera.is_alive for camera in self._all())

    def give_back(self) -> None:
        """Give every camera back, even one whose source still hangs, and take leave of the other ingest processes.

        Raises:
            QueueError: if Redis can't be reached or answers an error; the holds run out by themselves then.
        """
        for camera in self._all():
            self._book.release(camera.hold)
        self._book.leave(self._name)

    def _all(self) -> list[Camera]:
        return [*self._cameras.values(), *self._closing.values()]

    def _has_renewed(self) -> bool:
        try:
            self._renew()
        except QueueError:
            return False
        return True

    def _share_out(self, living: Sequence[str]) -> None:
        wanted = {name: camera.on for name, camera in self._settings.cameras.items() if camera.enabled}
        mine = self._cameras.keys() | self._closing.keys()
        now_s = time.monotonic()
        self._reclaim_until_s = self._reclaim_until_s or now_s + _RECLAIM_S
        shares = plan(self._name, living, wanted, self._book.holders(), mine, reclaim=now_s < self._reclaim_until_s)
        for name in shares.give:
            if name in self._cameras:
                self._log.info("camera.given", camera=name)
                self._close(name)
        for name in shares.take:
            hold = self._book.hold(name, self._name)
            if hold is not None:
                self._log.info("camera.taken", camera=name)
                self._begin(hold)

    def _begin(self, hold: Hold) -> None:
        self._published.pop(hold.camera, None)
        camera = self._hire(hold, self._settings.cameras[hold.camera])
        camera.shed(self._fps_factor)
        self._cameras[hold.camera] = camera

    def _close(self, name: str, *, reopen: bool = False) -> None:
        """Ask a camera to close its source; its hold is kept until that is done."""
        camera = self._cameras.pop(name)
        camera.request_stop()
        self._closing[name] = camera
        if reopen:
            self._reopen.add(name)
        else:
            self._reopen.discard(name)

    def _finish_closing(self, name: str, camera: Camera) -> None:
        wanted = self._settings.cameras.get(name)
        if name not in self._reopen or wanted is None or not wanted.enabled:
            self._book.release(camera.hold)
        else:
            # Another picture, or the same film from its start: tracks can't go on, and times begin anew.
            hold = self._book.new_epoch(camera.hold)
            if hold is not None:
                self._log.info("camera.reopened", camera=name)
                self._begin(hold)
        self._reopen.discard(name)
        del self._closing[name]

    def _renew(self) -> None:
        """Prolong the holds; one that is lost is taken again under a new epoch, or its source closed."""
        cameras = self._all()
        holds = [camera.hold for camera in cameras]
        lost = [
            camera
            for camera, hold, is_held in zip(cameras, holds, self._book.renew(holds), strict=True)
            if not is_held and not camera.is_changing_epoch and camera.hold == hold and camera.name in self._cameras
        ]
        holders = self._book.holders() if lost else {}
        for camera in lost:
            holder = holders.get(camera.name)
            again = None
            if holder is None and camera.name in self._settings.cameras:
                again = self._book.hold(camera.name, self._name)
            self._log.warning("camera.hold_lost", camera=camera.name, regained=again is not None, holder=holder or "")
            if holder == self._name:
                self._reclaim_until_s = time.monotonic()
                self._log.error("ingest.name_taken", name=holder, advice="give each ingest a --name of its own")
            if again is not None:
                camera.adopt(again)
                self._published.pop(camera.name, None)
            else:
                self._close(camera.name)

    def _publish(self, camera: Camera) -> None:
        number = camera.machine.standing.number
        if self._book.publish(camera.hold, camera.status()):
            self._published[camera.name] = number

    def _end_if_lost(self, camera: Camera) -> None:
        """Have tracks closed once a film has ended or a source has been lost for a while."""
        last_at_s, state = camera.last_due_s, camera.machine.state
        if last_at_s is None or state is CameraState.LIVE or self._ended.get(camera.name) == last_at_s:
            return
        if state is CameraState.ENDED or time.monotonic() - last_at_s >= _LOST_S:
            self._book.end(camera.hold)
            self._ended[camera.name] = last_at_s

    def _retire(self) -> None:
        """Take out cameras that left the configuration, also while no ingest ran."""
        if not self._has_looked_for_leftovers:
            holders = self._book.holders()
            known = self._book.configured().keys() - self._settings.cameras.keys()
            self._to_retire |= {name for name in known if name not in holders}
            self._has_looked_for_leftovers = True
        for name in sorted(self._to_retire):
            self._book.retire(name)
            self._to_retire.discard(name)
            self._log.info("camera.retired", camera=name)


def _difference(before: CameraSettings, after: CameraSettings) -> set[str]:
    return {key for key in CameraSettings.model_fields if getattr(before, key) != getattr(after, key)}


def _info(name: str, camera: CameraSettings) -> CameraInfo:
    return CameraInfo(
        name=name,
        source=camera.shown_source,
        enabled=camera.enabled,
        fps=camera.fps,
        width=camera.width,
        detector=camera.detector,
        profile=camera.profile,
        on=camera.on,
        snapshots=camera.privacy.snapshots,
        stream=camera.privacy.stream,
        zones=camera.zone_values,
        rules=camera.rule_values,
    )
