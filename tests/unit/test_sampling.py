from __future__ import annotations

import random

import pytest

from maskwatch.media.sampling import MediaClock, Sampler


@pytest.mark.parametrize(
    ("source_fps", "fps", "expected"), [(30, 5, 5), (25, 10, 10), (15, 10, 10), (5, 5, 5), (3, 5, 3), (10, 0.5, 0.5)]
)
def test_rate_is_met_on_average(source_fps: float, fps: float, expected: float) -> None:
    sampler = Sampler(fps)
    taken = sum(sampler.due(number / source_fps) for number in range(int(60 * source_fps)))
    assert taken / 60 == pytest.approx(expected, rel=0.02, abs=1 / 30)


def test_jitter_of_a_camera_at_the_asked_rate_costs_no_frame() -> None:
    rng = random.Random(4)
    sampler = Sampler(5)
    assert all(sampler.due(max(0.0, number / 5 + rng.uniform(-0.04, 0.04))) for number in range(1, 300))


def test_pause_is_not_made_up_for() -> None:
    sampler = Sampler(5)
    assert sampler.due(0.0)
    assert [sampler.due(10 + number * 0.04) for number in range(5)] == [True, False, False, False, True]


def test_without_a_rate_all_are_due() -> None:
    sampler = Sampler(None)
    assert all(sampler.due(number / 240) for number in range(100))


def test_clock_follows_timestamps_from_zero() -> None:
    clock = MediaClock(25, by_arrival=False)
    assert [clock.advance(stamp, 0.0) for stamp in (7.0, 7.04, 7.5)] == pytest.approx([0.0, 0.04, 0.5])


def test_clock_never_falls_when_timestamps_do() -> None:
    clock = MediaClock(25, by_arrival=False)
    times = [clock.advance(stamp, 0.0) for stamp in (7.0, 7.04, 0.0, 0.04, 99999.0, 99999.04)]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(0.2)


def test_live_clock_bridges_jumps_and_missing_timestamps_by_arrival() -> None:
    clock = MediaClock(25, by_arrival=True)
    times = [clock.advance(stamp, at) for stamp, at in ((5.0, 50.0), (5.1, 50.3), (0.0, 51.0), (None, 51.5), (0.6, 52))]
    assert times == pytest.approx([0.0, 0.1, 0.8, 1.3, 1.8])


def test_frames_passed_over_are_those_that_were_due() -> None:
    sampler = Sampler(5)
    assert sampler.passed(0.0, 0) == 0
    assert sampler.due(0.0)
    # 25 pictures a second, of which the next that is looked at comes after 2 s: 9 were due in between.
    assert sampler.passed(2.0, 49) == 9
    assert sampler.due(2.0)
    assert not sampler.due(2.1)
    assert sampler.due(2.2)


def test_slow_source_has_no_more_frames_passed_over_than_it_gave() -> None:
    sampler = Sampler(30)
    assert sampler.due(0.0)
    assert sampler.passed(2.0, 19) == 19
    assert sampler.due(2.0)
    assert Sampler(None).passed(3.0, 7) == 7
