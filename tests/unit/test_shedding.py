"""The controller against workers and cameras that are played: it must do enough, no more, in order, and undo it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwatch.broker.shedding import Pressure
from maskwatch.shedding import LEAST_FPS_LEVEL, Shedding, Thinner
from workers.shedding import Controller


@dataclass
class Plant:
    """Workers with a capacity, and cameras that obey a second or two late.

    Attributes:
        demand: frames a second that are due, at the time that it is asked for.
        capacity: frames a second that the workers can do.
        fast_gain: factor by which the profile `fast` does more; 1 where the cameras have it already.
        rare_gain: the same of looking less often.
        delay: steps until a level shows.
    """

    demand: Callable[[float], float]
    capacity: float = 100.0
    fast_gain: float = 1.8
    rare_gain: float = 1.2
    delay: int = 2
    now_s: float = 1000.0
    level: int = 0
    levels: list[int] = field(default_factory=list)
    analysed: float = 0.0
    lost: float = 0.0

    def __post_init__(self) -> None:
        self.controller = Controller()

    def can_do(self, level: int) -> float:
        shedding = Shedding(level)
        gain = (self.fast_gain if shedding.is_fast else 1.0) * (self.rare_gain if shedding.is_rare else 1.0)
        return self.capacity * gain

    def run(self, seconds: int) -> list[int]:
        """Play so many seconds and return the levels of each."""
        for _ in range(seconds):
            self.now_s += 1.0
            felt = self.levels[-self.delay] if len(self.levels) >= self.delay else 0
            offered = self.demand(self.now_s - 1000.0) * Shedding(felt).fps_factor
            done = min(offered, self.can_do(felt))
            self.analysed += done
            self.lost += offered - done
            busy = min(1.0, done / self.can_do(felt) + 0.02)
            pressure = Pressure(2, busy, int(self.analysed), int(self.lost), int(self.analysed), 0.0)
            self.level = self.controller.step(self.now_s, self.level, pressure)
            self.levels.append(self.level)
        return self.levels[-seconds:]


def changes(levels: list[int]) -> int:
    return sum(before != after for before, after in pairwise(levels))


def test_levels_give_way_in_order() -> None:
    factors = [Shedding(level).fps_factor for level in range(Shedding.MOST + 1)]
    assert factors[0] == 1.0
    assert factors == sorted(factors, reverse=True)
    assert 0.25 <= factors[-1] <= 0.26
    assert [Shedding(level).is_fast for level in (LEAST_FPS_LEVEL, Shedding.FAST, Shedding.MOST)] == [False, True, True]
    assert [Shedding(level).is_rare for level in (Shedding.FAST, Shedding.MOST)] == [False, True]


def test_level_is_told_in_words() -> None:
    assert Shedding().words == ""
    assert Shedding(3).words == "73 % of the frames"
    assert Shedding(Shedding.MOST).words == "25 % of the frames, profile fast, known faces looked at less often"


@settings(deadline=None)
@given(st.floats(0.05, 1.0), st.integers(1, 400))
def test_share_of_the_frames_remains_evenly(factor: float, frames: int) -> None:
    thinner = Thinner()
    kept = [thinner.keeps(factor) for _ in range(frames)]
    assert kept[0]
    assert abs(sum(kept) - factor * frames) <= 1.0
    gaps = [at for at, one in enumerate(kept) if one]
    assert len({after - before for before, after in pairwise(gaps)}) <= 2, "gaps differ by one at most"


def test_thinner_follows_a_factor_that_changes() -> None:
    thinner = Thinner()
    assert [thinner.keeps(0.5) for _ in range(4)] == [True, False, True, False]
    assert [thinner.keeps(1.0) for _ in range(3)] == [True] * 3
    assert [thinner.keeps(0.25) for _ in range(5)] == [True, False, False, False, True]


def test_cameras_of_different_phases_take_turns() -> None:
    thinners = [Thinner(number / 20) for number in range(20)]
    assert [all(thinner.keeps(1.0) for thinner in thinners) for _ in range(3)] == [True] * 3
    kept = [sum(thinner.keeps(0.25) for thinner in thinners) for _ in range(40)]
    assert set(kept[1:]) == {5}


def test_nothing_gives_way_while_workers_keep_up() -> None:
    assert set(Plant(lambda _t: 97.0).run(120)) == {0}


def test_loss_of_idle_workers_sheds_nothing() -> None:
    controller = Controller()
    for second in range(60):
        pressure = Pressure(1, 0.4, 50 * second, 50 * second, 50 * second, 0.0)
        assert controller.step(float(second), 0, pressure) == 0, "one camera is faster than its turns: no overload"


def test_long_waits_of_busy_workers_are_overload_without_any_loss() -> None:
    controller = Controller()
    levels = [controller.step(float(s), 0, Pressure(1, 1.0, 50 * s, 0, 50 * s, 15.0 * s)) for s in range(10)]
    assert max(levels) == 1


@pytest.mark.parametrize("demand", [105.0, 150.0, 250.0, 390.0])
def test_rates_alone_are_lowered_as_far_as_that_is_enough(demand: float) -> None:
    plant = Plant(lambda _t: demand)
    settled = plant.run(120)[-60:]
    assert len(set(settled)) == 1, "it has come to rest"
    assert settled[0] <= LEAST_FPS_LEVEL
    left = demand * Shedding(settled[0]).fps_factor
    assert left <= 1.03 * plant.capacity
    assert left >= 0.88 * plant.capacity, "hardly more than needed gave way"


def test_profile_and_then_looks_give_way_when_rates_are_not_enough() -> None:
    assert Plant(lambda _t: 600.0).run(120)[-1] == Shedding.FAST
    assert Plant(lambda _t: 800.0).run(120)[-1] == Shedding.MOST
    assert Plant(lambda _t: 5000.0).run(120)[-1] == Shedding.MOST


def test_four_times_too_much_is_answered_within_fifteen_seconds() -> None:
    plant = Plant(lambda _t: 400.0)
    plant.run(15)
    assert 400.0 * Shedding(plant.level).fps_factor <= 1.03 * plant.can_do(plant.level)


def test_all_comes_back_in_the_reverse_order_when_the_load_goes() -> None:
    plant = Plant(lambda t: 800.0 if t < 60 else 40.0)
    up, down = plant.run(60), plant.run(90)
    assert all(after >= before for before, after in pairwise(up))
    assert all(after <= before for before, after in pairwise(down))
    assert down[-1] == 0
    assert {Shedding.RARE, Shedding.FAST, LEAST_FPS_LEVEL} <= {*up, *down}, "those are never jumped over"


def test_level_that_saves_nothing_does_not_stay() -> None:
    """Cameras that run in the profile fast already: its level is climbed in vain and must not be stuck."""
    plant = Plant(lambda t: 800.0 if t < 60 else 200.0, fast_gain=1.0, rare_gain=1.0)
    assert plant.run(60)[-1] == Shedding.MOST
    plant.run(120)
    assert Shedding(plant.level).fps_factor * 200.0 >= 0.6 * plant.capacity
    assert plant.level <= LEAST_FPS_LEVEL


loads = st.floats(10.0, 2000.0)
gains = st.floats(1.0, 4.0)


@settings(deadline=None, max_examples=25)
@given(loads, gains, st.floats(1.0, 2.0), st.integers(1, 3))
def test_constant_load_makes_no_oscillation(demand: float, fast: float, rare: float, delay: int) -> None:
    plant = Plant(lambda _t: demand, fast_gain=fast, rare_gain=rare, delay=delay)
    plant.run(120)
    assert changes(plant.run(300)) <= 4


@settings(deadline=None, max_examples=25)
@given(st.lists(loads, min_size=1, max_size=6), gains, st.floats(1.0, 2.0))
def test_whatever_came_before_all_is_as_configured_in_the_end(demands: list[float], fast: float, rare: float) -> None:
    plant = Plant(lambda t: demands[min(int(t // 40), len(demands) - 1)], fast_gain=fast, rare_gain=rare)
    plant.run(40 * len(demands))
    plant.demand = lambda _t: 20.0
    plant.run(400)
    assert plant.level == 0


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 200), st.integers(0, 800)), min_size=1, max_size=60))
def test_levels_stay_within_bounds_and_special_ones_are_taken_one_by_one(
    seconds: list[tuple[float, int, int]],
) -> None:
    controller, level, analysed, lost = Controller(), 0, 0, 0
    for number, (busy, more, gone) in enumerate(seconds):
        analysed, lost = analysed + more, lost + gone
        after = controller.step(float(number), level, Pressure(1, busy, analysed, lost, analysed, 0.0))
        assert 0 <= after <= Shedding.MOST
        if max(after, level) > LEAST_FPS_LEVEL:
            assert abs(after - level) <= 1
        level = after


def test_level_that_had_to_be_taken_back_is_tried_less_and_less_often() -> None:
    """A plant whose cost rises whenever the level falls: the worst for a controller."""
    plant = Plant(lambda _t: 100.0)
    plant.demand = lambda _t: 100.0 if plant.level else 300.0
    levels = plant.run(600)
    first, last = levels[:120], levels[-120:]
    assert changes(last) < changes(first)
    assert changes(last) <= 5


def test_controller_that_takes_over_keeps_the_level_and_watches_first() -> None:
    controller = Controller()
    for second in range(4):
        idle = Pressure(1, 0.1, 10 * second, 0, 10 * second, 0.0)
        assert controller.step(float(second), 7, idle) == 7


def test_level_that_was_lost_in_a_flush_is_begun_anew() -> None:
    plant = Plant(lambda _t: 400.0)
    plant.run(40)
    assert plant.level > 0
    plant.level, plant.analysed, plant.lost = 0, 0.0, 0.0
    assert plant.run(2) == [0, 0]
    assert plant.run(30)[-1] > 0


def test_gap_between_two_steps_is_no_observation() -> None:
    controller = Controller()
    controller.step(0.0, 0, Pressure(1, 1.0, 0, 0, 0, 0.0))
    controller.step(1.0, 0, Pressure(1, 1.0, 10, 0, 10, 0.0))
    assert controller.step(100.0, 0, Pressure(1, 1.0, 1000, 9000, 1000, 0.0)) == 0
