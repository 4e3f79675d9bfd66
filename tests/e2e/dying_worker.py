"""A worker without networks that kills itself just before or just after it has handed records over.

It dies once over each record, alternately before and after; so the same is said again by the next one.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import cast

import redis

from maskwatch.broker.connect import connect
from maskwatch.broker.events import EventLog, Snapshots
from maskwatch.broker.frames import FrameQueue
from maskwatch.events import Record
from maskwatch.metrics import ProcessMetrics
from maskwatch.service import stop_on_signals
from tests.unit.test_pipeline import FACE, FakeClassifier, FakeDetector
from workers.batching import BatchPlan
from workers.keeping import Keeper
from workers.live import LiveWorker
from workers.models import WorkerModels

LEASE_MS = 500
DEATHS = "test:deaths"


class FakeModels:
    """A face that is always there: bare where the picture is light, masked where it is dark."""

    classifier = FakeClassifier()

    def detector(self, _name: str) -> FakeDetector:
        return FakeDetector(FACE)


class DyingLog:
    """Hands records over, and dies over each of them once."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._log = EventLog(client)

    def add(self, records: Sequence[Record]) -> None:
        deaths = [self._client.sadd(DEATHS, str(record.id)) for record in records]
        is_first = any(deaths)
        is_before = is_first and self._client.scard(DEATHS) % 2 == 0
        if not is_before:
            self._log.add(records)
        if is_first:
            os.kill(os.getpid(), signal.SIGKILL)


def main(url: str) -> None:
    """Work until told to end, or until dead."""
    stop = stop_on_signals()
    with connect(url, blocking=True) as client, connect(url) as other:
        LiveWorker(
            FrameQueue(client, lease_ms=LEASE_MS), cast(WorkerModels, FakeModels()), ProcessMetrics("worker"), stop,
            plan=BatchPlan(8, 60.0, 0.0), keeper=Keeper(DyingLog(other), Snapshots(other)),
        ).run()  # fmt: skip
