"""The whole of it at once: three RTSP cameras, two of each that scales, Redis with passwords, a real Prometheus.

One ingest and one worker are killed at the same moment.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import redis

from maskwatch.arrays import UInt8Array
from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.connect import connect
from maskwatch.broker.counts import CountsSnapshot
from maskwatch.store import Store
from maskwatch.types import CameraState, Verdict
from tests.e2e.test_monitoring import wait_for_data
from tests.support import ROOT, free_port, requires_debian, wait_for
from tests.support_media import rtsp_server, write_film
from tests.support_prometheus import DASHBOARDS, Prometheus, asked, rules, started_prometheus
from tests.support_queue import counts
from tests.support_site import ask_json
from tests.support_worker import moving_face

GENEROUS_S = 120.0
PASSWORD = "not-a-secret"
CAMERAS = ("lobby", "ward", "yard")

pytestmark = pytest.mark.timeout(6 * GENEROUS_S)

CONFIG = """
redis: {{live: {live}, durable: {durable}}}
state_dir: {state}
web: {{port: {port}}}
worker: {{stale_after_s: 30}}
notify:
  receivers:
    nobody: {{webhook: "http://127.0.0.1:9/", secret: not a secret at all}}
defaults: {{fps: 5, motion: {{enabled: false}}}}
cameras:
  lobby:
    source: {url}/lobby
    zones:
      door: {{polygon: [[0, 0], [1, 0], [1, 1], [0, 1]], require_mask: true}}
  ward: {{source: {url}/ward}}
  yard: {{source: {url}/yard}}
"""


def passer_by(number: int, size_wh: tuple[int, int]) -> UInt8Array:
    """Draw somebody who is there for four seconds of eight, at 10 frames a second."""
    width, height = size_wh
    return moving_face(number, size_wh) if number < 40 else np.full((height, width, 3), 90, np.uint8)


@contextmanager
def guarded_redis(folder: Path, *options: str) -> Iterator[str]:
    """Run Debian's Redis with a password and give its URL."""
    requires_debian("redis-server")
    folder.mkdir()
    port = free_port()
    command = [str(shutil.which("redis-server")), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    command += ["--requirepass", PASSWORD, "--save", "", "--maxmemory-policy", "noeviction", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    url = f"redis://:{PASSWORD}@127.0.0.1:{port}/0"

    def answers(client: redis.Redis) -> bool:
        try:
            return bool(client.ping())
        except redis.exceptions.RedisError:
            return False

    try:
        with connect(url) as probe:
            wait_for(lambda: answers(probe), 20, "an answer of Redis")
        yield url
    finally:
        process.kill()
        process.wait(10)


@contextmanager
def started(config: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a verb, logging beside the configuration."""
    with (config.parent / f"{'-'.join(words).replace('--', '')}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "maskwatch", *words, "--config", str(config)], cwd=ROOT, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


@dataclass
class Whole:
    """What runs.

    Attributes:
        client: of the live Redis.
        ingests: two processes.
        workers: two processes.
        prometheus: scrapes all of it.
        port: of the site.
        record: the database's address.
    """

    client: redis.Redis
    ingests: Sequence[subprocess.Popen[bytes]]
    workers: Sequence[subprocess.Popen[bytes]]
    prometheus: Prometheus
    port: int
    record: str


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    requires_debian("prometheus")
    folder = tmp_path_factory.mktemp("whole")
    film = write_film(folder / "walk.mp4", 80, size_wh=(640, 360), fps=10, draw=passer_by)
    mounts: list[dict[str, object]] = [{"path": f"/{name}", "file": str(film), "loop": True} for name in CAMERAS]
    port, config = free_port(), folder / "cameras.yaml"
    with ExitStack() as stack:
        live = stack.enter_context(guarded_redis(folder / "live", "--appendonly", "no"))
        kept = ("--appendonly", "yes", "--appendfsync", "always")
        durable = stack.enter_context(guarded_redis(folder / "durable", *kept))
        server = stack.enter_context(rtsp_server(*mounts))
        config.write_text(
            CONFIG.format(live=live, durable=durable, state=folder / "state", port=port, url=server.url(""))
        )
        for verb in ("recorder", "jobs", "web"):
            stack.enter_context(started(config, verb))
        workers = [stack.enter_context(started(config, "worker", "--name", f"worker-{n}")) for n in (1, 2)]
        ingests = [stack.enter_context(started(config, "ingest", "--name", f"ingest-{n}")) for n in (1, 2)]
        client = stack.enter_context(connect(live))
        wait_for(lambda: is_ready(port), GENEROUS_S, f"the site is ready; logs are in {folder}", 0.5)
        prometheus = stack.enter_context(started_prometheus(folder, port))
        yield Whole(client, ingests, workers, prometheus, port, f"sqlite:///{folder / 'state' / 'record.db'}")


def is_ready(port: int) -> bool:
    try:
        return bool(ask_json(port, "/readyz")["ready"])
    except OSError:
        return False


def live_cameras(client: redis.Redis) -> set[str]:
    """Return the cameras whose packets arrive."""
    return {view.info.name for view in CameraBook(client).overview() if view.state is CameraState.LIVE}


def analysed(client: redis.Redis) -> dict[str, int]:
    return {name: camera.analysed for name, camera in counts(client).cameras.items()}


def test_two_of_each_share_the_work(whole: Whole) -> None:
    wait_for(lambda: live_cameras(whole.client) == set(CAMERAS), GENEROUS_S, "all cameras are live", 0.2)

    def holders() -> set[str]:
        return set(CameraBook(whole.client).holders().values())

    wait_for(lambda: holders() == {"ingest-1", "ingest-2"}, GENEROUS_S, "both ingests hold cameras", 0.2)
    busy = "count(rate(maskwatch_batch_size_count[30s]) > 0)"
    wait_for(lambda: whole.prometheus.value(busy) == 2, GENEROUS_S, "both workers work", 0.5)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_dashboards_are_full(name: str, whole: Whole) -> None:
    wait_for_data(whole.prometheus, {f"{number} {title}": expr for number, (title, expr) in enumerate(asked(name))})


def test_rules_are_full(whole: Whole) -> None:
    wait_for_data(whole.prometheus, {rule["record"]: rule["record"] for rule in rules("record")})


def test_killed_ingest_and_worker_are_replaced_by_the_others(whole: Whole) -> None:
    orphans = {name for name, holder in CameraBook(whole.client).holders().items() if holder == "ingest-1"}
    assert orphans
    whole.ingests[0].send_signal(signal.SIGKILL)
    whole.workers[0].send_signal(signal.SIGKILL)
    began_s = time.monotonic()

    def taken_over() -> bool:
        found = CameraBook(whole.client).holders()
        return all(found.get(name) == "ingest-2" for name in CAMERAS) and live_cameras(whole.client) == set(CAMERAS)

    wait_for(taken_over, GENEROUS_S, "the other ingest reads all cameras", 0.1)
    before = analysed(whole.client)
    wait_for(
        lambda: all(now > before[name] for name, now in analysed(whole.client).items()), GENEROUS_S,
        "the other worker analyses all cameras", 0.1,
    )  # fmt: skip
    sys.stdout.write(f"everything is back after {time.monotonic() - began_s:.1f} s\n")
    assert counts(whole.client).balanced
    gone = 'max(maskwatch_processes{service="worker"}) == 1'
    wait_for(lambda: whole.prometheus.value(gone), GENEROUS_S, "Prometheus sees that one worker is left", 0.5)


def test_counts_are_exact_in_the_end(whole: Whole) -> None:
    """What the metrics count is what the record holds, and every frame has one fate."""

    def somebody_went_by() -> bool:
        return all(sum(camera.people.values()) for camera in counts(whole.client).cameras.values())

    wait_for(somebody_went_by, GENEROUS_S, "somebody has gone by every camera", 0.2)
    whole.ingests[1].send_signal(signal.SIGTERM)
    assert whole.ingests[1].wait(20) == 0

    def quiet() -> CountsSnapshot | None:
        now = counts(whole.client)
        busy = any(
            camera.waiting or camera.in_flight or sum(camera.present.values()) for camera in now.cameras.values()
        )
        return None if busy else now

    now = wait_for(quiet, GENEROUS_S, "everybody has gone", 0.2)
    for name, camera in now.cameras.items():
        assert camera.captured == camera.analysed + sum(camera.dropped.values()), name

    def counted() -> dict[tuple[str, str], int]:
        # Asked again each time: the last ones are counted when the ends of their cameras have been dealt with.
        cameras = counts(whole.client).cameras.items()
        return {
            (name, verdict): people for name, camera in cameras for verdict, people in camera.people.items() if people
        }

    moment = datetime.now(UTC)

    def recorded() -> dict[tuple[str, str], int]:
        with Store(whole.record) as store:
            rows = store.compliance(moment - timedelta(days=1), moment + timedelta(days=1), by=("camera",))
        found = {
            (str(row.camera), verdict.value): int(getattr(row, verdict.value)) for row in rows for verdict in Verdict
        }
        return {key: people for key, people in found.items() if people}

    wait_for(lambda: recorded() == counted(), GENEROUS_S, "the record holds what is counted", 0.5)
    lobby = counts(whole.client).cameras["lobby"]
    assert lobby.zones["door"] == lobby.people
