"""How many frames a second go through the queue; run with `pytest -m bench tests/bench/test_bench_queue.py -s`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import pytest
import redis

from maskwatch.broker.connect import connect
from maskwatch.broker.counts import Counts
from maskwatch.broker.frames import FrameQueue
from tests.support_queue import done, held, offer
from tests.support_redis import redis_server

CAMERAS = 64
JPEG_BYTES = 40_000
ROUNDS = 5
FRAMES_A_ROUND = 64 * 12
STATE = b"s" * 2000


@pytest.fixture(scope="module")
def bench_client() -> Iterator[redis.Redis]:
    with redis_server() as url, connect(url, blocking=True) as client:
        yield client


@pytest.mark.bench
@pytest.mark.parametrize("batch", [1, 8, 16])
def test_frames_per_second_through_the_queue(bench_client: redis.Redis, batch: int) -> None:
    bench_client.flushall()
    queue = FrameQueue(bench_client)
    holds = held(bench_client, *(f"c{number}" for number in range(CAMERAS)))
    offered, served, waits_ms = [], [], []
    number = 0
    for _ in range(ROUNDS):
        offer_s = serve_s = 0.0
        for _ in range(FRAMES_A_ROUND // CAMERAS):
            number += 1
            frames = [offer(hold, number, size=JPEG_BYTES) for hold in holds]
            started = time.perf_counter()
            for frame in frames:
                queue.offer(frame)
            offer_s += time.perf_counter() - started
            started = time.perf_counter()
            for _ in range(CAMERAS // batch):
                before = time.perf_counter()
                taken = queue.take(batch, wait_s=0)
                waits_ms.append((time.perf_counter() - before) * 1000)
                queue.done([done(one, state=STATE) for one in taken])
            serve_s += time.perf_counter() - started
        offered.append(FRAMES_A_ROUND / offer_s)
        served.append(FRAMES_A_ROUND / serve_s)
    snapshot = Counts.read(bench_client)
    assert snapshot.balanced
    assert sum(camera.analysed for camera in snapshot.cameras.values()) == ROUNDS * FRAMES_A_ROUND
    waits_ms.sort()
    print(
        f"\n{JPEG_BYTES} B, {CAMERAS} cameras, batch {batch}, one client, median of {ROUNDS} rounds of "
        f"{FRAMES_A_ROUND} frames: offer {statistics.median(offered):.0f}/s, "
        f"take+done {statistics.median(served):.0f} frames/s, take p95 {waits_ms[len(waits_ms) * 95 // 100]:.2f} ms"
    )
