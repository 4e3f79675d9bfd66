from __future__ import annotations

from typing import cast

import pytest
from structlog.testing import capture_logs

from maskwatch.broker.shedding import Pressure, SheddingBook
from maskwatch.errors import BrokerDown
from maskwatch.shedding import Shedding
from tests.support_bus import FakeClock
from workers.batching import LoadMeter
from workers.shedding import Controller
from workers.steering import Steering


class FakeBook:
    """The book of one worker, which decides unless told otherwise."""

    def __init__(self) -> None:
        self.level = 0
        self.decides = True
        self.down = False
        self.reports: list[float] = []
        self.left: list[str] = []

    def report(self, worker: str, busy: float) -> tuple[int, Pressure | None]:
        if self.down:
            raise BrokerDown("away")
        self.reports.append(busy)
        return self.level, Pressure(1, busy, 0, 0, 0, 0.0) if self.decides else None

    def change(self, worker: str, before: int, after: int) -> bool:
        if not self.decides:
            return False
        assert before == self.level
        self.level = after
        return True

    def leave(self, worker: str) -> None:
        self.left.append(worker)


class Decided(Controller):
    """Wants a level at once."""

    wanted = 0

    def step(self, now_s: float, level: int, pressure: Pressure) -> int:
        return self.wanted


class Stage:
    def __init__(self) -> None:
        self.book, self.clock, self.controller = FakeBook(), FakeClock(), Decided()
        self.meter = LoadMeter(self.clock)
        book = cast(SheddingBook, self.book)
        self.steering = Steering(book, "one", self.meter, self.controller, self.clock)

    def second(self) -> Shedding:
        self.clock.now += 1.0
        return self.steering.step()


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_load_is_reported_once_a_second(stage: Stage) -> None:
    for _ in range(30):
        stage.clock.now += 0.1
        stage.steering.step()
    assert len(stage.book.reports) == 3


def test_waiting_for_frames_is_no_load(stage: Stage) -> None:
    stage.second()
    with stage.meter.idle():
        stage.clock.now += 0.75
    stage.clock.now += 0.25
    stage.steering.step()
    assert stage.book.reports[1] == pytest.approx(0.25)


def test_change_is_logged_once_with_its_reason(stage: Stage) -> None:
    stage.controller.wanted = 3
    with capture_logs() as logs:
        assert stage.second().level == 3
        assert stage.second().level == 3
        stage.controller.wanted = 0
        stage.second()
    assert [(one["event"], one["before"], one["after"]) for one in logs] == [
        ("shedding.raised", 0, 3),
        ("shedding.lowered", 3, 0),
    ]
    assert logs[0]["now"] == "73 % of the frames"
    assert logs[1]["now"] == "as configured"


def test_level_of_others_is_obeyed_without_deciding(stage: Stage) -> None:
    stage.book.decides, stage.book.level, stage.controller.wanted = False, Shedding.FAST, 0
    assert stage.second().is_fast
    assert stage.book.level == Shedding.FAST


def test_decision_that_comes_too_late_changes_nothing(stage: Stage) -> None:
    stage.controller.wanted = 5
    stage.book.change = lambda *_: False  # type: ignore[method-assign]
    with capture_logs() as logs:
        assert stage.second().level == 0
    assert logs == []


def test_level_holds_while_redis_is_away(stage: Stage) -> None:
    stage.controller.wanted = 2
    stage.second()
    stage.book.down = True
    stage.clock.now += 1.0
    with pytest.raises(BrokerDown):
        stage.steering.step()
    stage.clock.now += 0.1
    assert stage.steering.step().level == 2


def test_worker_that_ends_lets_another_decide(stage: Stage) -> None:
    stage.steering.leave()
    assert stage.book.left == ["one"]
