"""Far more frames than one worker can do: rates give way, delay stays, nobody is left out, and all comes back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from maskwatch.broker import keys
from maskwatch.broker.connect import connect
from maskwatch.broker.counts import Counts, CountsSnapshot
from maskwatch.broker.shedding import SheddingBook
from maskwatch.media import encode_jpeg
from maskwatch.media.writer import VideoWriter
from tests.support import wait_for
from tests.support_ingest import ingest
from tests.support_redis import redis_server
from tests.support_worker import moving_face, require_shipped_models, started_worker
from workers.bench.figures import difference, histogram_quantile_s
from workers.bench.load import camera_names, produce_job

pytestmark = [pytest.mark.timeout(400), pytest.mark.alone]

CAMERAS, FPS, SECONDS = 24, 30.0, 30.0
GENEROUS_S = 120.0


@pytest.fixture
def url() -> Iterator[str]:
    with redis_server() as url:
        yield url


@contextmanager
def offered(url: str, folder: Path) -> Iterator[threading.Thread]:
    """Offer frames of all cameras for some time, as ingest does."""
    folder.mkdir()
    for number in range(30):
        (folder / f"{number:03}.jpg").write_bytes(encode_jpeg(moving_face(number)))
    spec = {
        "url": url, "ingest": "test", "cameras": camera_names(CAMERAS), "fps": FPS, "seconds": SECONDS,
        "profile": "accurate", "folder": str(folder), "gives_way": True,
    }  # fmt: skip
    thread = threading.Thread(target=produce_job, args=(spec, lambda: None), daemon=True)
    thread.start()
    yield thread
    thread.join(SECONDS + GENEROUS_S)
    assert not thread.is_alive()


def shares(before: CountsSnapshot, after: CountsSnapshot) -> list[float]:
    done = [after.cameras[name].analysed - before.cameras[name].analysed for name in after.cameras]
    return [one * len(done) / sum(done) for one in done]


def test_overload_is_answered_by_lower_rates_and_all_comes_back(url: str, tmp_path: Path) -> None:
    require_shipped_models()
    with connect(url) as client, started_worker(url, tmp_path) as worker:
        book = SheddingBook(client)
        assert book.level() == 0
        with offered(url, tmp_path / "pictures") as producer:
            wait_for(lambda: book.level() >= 5, SECONDS - 10, "rates give way")
            before = Counts.read(client)
            wait_for(lambda: not producer.is_alive(), SECONDS + GENEROUS_S, "the end of the load")
            after = Counts.read(client)
        assert after.balanced
        assert histogram_quantile_s(difference(after.latency, before.latency), 0.95) < 2.0
        assert 0.7 < min(shares(before, after)) <= max(shares(before, after)) < 1.3
        assert all(camera.dropped["shed"] > 0 for camera in after.cameras.values())
        wait_for(lambda: book.level() == 0, GENEROUS_S, "all is as configured again")
        assert worker.log.count("shedding.raised") >= 1
        assert worker.log.count("shedding.lowered") >= 1
        assert worker.stop() == 0
        assert Counts.read(client).balanced


def test_ingest_obeys_the_level_and_offers_everything_when_nobody_decides_any_more(url: str, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    with VideoWriter(film, (320, 180), 20) as writer:
        for number in range(60):
            writer.write(moving_face(7 * number, (320, 180)))
    cameras: dict[str, object] = {
        name: {"source": str(film), "loop": True, "fps": 20, "motion": {"enabled": False}} for name in ("a", "b")
    }
    with ingest(url, tmp_path, cameras) as process:
        process.await_frames("a", 10)
        process.client.hset(keys.SHEDDING, "level", 13)
        wait_for(lambda: process.counts("a").dropped["shed"] > 0, GENEROUS_S, "the level is obeyed")
        before = {name: process.counts(name) for name in cameras}
        process.await_frames("a", 60)
        process.await_frames("b", 60)
        for name, had in before.items():
            now = process.counts(name)
            captured, shed = now.captured - had.captured, now.dropped["shed"] - had.dropped["shed"]
            assert shed == pytest.approx(0.746 * captured, abs=5), "a quarter is offered"
            assert now.balanced
        process.client.pexpire(keys.SHEDDING, 1)
        wait_for(lambda: process.said.count("shedding.obeyed") >= 2, GENEROUS_S, "the level is gone")
        process.await_frames("a", 5)
        shed = process.counts("a").dropped["shed"]
        process.await_frames("a", 20)
        assert process.counts("a").dropped["shed"] == shed
