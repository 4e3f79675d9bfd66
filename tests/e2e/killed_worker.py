"""A worker without networks that keeps a log of its own of what it hands over, for whoever kills it."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from maskwatch.broker.connect import connect
from maskwatch.broker.events import EventLog, Snapshots
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.happened import Happened
from maskwatch.events import Record, pack_record
from maskwatch.metrics import ProcessMetrics
from maskwatch.service import Stop
from tests.unit.test_pipeline import FACE, FakeClassifier, FakeDetector
from workers.batching import BatchPlan
from workers.keeping import Forwarder, Keeper
from workers.live import LiveWorker
from workers.models import WorkerModels

__all__ = ["DONE", "TRIED", "be_worker"]

TRIED, DONE = b"tried ", b"done  "
"""How a line of the log begins: before a record was handed over, and after."""

_LEASE_MS = 500
_PAUSE_S = 0.05
"""Before and after a record is handed over, so that death often comes right then."""


class FakeModels:
    """A face that is always there: bare where the picture is light, masked where it is dark."""

    classifier = FakeClassifier()

    def detector(self, _name: str) -> FakeDetector:
        return FakeDetector(FACE)


class NotedLog:
    """Hands records over, and writes down before and after which they are, in a file that no server knows of."""

    def __init__(self, log: EventLog, path: Path) -> None:
        self._log = log
        self._file = path.open("ab", buffering=0)

    def add(self, records: Sequence[Record]) -> None:
        packed = [pack_record(record) for record in records]
        self._note(TRIED, packed)
        time.sleep(random.uniform(0, _PAUSE_S))
        self._log.add(records)
        time.sleep(random.uniform(0, _PAUSE_S))
        self._note(DONE, packed)

    def _note(self, how: bytes, packed: Sequence[bytes]) -> None:
        self._file.write(b"".join(how + record + b"\n" for record in packed))


def be_worker(live_url: str, durable_url: str, log: Path) -> None:
    """Work until killed.

    Args:
        live_url: of the live server.
        durable_url: of the durable server.
        log: the file to write; one worker's alone, its successors go on with it.
    """
    with connect(live_url, blocking=True) as client, connect(live_url) as other, connect(durable_url) as durable:
        records = NotedLog(EventLog(durable), log)
        LiveWorker(
            FrameQueue(client, lease_ms=_LEASE_MS), cast(WorkerModels, FakeModels()), ProcessMetrics("worker"), Stop(),
            plan=BatchPlan(8, 60.0, 0.0), keeper=Keeper(records, Snapshots(other)),
            beat=Forwarder(Happened(other), records).step,
        ).run()  # fmt: skip
