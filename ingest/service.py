"""The ingest process: settings -> connections -> loop."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import structlog
from prometheus_client import Counter, Gauge

from ingest.camera import Camera
from ingest.crew import Crew
from ingest.sender import Sender
from ingest.watch import ConfigWatch
from maskwatch.backoff import Backoff
from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.connect import connect
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.messages import Hold, ProcessInfo
from maskwatch.broker.outbox import Outbox
from maskwatch.broker.processes import ProcessBook
from maskwatch.broker.shedding import SheddingBook
from maskwatch.errors import BrokerDown, ConfigError, QueueError
from maskwatch.media import open_source
from maskwatch.memory import give_back_freed_memory
from maskwatch.metrics import ProcessMetrics
from maskwatch.options import settings_from
from maskwatch.service import Stop
from maskwatch.settings import CameraSettings, Settings
from maskwatch.shedding import Shedding

__all__ = ["Service", "run"]

_TICK_S = 0.2
_CYCLE_S = 1.0
_REGISTER_S = 3.0
_TIDY_S = 5.0
_CLOSE_S = 6.0
"""Of the 10 s within which the process ends on SIGTERM; the rest is for Redis."""
_FIXED = ("redis", "metrics", "log", "state_dir")


def run(settings: Settings, config_path: Path | None, name: str, stop: Stop) -> bool:
    """Read cameras until asked to stop.

    Args:
        settings: of this process.
        config_path: the file to watch for edits, or None.
        name: of this process, unique among all ingest processes.
        stop: tells when to end.

    Returns:
        Whether every reader's thread has ended; if not, the process should end without waiting for it.

    Raises:
        ConfigError: if no Redis is configured, or the metrics' address is taken.
        QueueError: if the address of Redis can't be understood.
    """
    service = Service(settings, config_path, name)
    log = structlog.get_logger()
    log.info("ingest.started", name=name, cameras=len(settings.cameras))
    while not stop.wait(_TICK_S):
        service.tick()
    is_clean = service.close()
    log.info("ingest.stopped", name=name)
    return is_clean


class Service:
    """Everything of one ingest process; `tick` is to be called several times a second."""

    def __init__(self, settings: Settings, config_path: Path | None, name: str) -> None:
        """Connect; arguments and errors as `run`."""
        self._name = name
        self._settings = settings
        self._client = connect(settings.require_redis().live.get_secret_value())
        self._metrics = ProcessMetrics("ingest")
        self._invalid_edits = Counter(
            "maskwatch_config_invalid_edits",
            "Edits of the configuration that were refused",
            registry=self._metrics.registry,
        )
        self._is_invalid = Gauge(
            "maskwatch_config_invalid",
            "1 while the file isn't the running configuration",
            registry=self._metrics.registry,
        )
        self._crashes = Gauge(
            "maskwatch_camera_crashes", "Unexpected failures of the readers held now", registry=self._metrics.registry
        )
        self._book = CameraBook(self._client)
        self._processes = ProcessBook(self._client)
        self._levels = SheddingBook(self._client)
        self._shedding = Shedding()
        self._info = ProcessInfo("ingest", name, self._metrics.serve(settings.metrics), socket.gethostname())
        self._outbox = Outbox(FrameQueue(self._client))
        self._crew = Crew(name, settings, self._book, self._hire)
        self._watch = ConfigWatch(config_path, lambda: settings_from(config_path))
        self._backoff = Backoff(0.25, 2.0)
        self._broker_is_down = False
        self._cycle_at_s = self._register_at_s = self._look_at_s = self._tidy_at_s = self._try_at_s = 0.0
        self._closings = 0
        self._log = structlog.get_logger()

    def tick(self) -> None:
        """Do what is due; reading goes on in the cameras' threads whatever happens here."""
        now_s = time.monotonic()
        self._metrics.pulse.beat()
        self._crew.watch()
        if now_s >= self._look_at_s:
            self._look_at_s = now_s + _CYCLE_S
            self._look_at_config()
        if now_s >= self._tidy_at_s:
            self._tidy_at_s = now_s + _TIDY_S
            self._tidy()
        if now_s < self._try_at_s:
            return
        try:
            self._speak(now_s)
        except QueueError as error:
            self._suffer(error)
        else:
            self._recover()

    def close(self) -> bool:
        """Close the sources and give the cameras back; as `run` returns.

        A Redis that is silent is asked once at most: each question takes seconds then, and there are ten for all.
        """
        is_clean = self._crew.close_sources(_CLOSE_S)
        if not self._broker_is_down:
            try:
                self._crew.give_back()
                self._processes.leave(self._info)
            except QueueError as error:
                self._log.warning("broker.unreachable_at_end", error=str(error))
        self._client.close()
        return is_clean

    def _tidy(self) -> None:
        """Give back to the kernel what sources that were closed have left behind."""
        closings = self._crew.closings
        if closings != self._closings:
            self._closings = closings
            give_back_freed_memory()

    def _speak(self, now_s: float) -> None:
        """Everything that needs Redis.

        Raises:
            QueueError: if it can't be reached or answers an error.
        """
        if now_s >= self._cycle_at_s:
            self._give_way()
            self._crew.cycle()
            self._cycle_at_s = now_s + _CYCLE_S
        self._crew.step()
        if now_s >= self._register_at_s:
            self._processes.register(self._info)
            self._register_at_s = now_s + _REGISTER_S
            self._crashes.set(self._crew.crashes)

    def _give_way(self) -> None:
        """Do what the level of shedding asks of ingest.

        Raises:
            QueueError: if Redis can't be reached or answers an error.
        """
        shedding = Shedding(self._levels.level() if self._settings.shedding.enabled else 0)
        if shedding.fps_factor != self._shedding.fps_factor:
            self._crew.shed(shedding.fps_factor)
            self._log.info(
                "shedding.obeyed",
                level=shedding.level,
                before=self._shedding.level,
                now=shedding.words or "every frame",
            )
        self._shedding = shedding

    def _suffer(self, error: QueueError) -> None:
        delay_s = self._backoff.next_s()
        self._try_at_s = time.monotonic() + delay_s
        if not self._broker_is_down:
            self._broker_is_down = True
            event = "broker.lost" if isinstance(error, BrokerDown) else "broker.refused"
            self._log.error(event, error=str(error))

    def _recover(self) -> None:
        self._backoff.reset()
        if self._broker_is_down:
            self._broker_is_down = False
            self._log.info("broker.back")

    def _look_at_config(self) -> None:
        """Take over an edit of the configuration file; an invalid one changes nothing and is told."""
        try:
            settings = self._watch.changed()
        except ConfigError as error:
            self._invalid_edits.inc()
            self._is_invalid.set(1)
            self._log.error("config.refused", error=str(error), advice="the running configuration stays")
            return
        if settings is None:
            return
        self._is_invalid.set(0)
        fixed = [key for key in _FIXED if getattr(settings, key) != getattr(self._settings, key)]
        if fixed:
            self._log.warning("config.needs_restart", keys=fixed)
        self._settings = settings
        self._crew.apply(settings)
        self._cycle_at_s = 0.0
        self._log.info("config.applied", cameras=len(settings.cameras))

    def _hire(self, hold: Hold, camera: CameraSettings) -> Camera:
        return Camera(
            hold,
            camera,
            camera.parsed(self._settings.base),
            Sender(self._outbox),
            epochs=self._book,
            timer=self._metrics,
            opener=open_source,
            holder=self._name,
        )
