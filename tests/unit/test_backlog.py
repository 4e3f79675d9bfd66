from __future__ import annotations

from maskwatch.media.backlog import Backlog


def feed(backlog: Backlog, stamps: range, delay_s: float, *, keys: int = 50) -> list[bool]:
    return [backlog.packet(n / 25, n / 25 + delay_s, n % keys == 0) for n in stamps]


def test_steady_stream_is_not_behind_whatever_its_delay() -> None:
    backlog = Backlog(5)
    assert not any(feed(backlog, range(500), 900.0))
    assert backlog.lag_s < 0.1


def test_first_lump_of_a_connection_is_no_backlog() -> None:
    backlog = Backlog(5)
    lump = [backlog.packet(n / 25, 100.0, n == 0) for n in range(50)]
    assert not any(lump)
    assert not any(feed(backlog, range(50, 500), 98.04))


def test_growing_delay_is_noticed_and_left_at_a_key_frame_after_catching_up() -> None:
    backlog = Backlog(5)
    feed(backlog, range(250), 0.0)
    assert all(feed(backlog, range(250, 300), 2.0))
    assert 1.9 < backlog.lag_s < 2.1
    caught_up = feed(backlog, range(300, 376), 0.1, keys=75)
    assert caught_up[0] is False  # 300 is a key frame
    feed(backlog, range(376, 380), 3.0)
    assert feed(backlog, range(380, 451), 0.1, keys=75) == [True] * 70 + [False]


def test_frames_left_out_are_counted_at_the_due_rate() -> None:
    backlog = Backlog(5)
    feed(backlog, range(250), 0.0)
    feed(backlog, range(250, 301), 2.0, keys=1000)
    assert backlog.take_skipped() == 10
    assert backlog.take_skipped() == 0


def test_stream_without_key_frames_is_decoded_again_all_the_same() -> None:
    backlog = Backlog(5)
    feed(backlog, range(250), 0.0)
    feed(backlog, range(250, 260), 2.0, keys=10**6)
    assert feed(backlog, range(260, 400), 0.0, keys=10**6)[-1] is False


def test_jump_of_the_timestamps_is_no_backlog() -> None:
    backlog = Backlog(5)
    feed(backlog, range(250), 1000.0)
    assert not any(backlog.packet(n / 25, 1010 + n / 25, True) for n in range(250))
    assert not any(backlog.packet(5000 + n / 25, 1020 + n / 25, True) for n in range(250))


def test_small_delay_is_slow_until_it_has_gone() -> None:
    backlog = Backlog(5)
    feed(backlog, range(250), 0.0)
    said = [backlog.is_slow]
    assert not any(feed(backlog, range(250, 260), 0.7))
    said.append(backlog.is_slow)
    for frames, lag_s in ((range(260, 270), 0.3), (range(270, 280), 0.02)):
        feed(backlog, frames, lag_s)
        said.append(backlog.is_slow)
    assert said == [False, True, True, False]
