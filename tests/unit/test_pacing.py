from __future__ import annotations

import pytest

from ingest.pacing import EpochTime, Pacer, Rate


def test_first_picture_is_due_at_once_and_the_others_by_their_timestamps() -> None:
    pacer = Pacer()
    assert pacer.wait_s(3.0, 100.0) == 0.0
    assert pacer.wait_s(3.2, 100.05) == pytest.approx(0.15)
    assert pacer.wait_s(5.0, 100.2) == pytest.approx(1.8)


def test_slight_lateness_is_made_up() -> None:
    pacer = Pacer()
    pacer.wait_s(0.0, 100.0)
    assert pacer.wait_s(0.2, 100.9) == 0.0
    assert pacer.wait_s(1.0, 100.9) == pytest.approx(0.1)


def test_film_that_cannot_be_read_fast_enough_plays_slower() -> None:
    pacer = Pacer()
    pacer.wait_s(0.0, 100.0)
    assert pacer.wait_s(0.2, 105.0) == 0.0
    assert pacer.wait_s(0.4, 105.0) == pytest.approx(0.2)


@pytest.mark.parametrize("fps", [0.5, 5.0, 30.0])
def test_rate_is_that_of_the_intervals(fps: float) -> None:
    rate = Rate(window_s=10.0)
    for number in range(200):
        rate.add(number / fps)
    assert rate.fps(199 / fps) == pytest.approx(fps)


def test_rate_falls_to_nothing_after_the_last_frame() -> None:
    rate = Rate(window_s=5.0)
    for number in range(26):
        rate.add(number / 5)
    assert rate.fps(5.0) == pytest.approx(5.0)
    assert 2.0 < rate.fps(7.0) < 4.5
    assert rate.fps(11.0) == 0.0


def test_frames_that_were_not_decoded_count_evenly() -> None:
    rate = Rate()
    rate.add(0.0)
    for second in (2.0, 4.0):
        rate.add(second, 10)
    assert rate.fps(4.0) == pytest.approx(5.0)


def test_times_beyond_the_window_are_not_kept() -> None:
    rate = Rate(window_s=5.0)
    for number in range(5000):
        rate.add(number / 5)
    assert len(rate._times_s) <= 26


def test_time_within_an_epoch_goes_on_when_the_source_is_opened_again() -> None:
    times = EpochTime()
    times.opened(100.0)
    times.picture(0.0, 100.5)
    times.picture(2.0, 102.5)
    times.opened(112.5)
    times.picture(0.25, 113.0)
    assert times.last_s == pytest.approx(12.25)
    times.begin()
    times.opened(120.0)
    times.picture(0.5, 121.0)
    assert times.last_s == pytest.approx(0.5)
