"""What the site asks of the queue, and the Redis that answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import redis

from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.counts import Counts, CountsSnapshot
from maskwatch.broker.events import Backlog, EventLog
from maskwatch.broker.messages import CameraView, ProcessInfo, Shown
from maskwatch.broker.processes import ProcessBook
from maskwatch.broker.shedding import SheddingBook
from maskwatch.broker.viewer import Viewer
from maskwatch.shedding import Shedding

__all__ = ["Bus", "RedisBus"]


class Bus(Protocol):
    """Everything that the site reads; each call is one bounded round trip.

    Every method raises `BrokerDown` when Redis can't be reached and `QueueError` when it answers with an error.
    """

    def overview(self) -> list[CameraView]:
        """Return all registered cameras, sorted by name."""

    def versions(self, cameras: Sequence[str]) -> dict[str, str]:
        """Return the id of the newest analysed frame of each camera that has one."""

    def fetch(self, cameras: Sequence[str]) -> dict[str, Shown]:
        """Return picture and result of each camera that has them."""

    def holders(self) -> Mapping[str, str]:
        """Return which ingest holds which camera: camera -> ingest."""

    def counts(self) -> CountsSnapshot:
        """Return all counters."""

    def processes(self) -> list[ProcessInfo]:
        """Return the processes that are alive."""

    def backlog(self) -> Backlog:
        """Return how many records wait for a recorder."""

    def shedding(self) -> Shedding:
        """Return what gives way because the workers can't keep up."""


class RedisBus:
    """The queue's own classes behind one face; may be used by several threads at once.

    Args:
        client: of the live server, as `maskwatch.broker.connect.connect` makes it; its pool gives each thread a
            connection.
        durable: of the server that keeps records; None where one server does both jobs.
    """

    def __init__(self, client: redis.Redis, durable: redis.Redis | None = None) -> None:
        self._client = client
        self._cameras = CameraBook(client)
        self._viewer = Viewer(client)
        self._processes = ProcessBook(client)
        self._log = EventLog(durable or client)
        self._levels = SheddingBook(client)

    def overview(self) -> list[CameraView]:
        """Return all registered cameras, sorted by name."""
        return self._cameras.overview()

    def versions(self, cameras: Sequence[str]) -> dict[str, str]:
        """Return the id of the newest analysed frame of each camera that has one."""
        return self._viewer.versions(cameras)

    def fetch(self, cameras: Sequence[str]) -> dict[str, Shown]:
        """Return picture and result of each camera that has them."""
        return self._viewer.fetch(cameras)

    def holders(self) -> Mapping[str, str]:
        """Return which ingest holds which camera."""
        return self._cameras.holders()

    def counts(self) -> CountsSnapshot:
        """Return all counters."""
        return Counts.read(self._client)

    def processes(self) -> list[ProcessInfo]:
        """Return the processes that are alive."""
        return self._processes.list()

    def backlog(self) -> Backlog:
        """Return how many records wait for a recorder."""
        return self._log.backlog()

    def shedding(self) -> Shedding:
        """Return what gives way because the workers can't keep up."""
        return Shedding(self._levels.level())
