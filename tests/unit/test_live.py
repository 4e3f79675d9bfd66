from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, cast

import numpy as np
import pytest

import workers.live
from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.backoff import Backoff
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.messages import CameraInfo, Done, DoneStatus, Taken, TakenKind
from maskwatch.errors import BrokerDown
from maskwatch.media import encode_jpeg
from maskwatch.metrics import ProcessMetrics
from maskwatch.service import Stop
from maskwatch.shedding import Shedding
from maskwatch.types import Detection, FrameStatus, Profile
from workers import live
from workers.batching import BatchPlan
from workers.live import LiveWorker
from workers.models import WorkerModels
from workers.pipeline import Pipeline, PipelineOptions
from workers.relook import RelookOptions

JPEG = encode_jpeg(np.zeros((36, 64, 3), np.uint8))


def taken(camera: str, *, alone: bool = False, jpeg: bytes = JPEG) -> Taken:
    return Taken(
        camera,
        "epoch",
        f"token-{camera}",
        TakenKind.FRAME,
        "id-1",
        jpeg,
        (64, 36),
        0.0,
        0.0,
        b"",
        CameraInfo(camera),
        alone,
    )


class FakeQueue:
    """Hands out prepared batches or raises prepared errors, and asks the worker to stop after the last."""

    def __init__(self, stop: Stop, *takes: list[Taken] | Exception) -> None:
        self._stop = stop
        self._takes = list(takes)
        self.asked: list[int] = []
        self.renewed: list[list[str]] = []
        self.finished: list[list[Done]] = []
        self.answers: list[list[DoneStatus] | Exception] = []

    def take(
        self, n: int, wait_s: float, *, gather_s: float, idle: Callable[[], AbstractContextManager[None]]
    ) -> list[Taken]:
        self.asked.append(n)
        one = self._takes.pop(0)
        if not self._takes:
            self._stop.request()
        if isinstance(one, Exception):
            raise one
        return one

    def renew(self, turns: Sequence[Taken]) -> list[bool]:
        self.renewed.append([one.camera for one in turns])
        return [True] * len(turns)

    def done(self, items: Sequence[Done]) -> list[DoneStatus]:
        self.finished.append(list(items))
        answer = self.answers.pop(0) if self.answers else [DoneStatus.ACCEPTED] * len(items)
        if isinstance(answer, Exception):
            raise answer
        return answer


class FakeModels:
    """No faces anywhere."""

    name = "fake"
    model = "fake 1.0.0"
    size_px = 32
    unknown_below = 0.0
    score = 0.5

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.profiles: list[Profile] = []

    @property
    def classifier(self) -> FakeModels:
        return self

    def detector(self, _name: str) -> FakeModels:
        return self

    def detect(
        self, frames_bgr: Sequence[UInt8Array], profile: Profile, *, min_score: float | None = None
    ) -> list[tuple[Detection, ...]]:
        self.batches.append(len(frames_bgr))
        self.profiles.append(profile)
        return [()] * len(frames_bgr)

    def classify(self, faces_rgb: UInt8Array) -> Float32Array:
        return np.zeros((len(faces_rgb), 3), np.float32)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers.live, "_backoff", lambda: Backoff(0.001, 0.002))


def work(
    queue: FakeQueue,
    stop: Stop,
    beat: Callable[[], None] = lambda: None,
    steer: Callable[[], Shedding] = Shedding,
    options: PipelineOptions | None = None,
) -> FakeModels:
    models = FakeModels()
    worker = LiveWorker(
        cast(FrameQueue, queue),
        cast(WorkerModels, models),
        ProcessMetrics("worker"),
        stop,
        plan=BatchPlan(8, 60.0, 0.0),
        beat=beat,
        steer=steer,
        options=options,
    )
    worker.run()
    return models


def test_turns_are_one_batch_and_are_finished_with_their_tokens() -> None:
    stop = Stop()
    queue = FakeQueue(stop, [taken("a"), taken("b")])
    models = work(queue, stop)
    assert models.batches == [2]
    (items,) = queue.finished
    assert [(one.camera, one.epoch, one.token) for one in items] == [
        ("a", "epoch", "token-a"),
        ("b", "epoch", "token-b"),
    ]


def test_corrupt_picture_is_told_as_decode_error_beside_good_ones() -> None:
    stop = Stop()
    queue = FakeQueue(stop, [taken("bad", jpeg=b"\xff\xd8"), taken("good")])
    work(queue, stop)
    assert [one.result.status for one in queue.finished[0]] == [FrameStatus.DECODE_ERROR, FrameStatus.OK]


def test_camera_that_killed_workers_has_a_batch_of_its_own() -> None:
    stop = Stop()
    queue = FakeQueue(stop, [taken("a"), taken("deadly", alone=True), taken("b")])
    work(queue, stop)
    assert [[one.camera for one in items] for items in queue.finished] == [["a", "b"], ["deadly"]]


def test_batch_that_was_taken_is_finished_after_the_request_to_end() -> None:
    stop = Stop()
    queue = FakeQueue(stop, [taken("a")])
    work(queue, stop)
    assert stop.requested
    assert len(queue.finished) == 1


def test_lost_lease_halves_the_next_batch() -> None:
    stop = Stop()
    queue = FakeQueue(stop, [taken("a"), taken("b")], [taken("a")])
    queue.answers = [[DoneStatus.ACCEPTED, DoneStatus.LEASE_LOST]]
    work(queue, stop)
    assert queue.asked == [8, 4]


@pytest.mark.usefixtures("quick")
def test_redis_that_is_away_is_waited_for_and_work_goes_on() -> None:
    stop = Stop()
    queue = FakeQueue(stop, BrokerDown("away"), BrokerDown("away"), [taken("a")])
    work(queue, stop)
    assert len(queue.asked) == 3
    assert len(queue.finished) == 1


@pytest.mark.usefixtures("quick")
def test_results_are_sent_again_when_redis_was_away_for_a_moment() -> None:
    stop = Stop()
    queue = FakeQueue(stop, [taken("a")])
    queue.answers = [BrokerDown("away"), [DoneStatus.REPEATED]]
    models = work(queue, stop)
    assert models.batches == [1], "analysed once"
    assert [len(items) for items in queue.finished] == [1, 1]


@pytest.mark.usefixtures("quick")
def test_redis_that_stays_away_costs_the_batch_and_not_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_FINISH_WITHIN_S", 0.0)
    stop = Stop()
    queue = FakeQueue(stop, [taken("a")], [taken("b")])
    queue.answers = [BrokerDown("away")]
    work(queue, stop)
    assert [items[0].camera for items in queue.finished] == ["a", "b"]


def test_leases_are_renewed_between_stages_once_they_are_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_RENEW_AFTER_S", -1.0)
    stop = Stop()
    queue = FakeQueue(stop, [taken("a"), taken("b")])
    work(queue, stop)
    assert queue.renewed == [["a", "b"]] * 5


def test_error_that_nobody_expected_ends_the_worker() -> None:
    stop = Stop()
    queue = FakeQueue(stop, [taken("a")], [taken("b")])
    queue.answers = [ZeroDivisionError("no")]
    with pytest.raises(ZeroDivisionError):
        work(queue, stop)


def test_sign_of_life_is_given_before_every_take() -> None:
    stop = Stop()
    beats: list[Any] = []
    work(FakeQueue(stop, [], [], []), stop, lambda: beats.append(1))
    assert len(beats) == 3


def test_level_of_shedding_decides_the_profile_of_the_next_batch() -> None:
    stop = Stop()
    levels = iter([0, Shedding.FAST, 0])
    models = work(FakeQueue(stop, [taken("a")], [taken("a")], [taken("a")]), stop, steer=lambda: Shedding(next(levels)))
    assert models.profiles == [Profile.ACCURATE, Profile.FAST, Profile.ACCURATE]


def test_highest_level_looks_at_known_faces_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    rules: list[RelookOptions | None] = []
    monkeypatch.setattr(Pipeline, "use_relook", lambda _self, rule: rules.append(rule))
    stop = Stop()
    levels = iter([0, Shedding.RARE, Shedding.RARE, Shedding.FAST, 0])
    options = PipelineOptions(relook=RelookOptions(every_s=1.5))
    work(FakeQueue(stop, [], [], [], [], []), stop, steer=lambda: Shedding(next(levels)), options=options)
    assert [rule and rule.every_s for rule in rules] == [6.0, 1.5]


def test_where_every_face_is_classified_the_highest_level_brings_the_usual_rule() -> None:
    assert RelookOptions.rarer(None) == RelookOptions()
