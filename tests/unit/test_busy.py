from __future__ import annotations

from prometheus_client import generate_latest

from maskwatch.metrics import ProcessMetrics
from tests.support_bus import FakeClock
from workers.batching import LoadMeter


def test_waiting_is_no_work() -> None:
    clock = FakeClock()
    meter = LoadMeter(clock)
    clock.now += 2
    with meter.idle():
        clock.now += 3
        assert meter.busy_s() == 2
    clock.now += 1
    assert meter.busy_s() == 3


def test_work_is_never_taken_back_by_a_rounding() -> None:
    clock = FakeClock()
    meter = LoadMeter(clock)
    last = 0.0
    for _ in range(1000):
        clock.now += 0.1
        assert (now := meter.busy_s()) >= last
        with meter.idle():
            assert (then := meter.busy_s()) >= now
            clock.now += 1 / 3
        assert (last := meter.busy_s()) >= then


def test_share_of_the_last_second_is_what_it_was() -> None:
    clock = FakeClock()
    meter = LoadMeter(clock)
    clock.now += 1
    with meter.idle():
        clock.now += 3
    assert meter.take() == 0.25
    assert meter.busy_s() == 1


def test_followed_number_is_read_when_somebody_asks() -> None:
    metrics = ProcessMetrics("worker")
    values = iter([1.5, 2.5])
    metrics.follow("maskwatch_worker_busy_seconds", "Time", lambda: next(values))
    assert b"maskwatch_worker_busy_seconds_total 1.5" in generate_latest(metrics.registry)
    assert b"maskwatch_worker_busy_seconds_total 2.5" in generate_latest(metrics.registry)
