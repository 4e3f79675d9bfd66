"""One, then three, then one ingest and worker under load: even shares, exact counts, no frame analysed twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import cast

import pytest
import redis

from maskwatch.broker.counts import Counts
from tests.e2e.counted_worker import ANALYSED
from tests.support import ROOT, wait_for
from tests.support_ingest import STOP_S, Ingest, ingest
from tests.support_media import write_film
from tests.support_redis import redis_server
from tests.support_worker import registered

CAMERAS = 12
GENEROUS_S = 120.0

pytestmark = pytest.mark.timeout(6 * GENEROUS_S)


@contextmanager
def worker(url: str, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker; it must end well on SIGTERM."""
    process = subprocess.Popen([sys.executable, "-m", "tests.e2e.counted_worker", url, name], cwd=ROOT)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_S) == 0
    finally:
        process.kill()
        process.wait(10)


def shares(one: Ingest) -> list[int]:
    return sorted(Counter(one.book.holders().values()).values())


def analysed(client: redis.Redis) -> list[tuple[str, str]]:
    """Return worker and frame of everything that was analysed, in order."""
    notes = [bytes(note).decode().split(" ", 1) for note in cast(list[bytes], client.lrange(ANALYSED, 0, -1))]
    return [(name, frame) for name, frame in notes]


def await_frames_of_all(client: redis.Redis, more: int) -> None:
    """Wait until every camera has had some more frames analysed."""
    before = Counter(frame.split()[0] for _, frame in analysed(client))

    def reached() -> bool:
        now = Counter(frame.split()[0] for _, frame in analysed(client))
        return all(now[f"c{n:02}"] >= before[f"c{n:02}"] + more for n in range(CAMERAS))

    wait_for(reached, GENEROUS_S, f"{more} more frames of every camera")


def test_one_three_one(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", 50)
    camera = {"source": str(film), "loop": True, "motion": {"enabled": False}}
    cameras: dict[str, object] = {f"c{number:02}": camera for number in range(CAMERAS)}
    with redis_server() as url, worker(url, "w1"), ingest(url, tmp_path, cameras, "i1") as first:
        await_frames_of_all(first.client, 5)
        assert shares(first) == [CAMERAS]
        with ExitStack() as more:
            for number in (2, 3):
                more.enter_context(ingest(url, tmp_path, None, f"i{number}"))
                more.enter_context(worker(url, f"w{number}"))
            wait_for(lambda: registered(first.client) == {"w1", "w2", "w3"}, GENEROUS_S, "three workers")
            began_s = time.monotonic()
            wait_for(lambda: shares(first) == [4, 4, 4], GENEROUS_S, f"even shares: {shares(first)}")
            print(f"even after {time.monotonic() - began_s:.1f} s")
            seen = len(analysed(first.client))
            await_frames_of_all(first.client, 10)
            by_worker = Counter(name for name, _ in analysed(first.client)[seen:])
            # Whoever is idle takes: no worker is left out.
            assert by_worker.keys() == {"w1", "w2", "w3"}
        wait_for(lambda: shares(first) == [CAMERAS], GENEROUS_S, "one has all again")
        await_frames_of_all(first.client, 10)
        assert registered(first.client) == {"w1"}
        client = first.client

        def settled() -> bool:
            return all(not one.waiting and not one.in_flight for one in Counts.read(client).cameras.values())

        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(STOP_S) == 0
        wait_for(settled, GENEROUS_S, "what waited is done")
        counts = Counts.read(client)
        frames = [frame for _, frame in analysed(client)]
        assert len(frames) == len(set(frames)), "a frame was analysed twice"
        assert counts.balanced
        assert len(frames) == sum(one.analysed for one in counts.cameras.values())
        for name, one in counts.cameras.items():
            assert one.captured == one.analysed + sum(one.dropped.values()), name
            # A camera moves twice at most, and at each move no more than the frame in flight is lost.
            assert one.dropped["lease_lost"] <= 2, name
