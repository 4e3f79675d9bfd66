"""A turn is finished only when its records are safe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest

import workers.live
from maskwatch.backoff import Backoff
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.messages import Taken, TakenKind
from maskwatch.errors import BrokerDown, QueueError, StreamFull
from maskwatch.events import PersonClosed, Record, person_id
from maskwatch.metrics import ProcessMetrics
from maskwatch.service import Stop
from maskwatch.types import Verdict
from tests.unit.test_live import FakeModels, FakeQueue, taken
from workers.batching import BatchPlan, LoadMeter
from workers.keeping import Keeper
from workers.live import LiveWorker
from workers.models import WorkerModels
from workers.state import CameraState, pack_state
from workers.track import Track, Tracks


class FakeLog:
    """Takes records, or raises prepared errors first."""

    def __init__(self, queue: FakeQueue, *errors: QueueError) -> None:
        self._queue = queue
        self._errors = list(errors)
        self.kept: list[Record] = []
        self.finished_before: list[list[str]] = []

    def add(self, records: Sequence[Record]) -> None:
        self.finished_before.append([one.camera for items in self._queue.finished for one in items])
        if self._errors:
            raise self._errors.pop(0)
        self.kept += records

    def put(self, key: str, jpeg: bytes, ttl_s: float) -> None:
        raise AssertionError("nobody wished for a picture")


def leaving(camera: str) -> Taken:
    """The end of a camera that had one person in front of it."""
    track = Track(3, (0.5, 0.3), (0.0, 0.0), (0.1, 0.1), (0.01, 0.0, 0.01), 0.0, 1.0, 5, True, 0.9)
    state = pack_state(CameraState("epoch", Tracks(1.0, 4, (track,))))
    return replace(taken(camera), kind=TakenKind.END, jpeg=b"", state=state)


def work(queue: FakeQueue, stop: Stop, log: FakeLog, meter: LoadMeter | None = None) -> None:
    worker = LiveWorker(
        cast(FrameQueue, queue), cast(WorkerModels, FakeModels()), ProcessMetrics("worker"), stop,
        plan=BatchPlan(8, 60.0, 0.0), meter=meter, keeper=Keeper(log, log),
    )  # fmt: skip
    worker.run()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers.live, "_backoff", lambda: Backoff(1e-6, 2e-6))


def test_records_are_safe_before_their_turn_is_finished() -> None:
    stop = Stop()
    queue = FakeQueue(stop, [leaving("a")])
    log = FakeLog(queue)
    work(queue, stop, log)
    assert log.finished_before == [[]]
    (closed,) = log.kept
    assert isinstance(closed, PersonClosed)
    assert (closed.id, closed.camera, closed.verdict) == (person_id("epoch", 3, ""), "a", Verdict.UNKNOWN)
    assert [[one.camera for one in items] for items in queue.finished] == [["a"]]


def test_turn_waits_while_its_records_are_refused_and_other_cameras_go_on() -> None:
    stop = Stop()
    queue = FakeQueue(stop, [leaving("a"), taken("b")], [taken("c")], *[list[Taken]()] * 200)
    log = FakeLog(queue, StreamFull("full"), BrokerDown("away"), StreamFull("full"))
    work(queue, stop, log)
    assert log.finished_before[0] == []
    assert log.finished_before[1][0] == "b"
    assert [[one.camera for one in items] for items in queue.finished] == [["b"], ["c"], ["a"]]
    assert queue.renewed == [["a"]] * 3
    assert len(log.kept) == 1


def test_turn_that_is_lost_while_it_waits_is_left_to_whoever_has_it() -> None:
    stop = Stop()
    queue = FakeQueue(stop, [leaving("a"), leaving("b")], *[list[Taken]()] * 200)
    queue.renew = lambda turns: [one.camera == "b" for one in turns]  # type: ignore[method-assign]
    log = FakeLog(queue, StreamFull("full"))
    work(queue, stop, log)
    assert [[one.camera for one in items] for items in queue.finished] == [["b"]]
    assert [one.camera for one in log.kept] == ["b"]


def test_turn_whose_records_stay_refused_is_never_finished() -> None:
    stop = Stop()
    queue = FakeQueue(stop, [leaving("a"), taken("b")], *[list[Taken]()] * 20)
    log = FakeLog(queue, *[StreamFull("full")] * 100)
    work(queue, stop, log)
    assert len(log.finished_before) >= 2
    assert [[one.camera for one in items] for items in queue.finished] == [["b"]]
    assert log.kept == []


def test_waiting_for_the_recorders_is_no_work_that_cameras_could_make_less() -> None:
    now_s = [0.0]

    class SlowLog(FakeLog):
        def add(self, records: Sequence[Record]) -> None:
            now_s[0] += 3.0
            super().add(records)

    stop = Stop()
    queue = FakeQueue(stop, [leaving("a")], *[list[Taken]()] * 200)
    log = SlowLog(queue, *[BrokerDown("away")] * 9)
    meter = LoadMeter(lambda: now_s[0])
    work(queue, stop, log, meter)
    assert len(log.kept) == 1
    assert now_s[0] == 30.0
    assert meter.take() == pytest.approx(0.1), "the first of ten times was work"
