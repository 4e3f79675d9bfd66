"""One thread that reads, draws and encodes for all viewers, and sleeps while there are none."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import structlog

from maskwatch.backoff import Backoff
from maskwatch.broker.messages import CameraView, Shown
from maskwatch.errors import QueueError
from maskwatch.shedding import Shedding
from web.bus import Bus
from web.screens import Screens
from web.sight import Sight, describe, describe_shedding, no_broker, not_configured, sight_of, unheard_of
from web.watcher import Picture, Watcher

__all__ = ["Hub", "HubTimes"]


@dataclass(frozen=True, slots=True)
class HubTimes:
    """How often the hub does what, in seconds.

    Attributes:
        tick_s: between looks for new frames, while somebody watches.
        overview_s: between readings of all cameras' states.
        card_s: at least this long between two cards of one state, whose reasons may count seconds.
        frame_s: at least this long between two pictures of one camera; the inverse of `max_stream_fps`.
        retry_s: the first wait after Redis didn't answer; doubled up to `retry_cap_s`, with jitter.
        retry_cap_s: the longest such wait.
    """

    tick_s: float = 0.04
    overview_s: float = 0.25
    card_s: float = 2.0
    frame_s: float = 1 / 15
    retry_s: float = 0.25
    retry_cap_s: float = 2.0


@dataclass(slots=True)
class _Memory:
    """What is known since somebody began to watch; forgotten when nobody does."""

    screens: Screens
    views: dict[str, CameraView] = field(default_factory=dict)
    shedding: Shedding = field(default_factory=Shedding)
    overview: bytes | None = None
    overview_due_at: float = float("-inf")
    shown: dict[str, Shown] = field(default_factory=dict)
    lost: str = ""


class Hub:
    """Hands pictures and states to watchers.

    For the cameras that somebody watches it asks for new frames some 25 times a second, draws and encodes each once
    for every width in use, and gives the bytes to all who watch.

    Args:
        bus: where pictures and states come from.
        times: how often.
        clock: monotonic seconds.
        observe: told what a stage took: its name and seconds.
    """

    def __init__(
        self,
        bus: Bus,
        times: HubTimes | None = None,
        clock: Callable[[], float] = time.monotonic,
        observe: Callable[[str, float], None] = lambda _stage, _seconds: None,
    ) -> None:
        self._bus = bus
        self._times = times or HubTimes()
        self._clock = clock
        self._observe = observe
        self._log = structlog.get_logger()
        self._wake = threading.Condition()
        self._watchers: set[Watcher] = set()
        self._memory = _Memory(Screens(self._times.card_s))
        self._thread: threading.Thread | None = None
        self._closed = False
        self._heard_at = clock()
        self._failures = 0
        self._backoff = Backoff(self._times.retry_s, self._times.retry_cap_s)

    def start(self) -> None:
        """Start the thread; it sleeps until somebody watches."""
        with self._wake:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="hub", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End all watching and the thread; returns when it has ended, or after 5 s."""
        with self._wake:
            self._closed = True
            watchers = list(self._watchers)
            self._wake.notify()
        for watcher in watchers:
            watcher.close()
        if self._thread is not None:
            self._thread.join(5)

    def watch(self, cameras: Collection[str] | None, width: int = 0, *, wants_overview: bool = False) -> Watcher:
        """Begin to watch; close the watcher when done.

        Args:
            cameras: which; None means all there are, later ones too.
            width: of the pictures in pixels; 0 means as analysed.
            wants_overview: whether to be told about all cameras, too.

        Returns:
            A mailbox that fills from now on; a closed one when the hub is closed.
        """
        chosen = None if cameras is None else frozenset(cameras)
        watcher = Watcher(chosen, width, wants_overview, self._forget)
        with self._wake:
            is_closed = self._closed
            if not is_closed:
                self._greet(watcher)
                self._watchers.add(watcher)
                self._wake.notify()
        if is_closed:
            watcher.close()
        return watcher

    @property
    def silent_s(self) -> float:
        """Seconds since Redis last answered, or since the first watcher came; of use only to watchers."""
        return self._clock() - self._heard_at

    @property
    def watcher_count(self) -> int:
        """How many are watching."""
        return len(self._watchers)

    def step(self) -> float:
        """Do one round for everybody who watches.

        Whatever goes wrong is told to the watchers and logged, and the next round is tried: the thread never dies.

        Returns:
            Seconds to wait before the next round.
        """
        began = self._clock()
        try:
            self._round(began)
        except QueueError as error:
            return self._lose(str(error))
        except Exception as error:  # noqa: BLE001 - the thread's edge: one fault mustn't end everybody's streams
            self._log.exception("hub.failed")
            return self._lose(f"internal error ({type(error).__name__}); the site's log tells more")
        if self._failures:
            self._log.info("hub.recovered", failures=self._failures)
            self._failures = 0
            self._backoff.reset()
        self._heard_at = self._clock()
        return max(0.005, self._times.tick_s - (self._clock() - began))

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closed or self._watchers)
                if self._closed:
                    return
            pause_s = self.step()
            with self._wake:
                self._wake.wait_for(lambda: self._closed, pause_s)

    def _greet(self, watcher: Watcher) -> None:
        """Give a new watcher what others already see; the rest comes with the next round."""
        if not self._watchers:
            self._memory = _Memory(Screens(self._times.card_s))
            self._heard_at = self._clock()
            return
        if watcher.wants_overview and self._memory.overview is not None:
            watcher.put_overview(self._memory.overview)
        for picture in self._memory.screens.current(watcher.width):
            if watcher.wants(picture.camera):
                watcher.put(picture)

    def _forget(self, watcher: Watcher) -> None:
        with self._wake:
            self._watchers.discard(watcher)

    def _round(self, now: float) -> None:
        memory = self._memory
        if now >= memory.overview_due_at or memory.lost:
            memory.views = {view.info.name: view for view in self._bus.overview()}
            memory.shedding = self._bus.shedding()
            memory.overview_due_at = now + self._times.overview_s
            memory.lost = ""
            self._tell_overview(memory)
        wanted = self._wanted(memory)
        if not wanted:
            return
        changed = self._fetch_changed(memory, list(wanted), now)
        for camera, widths in wanted.items():
            view = memory.views.get(camera)
            sight = sight_of(view) if view else not_configured()
            self._show(memory, camera, widths, sight, now, is_new=camera in changed)
        memory.screens.keep_only(wanted)
        for camera in [name for name in memory.shown if name not in wanted]:
            del memory.shown[camera]

    def _wanted(self, memory: _Memory) -> dict[str, set[int]]:
        """Return the widths in use by camera."""
        wanted: dict[str, set[int]] = {}
        with self._wake:
            for watcher in self._watchers:
                for camera in memory.views if watcher.cameras is None else watcher.cameras:
                    wanted.setdefault(camera, set()).add(watcher.width)
        return wanted

    def _fetch_changed(self, memory: _Memory, cameras: list[str], now: float) -> set[str]:
        """Fetch the pictures that are newer than what is remembered, at most one per camera and `frame_s`."""
        # Half a tick early is near enough: waiting for the next one would make 12 frames a second of 15.
        before = now - self._times.frame_s + self._times.tick_s / 2
        ready = [camera for camera in cameras if memory.screens.frame_made_at(camera) <= before]
        versions = self._bus.versions(ready)
        changed = [
            camera
            for camera in ready
            if camera in versions and (camera not in memory.shown or memory.shown[camera].frame_id != versions[camera])
        ]
        if not changed:
            return set()
        began = self._clock()
        fetched = self._bus.fetch(changed)
        self._observe("fetch", self._clock() - began)
        memory.shown.update(fetched)
        return set(fetched)

    def _show(
        self, memory: _Memory, camera: str, widths: Collection[int], sight: Sight, now: float, *, is_new: bool
    ) -> None:
        """Draw what has changed for the viewers of one camera, and hand it out."""
        began = self._clock()
        pictures = memory.screens.refresh(camera, widths, sight, memory.shown.get(camera), now, is_new=is_new)
        if not pictures:
            return
        self._observe("draw", self._clock() - began)
        with self._wake:
            for watcher in self._watchers:
                picture: Picture | None = pictures.get(watcher.width)
                if picture is not None and watcher.wants(camera):
                    watcher.put(picture)

    def _tell_overview(self, memory: _Memory) -> None:
        message = {
            "kind": "overview",
            "redis": {"up": not memory.lost, "message": memory.lost},
            "shedding": describe_shedding(Shedding() if memory.lost else memory.shedding),
            "cameras": [
                describe(unheard_of(view), no_broker(memory.lost)) if memory.lost else describe(view, sight_of(view))
                for view in memory.views.values()
            ],
        }
        memory.overview = json.dumps(message, separators=(",", ":")).encode()
        with self._wake:
            for watcher in self._watchers:
                if watcher.wants_overview:
                    watcher.put_overview(memory.overview)

    def _lose(self, reason: str) -> float:
        """Tell every viewer that nothing is known now, and return how long to wait before the next try."""
        self._failures += 1
        if self._failures == 1:
            self._log.warning("hub.lost", error=reason)
        memory = self._memory
        memory.lost = reason
        try:
            self._tell_overview(memory)
            for camera, widths in self._wanted(memory).items():
                self._show(memory, camera, widths, no_broker(reason), self._clock(), is_new=False)
        except Exception:  # noqa: BLE001 - as in `step`; streams notice the silence by themselves
            self._log.exception("hub.failed")
        return self._backoff.next_s()
