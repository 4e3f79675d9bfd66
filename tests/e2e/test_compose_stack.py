"""The stack of docker-compose.yml: every command, health check and variable of its services, run as processes.

Each process is in a box of its own, with the user, the read-only root, the volumes, the secrets and the host names that
the file gives it, and a real Redis, PostgreSQL and Prometheus.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.connect import connect
from maskwatch.broker.counts import Counts
from tests.support import ROOT, requires_debian, wait_for
from tests.support_boxes import Box, network, requires_namespaces
from tests.support_compose import Stack, compose_config

HEALTHY_S = 240.0
STORE_URL = "postgresql://maskwatch:${postgres_password}@postgres/maskwatch"
OURS = ("ingest", "worker", "recorder", "jobs", "web", "demo")
NOT_HERE = {
    "grafana": "Debian has no Grafana; its provisioning is checked with the dashboards",
    "worker-gpu": "the command of worker, on a GPU",
}

pytestmark = pytest.mark.timeout(4 * HEALTHY_S)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stack") / "secrets"
    subprocess.run(["sh", str(ROOT / "deploy" / "secrets.sh"), str(folder)], check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture(scope="module")
def stack(secrets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    requires_namespaces()
    for what in ("redis-server", "postgresql", "prometheus"):
        requires_debian(what)
    environ = {"CONFIG_FROM": "demo", "SECRETS_FROM": str(secrets), "STORE_URL": STORE_URL}
    project = compose_config("demo", "postgres", "gpu", environ=environ)
    with network(tmp_path_factory.mktemp("boxes")) as net:
        stack = Stack(project, net, tmp_path_factory.mktemp("volumes"))
        stack.up([name for name in project["services"] if name not in NOT_HERE], HEALTHY_S)
        yield stack


class Site:
    """The published port of a service, asked as a browser or a scraper would."""

    def __init__(self, port: int, token: str = "") -> None:
        self._port = port
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request("GET", path, headers=self._headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def json(self, path: str) -> Any:
        status, text = self.get(path)
        assert status == 200, text
        return json.loads(text)


def test_frames_go_all_the_way_and_the_site_is_ready(stack: Stack, secrets: Path) -> None:
    port = stack.published("web")
    wait_for(lambda: Site(port).get("/readyz")[0] == 200, HEALTHY_S, f"readiness: {Site(port).get('/readyz')}", 0.5)
    scraper = Site(port, (secrets / "metrics_token").read_text())

    def analysed() -> bool:
        lines = scraper.get("/metrics")[1].splitlines()
        counts = [line for line in lines if line.startswith("maskwatch_frames_analysed_total")]
        return len(counts) == 6 and all(float(line.split()[1]) > 0 for line in counts if "dropout" not in line)

    wait_for(analysed, HEALTHY_S, "frames of every film are analysed", 0.5)


def test_nobody_gets_in_without_the_password_or_the_token(stack: Stack, secrets: Path) -> None:
    port = stack.published("web")
    assert Site(port).get("/metrics")[0] == 401
    assert Site(port).get("/api/v1/cameras")[0] == 401
    assert Site(port, (secrets / "metrics_token").read_text()).get("/api/v1/cameras")[0] in (401, 403)


def test_prometheus_finds_and_scrapes_every_process(stack: Stack) -> None:
    prometheus = Site(stack.published("prometheus"))

    def scraped() -> set[str]:
        targets = prometheus.json("/api/v1/targets")["data"]["activeTargets"]
        return {one["labels"].get("service", "") for one in targets if one["health"] == "up"}

    wait_for(
        lambda: {"ingest", "worker", "recorder", "web"} <= scraped(), HEALTHY_S, f"every kind is up: {scraped()}", 1.0
    )


def test_processes_are_nobody_and_can_write_to_their_volumes_alone(stack: Stack) -> None:
    for name in OURS:
        box = stack.boxes[name]
        status = Path(f"/proc/{box.process.pid}/status").read_text()
        assert "Uid:\t10001\t10001\t10001\t10001" in status, name
        assert "CapEff:\t0000000000000000" in status, name
        for folder in ("/", "/etc/maskwatch", "/opt/maskwatch", "/run/secrets"):
            writes = box.run(["/bin/sh", "-c", f"touch {folder}/x"]).returncode == 0
            assert writes == (name == "demo" and folder == "/etc/maskwatch"), f"{name}: {folder}"
    for name in ("recorder", "jobs", "web"):
        assert stack.boxes[name].run(["/bin/sh", "-c", "touch /var/lib/maskwatch/x"]).returncode == 0


def test_redis_wants_the_password_and_keeps_what_it_should(stack: Stack, secrets: Path) -> None:
    password = (secrets / "redis_password").read_text()
    for name, is_kept in (("redis-live", "no"), ("redis-durable", "yes")):
        box = stack.boxes[name]
        assert "NOAUTH" in box.run(["redis-cli", "ping"]).stdout
        ask = ["/usr/bin/env", f"REDISCLI_AUTH={password}", "redis-cli", "config", "get"]
        assert box.run([*ask, "appendonly"]).stdout.split()[-1] == is_kept
        assert box.run([*ask, "maxmemory-policy"]).stdout.split()[-1] == "noeviction"
        assert password not in Path(f"/proc/{box.process.pid}/cmdline").read_text()


def test_what_the_operator_runs_inside_works(stack: Stack) -> None:
    checked = stack.boxes["web"].run(["maskwatch", "check"])
    assert checked.returncode == 0, checked.stdout
    assert "redis-durable:6379 answers" in checked.stdout
    assert "maskwatch-mask" in stack.boxes["jobs"].run(["maskwatch", "models", "list"]).stdout
    assert stack.boxes["jobs"].run(["maskwatch", "models", "activate", "--default"]).returncode == 0
    assert stack.boxes["worker"].run(["maskwatch", "models", "activate", "--default"]).returncode != 0, "read-only"


def _has_said(box: Box, words: str) -> bool:
    return words in box.said


def test_replicas_that_are_added_get_work_and_leave_in_time(stack: Stack) -> None:
    stack.start("worker", 2)
    stack.start("ingest", 2)
    for name, work in (("worker-2", "worker.ready"), ("ingest-2", "camera.taken")):
        box = stack.boxes[name]
        stack.await_health(name, HEALTHY_S)
        wait_for(partial(_has_said, box, work), HEALTHY_S, f"{name} says {work}")
        grace_s = int(stack.project["services"][name[:-2]]["stop_grace_period"].rstrip("s"))
        assert box.stop(grace_s) == 0


def test_killed_replicas_are_made_up_for(stack: Stack, secrets: Path) -> None:
    password = (secrets / "redis_password").read_text()
    url = f"redis://:{password}@127.0.0.1:{stack.reach('redis-live', 6379)}/0"
    with connect(url) as client:
        book = CameraBook(client)

        def shares() -> list[int]:
            return sorted(Counter(book.holders().values()).values())

        for service in ("worker", "ingest"):
            stack.await_health(stack.start(service, 3).spec.name, HEALTHY_S)
        wait_for(lambda: shares() == [3, 3], HEALTHY_S, "two share six cameras")
        for name in ("worker-3", "ingest-3"):
            stack.boxes[name].kill()
        killed_s = time.monotonic()
        wait_for(lambda: shares() == [6], HEALTHY_S, "one has all cameras again")
        print(f"all cameras are held {time.monotonic() - killed_s:.1f} s after the kill")
        before = Counts.read(client).cameras

        def goes_on() -> bool:
            now = Counts.read(client).cameras
            return all(now[name].analysed > before[name].analysed for name in ("lobby", "ward", "gate", "office"))

        wait_for(goes_on, HEALTHY_S, "frames of every camera are analysed again")
        print(f"all are analysed {time.monotonic() - killed_s:.1f} s after the kill")
        assert Counts.read(client).balanced


def test_all_end_in_time_and_well(stack: Stack) -> None:
    assert os.geteuid() == 0
    for name in ("prometheus", "web", "jobs", "recorder", "worker", "ingest", "demo", "redis-live", "redis-durable"):
        assert stack.boxes[name].stop(15) == 0, stack.boxes[name].said[-2000:]
