"""A worker without networks that notes every frame whose result was accepted.

python -m tests.e2e.counted_worker URL NAME
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, cast

import redis

from maskwatch.broker.connect import connect
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.messages import Done, DoneStatus, ProcessInfo, Taken, TakenKind
from maskwatch.broker.processes import ProcessBook
from maskwatch.metrics import ProcessMetrics
from maskwatch.service import stop_on_signals
from tests.unit.test_pipeline import FakeClassifier, FakeDetector
from workers.batching import BatchPlan
from workers.live import LiveWorker
from workers.models import WorkerModels
from workers.registration import Registration

ANALYSED = "test:analysed"
"""List of `WORKER CAMERA FRAME`."""


class FakeModels:
    """Nobody anywhere."""

    classifier = FakeClassifier()

    def detector(self, _name: str) -> FakeDetector:
        return FakeDetector()


class NotingQueue(FrameQueue):
    """The queue, with a note of each accepted frame."""

    def __init__(self, client: redis.Redis, notes: redis.Redis, name: str) -> None:
        super().__init__(client, stale_ms=60_000)
        self._notes = notes
        self._name = name
        self._taken: dict[str, Taken] = {}

    def take(self, *args: Any, **kwargs: Any) -> list[Taken]:
        """Remember which frames these turns are."""
        turns = super().take(*args, **kwargs)
        self._taken = {turn.token: turn for turn in turns}
        return turns

    def done(self, items: Sequence[Done]) -> list[DoneStatus]:
        """Note what was accepted; a `Done` that was sent again and is known is no second one."""
        answers = super().done(items)
        turns = [self._taken[item.token] for item in items]
        accepted = [
            f"{self._name} {turn.camera} {turn.frame_id}"
            for turn, answer in zip(turns, answers, strict=True)
            if answer is DoneStatus.ACCEPTED and turn.kind is TakenKind.FRAME
        ]
        if accepted:
            self._notes.rpush(ANALYSED, *accepted)
        return answers


def main(url: str, name: str) -> None:
    """Work until told to end."""
    stop = stop_on_signals()
    with connect(url, blocking=True) as client, connect(url) as notes, connect(url) as other:
        registration = Registration(ProcessBook(other), ProcessInfo("worker", name, "", "test"))
        LiveWorker(
            NotingQueue(client, notes, name), cast(WorkerModels, FakeModels()), ProcessMetrics("worker"), stop,
            plan=BatchPlan(8, 60.0, 0.0), beat=registration.beat,
        ).run()  # fmt: skip
        registration.leave()


if __name__ == "__main__":
    main(*sys.argv[1:])
