from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support_bus import FakeClock
from workers.batching import BatchPlan, BatchSize, LoadMeter


def busy_plan(rate: float, most: int = 32, frame_s: float = 0.001, gather_s: float = 0.004) -> BatchPlan:
    """Return a plan that has seen frames come at a rate for a while."""
    plan = BatchPlan(most, 0.1, gather_s)
    plan.worked(8, 8 * frame_s)
    for number in range(400):
        plan.took(round(rate / 20), number / 20)
    return plan


def test_first_batch_is_as_large_as_configured() -> None:
    assert BatchPlan(8, 0.1, 0.004).size == 8


@pytest.mark.parametrize(("frame_s", "size"), [(0.001, 8), (0.0125, 8), (0.025, 4), (0.06, 1), (3.0, 1)])
def test_batch_fits_the_time_that_it_may_take(frame_s: float, size: int) -> None:
    plan = BatchPlan(8, 0.1, 0.004)
    plan.worked(4, 4 * frame_s)
    assert plan.size == size


def test_one_slow_batch_is_forgotten() -> None:
    plan = BatchPlan(8, 0.1, 0.004)
    plan.worked(8, 0.04)
    plan.worked(1, 1.0)
    assert plan.size == 1
    for _ in range(40):
        plan.worked(1, 0.006)
    assert plan.size == 8


def test_rare_frames_wait_for_nobody() -> None:
    assert BatchPlan(32, 0.1, 0.004).gather_s == 0.0
    assert busy_plan(100.0).gather_s == 0.0, "in 4 ms there would come 0.4 of a frame"


def test_frequent_frames_wait_for_others() -> None:
    assert busy_plan(1000.0).gather_s == 0.004


def test_frames_wait_no_longer_than_until_the_batch_is_full() -> None:
    assert busy_plan(2000.0, most=4).gather_s == pytest.approx(3 / 2000, rel=0.05)


def test_frame_that_makes_a_batch_by_itself_does_not_wait() -> None:
    assert busy_plan(1000.0, frame_s=0.2).gather_s == 0.0


def test_nobody_waits_where_that_is_switched_off() -> None:
    assert busy_plan(5000.0, gather_s=0.0).gather_s == 0.0


def test_rate_falls_when_no_frame_comes() -> None:
    plan = busy_plan(1000.0)
    plan.took(0, 40.0)
    assert plan.gather_s == 0.0


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200), st.floats(0, 2), st.floats(0, 5)), max_size=40), st.integers(1, 128))
def test_plan_stays_within_its_bounds(batches: list[tuple[int, float, float]], most: int) -> None:
    plan, now_s = BatchPlan(most, 0.1, 0.01), 0.0
    for frames, passed_s, took_s in batches:
        now_s += passed_s
        plan.took(frames, now_s)
        if frames:
            plan.worked(frames, took_s)
        assert 1 <= plan.size <= most
        assert 0.0 <= plan.gather_s <= 0.01


def test_lost_lease_halves_the_batch_and_good_batches_bring_it_back_slowly() -> None:
    size = BatchSize(8)
    sizes = []
    for _ in range(4):
        size.lost()
        sizes.append(size.now)
    assert sizes == [4, 2, 1, 1]
    for _ in range(BatchSize.RECOVER_AFTER):
        size.went_well()
    assert size.now == 2
    for _ in range(10 * BatchSize.RECOVER_AFTER):
        size.went_well()
    assert size.now == 8


def test_plan_obeys_a_lost_lease_too() -> None:
    plan = BatchPlan(8, 10.0, 0.0)
    assert plan.lost() == 4
    for _ in range(BatchSize.RECOVER_AFTER):
        plan.went_well()
    assert plan.size == 5


def test_time_that_is_not_waiting_is_work() -> None:
    clock = FakeClock()
    meter = LoadMeter(clock)
    clock.now += 3.0
    with meter.idle():
        clock.now += 1.0
    assert meter.take() == pytest.approx(0.75)
    with meter.idle():
        clock.now += 2.0
    assert meter.take() == 0.0
    clock.now += 1.0
    assert meter.take() == 1.0


def test_no_time_at_all_counts_as_work() -> None:
    assert LoadMeter(FakeClock()).take() == 1.0
