"""One level for all workers: agreed, kept while somebody decides, gone when nobody does."""

from __future__ import annotations

import threading

import pytest
import redis
from structlog.testing import capture_logs

from maskwatch.broker import keys
from maskwatch.broker.connect import connect
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.shedding import Pressure, SheddingBook
from maskwatch.errors import BrokerDown
from tests.support import free_port, wait_for
from tests.support_bus import FakeClock
from tests.support_queue import done, held, offer
from workers.batching import LoadMeter
from workers.shedding import Controller
from workers.steering import Steering


@pytest.fixture
def book(each_redis: redis.Redis) -> SheddingBook:
    """One in which nothing runs out by itself, however slow the machine is."""
    return SheddingBook(each_redis, decide_ms=3_600_000, level_ms=7_200_000)


def decided(book: SheddingBook, worker: str, busy: float = 1.0) -> Pressure:
    _, pressure = book.report(worker, busy)
    assert pressure is not None
    return pressure


def let_decider_be_silent(client: redis.Redis) -> None:
    client.hset(keys.SHEDDING, "until", 1)


def test_without_workers_all_is_as_configured(book: SheddingBook) -> None:
    assert book.level() == 0


def test_first_worker_decides_and_the_others_obey(book: SheddingBook) -> None:
    decided(book, "one")
    assert book.report("two", 1.0) == (0, None)
    assert book.change("one", 0, 4)
    assert book.report("two", 1.0) == (4, None)
    assert book.level() == 4


def test_only_the_one_that_decides_changes_the_level_and_only_from_what_it_saw(book: SheddingBook) -> None:
    decided(book, "one")
    book.report("two", 1.0)
    assert not book.change("two", 0, 9)
    assert not book.change("one", 3, 9)
    assert book.level() == 0


def test_many_that_ask_at_once_have_one_among_them_that_decides(each_redis: redis.Redis, book: SheddingBook) -> None:
    answers: list[tuple[int, Pressure | None]] = []
    threads = [threading.Thread(target=lambda n=n: answers.append(book.report(f"w{n}", 0.5))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 8
    assert sum(pressure is not None for _, pressure in answers) == 1


def test_worker_that_is_silent_is_succeeded_and_the_level_stays(each_redis: redis.Redis, book: SheddingBook) -> None:
    decided(book, "one")
    book.change("one", 0, 5)
    let_decider_be_silent(each_redis)
    level, pressure = book.report("two", 1.0)
    assert (level, pressure is not None) == (5, True)
    assert not book.change("one", 5, 0), "it comes back too late"
    assert book.report("one", 1.0) == (5, None)


def test_worker_that_ends_is_succeeded_at_once(book: SheddingBook) -> None:
    decided(book, "one")
    book.change("one", 0, 5)
    book.leave("one")
    level, pressure = book.report("two", 1.0)
    assert level == 5
    assert pressure is not None
    assert pressure.workers == 1


def test_worker_that_ends_without_deciding_changes_nothing(book: SheddingBook) -> None:
    decided(book, "one")
    book.report("two", 1.0)
    book.leave("two")
    assert book.report("three", 1.0) == (0, None)


def test_level_is_gone_some_time_after_the_last_decision(each_redis: redis.Redis) -> None:
    book = SheddingBook(each_redis, decide_ms=100, level_ms=300)
    decided(book, "one")
    book.change("one", 0, 5)
    wait_for(lambda: book.level() == 0, 120, "the level has run out")


def test_level_lasts_while_somebody_decides(each_redis: redis.Redis, book: SheddingBook) -> None:
    decided(book, "one")
    book.change("one", 0, 5)
    each_redis.pexpire(keys.SHEDDING, 3_000_000)
    book.report("two", 1.0)
    assert each_redis.pttl(keys.SHEDDING) <= 3_000_000, "who only obeys doesn't prolong it"
    book.report("one", 1.0)
    assert each_redis.pttl(keys.SHEDDING) > 3_000_000


def test_after_a_flush_somebody_decides_anew_from_nothing(each_redis: redis.Redis, book: SheddingBook) -> None:
    decided(book, "one")
    book.change("one", 0, 5)
    each_redis.flushall()
    each_redis.script_flush()
    assert book.level() == 0
    assert not book.change("one", 5, 6)
    level, pressure = book.report("two", 1.0)
    assert (level, pressure is not None) == (0, True)


def test_loads_are_averaged_over_those_that_reported_lately(each_redis: redis.Redis, book: SheddingBook) -> None:
    book.report("one", 1.0)
    book.report("two", 0.5)
    each_redis.hset(keys.LOADS, "dead", "1 1000")
    pressure = decided(book, "one", 0.7)
    assert pressure.workers == 2
    assert pressure.busy == pytest.approx(0.6)
    assert sorted(each_redis.hkeys(keys.LOADS)) == [b"one", b"two"]


def test_pressure_tells_what_was_done_lost_and_waited_for(each_redis: redis.Redis, book: SheddingBook) -> None:
    queue = FrameQueue(each_redis, stale_ms=100_000)
    a, b, late = held(each_redis, "a", "b", "late")
    for number in (1, 2, 3):
        queue.offer(offer(a, number))
    queue.offer(offer(b, 1))
    queue.offer(offer(late, 1, age_s=200.0))
    each_redis.hincrby(keys.camera_key("b"), "next_at", -10_000)
    queue.done([done(one) for one in queue.take(8, 0)])
    pressure = decided(book, "one")
    assert (pressure.analysed, pressure.lost, pressure.taken) == (2, 3, 2)
    assert pressure.waited_s >= 10.0


def test_frames_of_cameras_that_are_gone_still_count(each_redis: redis.Redis, book: SheddingBook) -> None:
    from maskwatch.broker.cameras import CameraBook

    queue = FrameQueue(each_redis)
    (hold,) = held(each_redis, "a")
    for number in (1, 2):
        queue.offer(offer(hold, number))
    queue.done([done(one) for one in queue.take(1, 0)])
    before = decided(book, "one")
    CameraBook(each_redis).retire("a")
    after = decided(book, "one")
    assert (after.analysed, after.lost) == (before.analysed, before.lost) == (1, 1)


def test_level_that_nobody_can_read_counts_as_none(each_redis: redis.Redis, book: SheddingBook) -> None:
    each_redis.hset(keys.SHEDDING, "level", "much")
    assert book.level() == 0
    assert decided(book, "one").workers == 1


class Wants(Controller):
    """Wants a level, whatever there is to do."""

    level = 0

    def step(self, now_s: float, level: int, pressure: Pressure) -> int:
        return self.level


def test_workers_do_the_same_though_they_would_decide_differently(each_redis: redis.Redis, book: SheddingBook) -> None:
    clock, workers = FakeClock(), []
    for name, level in (("one", 3), ("two", 9)):
        controller = Wants()
        controller.level = level
        workers.append(Steering(book, name, LoadMeter(clock), controller, clock))
    with capture_logs() as logs:
        for _ in range(5):
            clock.now += 1.0
            levels = [worker.step().level for worker in workers]
            assert levels == [3, 3]
        workers[0].leave()
        clock.now += 1.0
        assert [worker.step().level for worker in reversed(workers)] == [9, 9]
    assert [(one["before"], one["after"]) for one in logs] == [(0, 3), (3, 9)]


def test_redis_that_is_away_is_told() -> None:
    with connect(f"redis://127.0.0.1:{free_port()}/0") as client, pytest.raises(BrokerDown):
        SheddingBook(client).level()
