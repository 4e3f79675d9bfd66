"""Real worker processes on a real Redis."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import redis

from maskwatch.broker import keys
from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.messages import Hold, Offer
from maskwatch.broker.processes import ProcessBook
from maskwatch.broker.viewer import Viewer
from maskwatch.media import encode_jpeg
from maskwatch.types import FrameStatus, MaskLabel, Verdict
from tests.support import ROOT, wait_for
from tests.support_pages import without_huge_pages
from tests.support_queue import count, counts, held
from tests.support_worker import moving_face, registered, require_shipped_models, rss_mb, started_worker

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(autouse=True)
def _models() -> None:
    require_shipped_models()


def offer(client: redis.Redis, hold: Hold, number: int, jpeg: bytes | None = None) -> None:
    if jpeg is None:
        jpeg = encode_jpeg(moving_face(number))
    FrameQueue(client).offer(Offer(hold.camera, hold.epoch, f"test-{number}", jpeg, (640, 360), 0.0, number / 5))


def analyse(client: redis.Redis, holds: list[Hold], first: int, frames: int) -> None:
    """Offer frames one after the other, each after the one before was analysed."""
    for number in range(first, first + frames):
        before = {hold.camera: count(client, hold.camera).analysed for hold in holds}
        for hold in holds:
            offer(client, hold, number)
        wait_for(partial(_all_beyond, client, before), 120, f"frame {number} of every camera is analysed")


def _all_beyond(client: redis.Redis, before: dict[str, int]) -> bool:
    return all(count(client, name).analysed > had for name, had in before.items())


def test_frames_of_several_cameras_are_analysed_and_people_counted(
    redis_client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    holds = held(redis_client, "lobby", "door")
    with started_worker(redis_url, tmp_path) as worker:
        wait_for(lambda: registered(redis_client) == {"one"}, 60, "it has entered the book")
        analyse(redis_client, holds, 0, 8)
        shown = Viewer(redis_client).fetch(["lobby"])["lobby"]
        assert shown.result.status is FrameStatus.OK
        (person,) = shown.result.people
        assert person.label is MaskLabel.WITHOUT_MASK
        assert person.verdict is Verdict.WITHOUT_MASK
        for hold in holds:
            CameraBook(redis_client).end(hold)
        wait_for(lambda: sum(count(redis_client, "lobby").people.values()), 60, "the person of lobby is counted")
        wait_for(lambda: sum(count(redis_client, "door").people.values()), 60, "the person of door is counted")
        assert count(redis_client, "lobby").people[Verdict.WITHOUT_MASK] == 1
        assert worker.stop() == 0
    assert registered(redis_client) == set(), "it has left the book"
    assert counts(redis_client).cameras["lobby"].analysed == 8


def test_corrupt_frame_is_counted_and_other_cameras_go_on(
    redis_client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    good, bad = held(redis_client, "good", "bad")
    with started_worker(redis_url, tmp_path) as worker:
        offer(redis_client, bad, 1, b"\xff\xd8 this is no picture")
        analyse(redis_client, [good], 1, 3)
        wait_for(lambda: count(redis_client, "bad").dropped["decode_error"] == 1, 60, "the corrupt frame is counted")
        analyse(redis_client, [good, bad], 4, 2)
        assert worker.process.poll() is None
        assert "frame.not_analysed" in worker.log
    assert count(redis_client, "good").analysed == 5


def test_worker_says_what_it_is_and_serves_metrics(redis_client: redis.Redis, redis_url: str, tmp_path: Path) -> None:
    from urllib.request import urlopen

    (hold,) = held(redis_client, "lobby")
    with without_huge_pages(), started_worker(redis_url, tmp_path) as worker:
        analyse(redis_client, [hold], 0, 2)
        (info,) = wait_for(lambda: ProcessBook(redis_client).list("worker"), 60, "its registration")
        assert (info.name, info.engine) == ("one", "litert")
        with urlopen(f"http://{info.address}/metrics", timeout=250) as answer:
            text = answer.read().decode()
        for stage in ("take", "decode", "detect", "track", "classify", "verdict", "done"):
            assert f'maskwatch_stage_seconds_count{{stage="{stage}"}}' in text
        assert "maskwatch_batch_size_count" in text
        assert "camera=" not in text
        assert rss_mb(worker.process) < 320


def test_killed_worker_loses_its_frames_and_another_goes_on(
    redis_client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    holds = held(redis_client, "lobby", "door")
    with started_worker(redis_url, tmp_path, "first") as first:
        analyse(redis_client, holds, 0, 3)
        first.process.send_signal(signal.SIGSTOP)
        for hold in holds:
            offer(redis_client, hold, 3)
        first.process.send_signal(signal.SIGCONT)
        wait_for(lambda: redis_client.zcard(keys.LEASES), 60, "it holds leases", every_s=0.0005)
        first.process.kill()
        first.process.wait(60)
        with started_worker(redis_url, tmp_path, "second") as second:
            for number in range(4, 7):
                for hold in holds:
                    offer(redis_client, hold, number)
                wait_for(
                    lambda: not any((c.waiting or c.in_flight) for c in counts(redis_client).cameras.values()),
                    30, "everything offered is dealt with",
                )  # fmt: skip
            assert all(count(redis_client, hold.camera).analysed >= 6 for hold in holds)
            assert second.stop() == 0
    assert counts(redis_client).balanced


def test_sigterm_finishes_the_batch_within_ten_seconds(
    redis_client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    holds = held(redis_client, *[f"cam{number}" for number in range(12)])
    with started_worker(redis_url, tmp_path) as worker:
        analyse(redis_client, holds, 0, 1)
        for hold in holds:
            offer(redis_client, hold, 1)
        assert worker.stop(10) == 0
        assert "worker.stopped" in worker.log
    assert all(camera.in_flight == 0 for camera in counts(redis_client).cameras.values())


def test_worker_outlives_a_flushed_redis(redis_client: redis.Redis, redis_url: str, tmp_path: Path) -> None:
    with started_worker(redis_url, tmp_path) as worker:
        analyse(redis_client, held(redis_client, "lobby"), 0, 2)
        redis_client.flushall()
        redis_client.script_flush()
        analyse(redis_client, held(redis_client, "lobby"), 0, 2)
        assert worker.stop() == 0


def test_worker_without_redis_in_the_configuration_says_so(tmp_path: Path) -> None:
    config = tmp_path / "empty.yaml"
    config.write_text("worker: {batch: 2}\n")
    environ = {key: value for key, value in os.environ.items() if not key.startswith("MASKWATCH_REDIS")}
    ended = subprocess.run(
        [sys.executable, "-m", "maskwatch", "worker", "--config", str(config)],
        cwd=ROOT, env=environ, capture_output=True, text=True, timeout=250,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "redis: is missing" in ended.stderr


def test_error_that_nobody_expected_is_logged_with_its_traceback_and_exit_code_1() -> None:
    code = (
        "import workers.worker_process\n"
        "def fail(*_): raise ZeroDivisionError('a deadly frame')\n"
        "workers.worker_process.run = fail\n"
        "from maskwatch.cli import main\n"
        "main(['worker', '--name', 'one'])\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=250)
    assert ended.returncode == 1
    assert "worker.crashed" in ended.stderr
    assert "ZeroDivisionError: a deadly frame" in ended.stderr


def test_worker_and_detect_answer_help_without_any_model_runtime() -> None:
    code = (
        "import sys, workers.cli\n"
        "heavy = {'tensorflow', 'keras', 'ai_edge_litert', 'cv2', 'scipy', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=250)


def test_engine_keras_analyses_the_same_frames(redis_client: redis.Redis, redis_url: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    (hold,) = held(redis_client, "lobby")
    with started_worker(redis_url, tmp_path, words=["--engine", "keras"], ready_within_s=500) as worker:
        (info,) = wait_for(lambda: ProcessBook(redis_client).list("worker"), 60, "its registration")
        assert info.engine == "keras"
        analyse(redis_client, [hold], 0, 6)
        (person,) = Viewer(redis_client).fetch(["lobby"])["lobby"].result.people
        assert person.verdict is Verdict.WITHOUT_MASK
        assert worker.stop(120.0) == 0
