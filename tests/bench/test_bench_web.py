"""The site under load; run with `pytest -m bench tests/bench/test_bench_web.py -s`."""

from __future__ import annotations

import multiprocessing
import os
import platform
import selectors
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from maskwatch.broker.connect import connect
from tests.support import wait_for
from tests.support_feed import Feeder
from tests.support_redis import redis_server
from tests.support_site import ask, ask_json, is_card, read_part, site_process

CAMERAS = [f"camera-{number:02d}" for number in range(32)]
MJPEG_CLIENTS = 20
CALLS = 150
PATHS = ("/api/v1/cameras", "/api/v1/cameras/camera-01", "/api/v1/status", "/metrics", "/readyz")

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]


def feed(url: str, cameras: list[str]) -> None:
    """Feed cameras until killed."""
    with connect(url, blocking=True) as client:
        feeder = Feeder(client, cameras).start()
        threading.Event().wait(280)
        feeder.stop()


def view(port: int) -> None:
    """Read a wall and twenty MJPEG streams until killed, as quickly as they come."""
    selector = selectors.DefaultSelector()
    paths = ["/api/v1/wall?width=320", *(f"/cameras/{name}/stream.mjpg" for name in CAMERAS[:MJPEG_CLIENTS])]
    for path in paths:
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        selector.register(connection, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select(1):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.recv(1 << 20)


@contextmanager
def running(target: object, *args: object) -> Iterator[BaseProcess]:
    process = multiprocessing.get_context("spawn").Process(target=target, args=args, daemon=True)  # type: ignore[arg-type]  # any function of this module
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join(10)


def test_api_answers_with_a_wall_of_32_and_20_mjpeg_clients(tmp_path: Path) -> None:
    with redis_server() as url, site_process(url, tmp_path / "log") as (port, process), running(feed, url, CAMERAS):
        wait_for(lambda: ask_json(port, "/api/v1/status")["cameras"].get("live") == 32, 60, "32 live cameras")
        with running(view, port):
            wait_for(lambda: ask_json(port, "/api/v1/status")["streams"]["open"] == 21, 60, "21 open streams")
            cpu_before, began = _cpu_s(process.pid), time.monotonic()
            answers_ms = {path: [_answer_ms(port, path) for _ in range(CALLS // len(PATHS))] for path in PATHS}
            cpu = (_cpu_s(process.pid) - cpu_before) / (time.monotonic() - began)
            assert ask_json(port, "/api/v1/status")["streams"]["open"] == 21
    print(f"\n{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"wall of 32 at 5 fps, {MJPEG_CLIENTS} MJPEG clients; web process uses {cpu:.2f} cores")
    for path, values in answers_ms.items():
        values.sort()
        p95, most = values[int(0.95 * (len(values) - 1))], values[-1]
        print(f"{path:26} n={len(values)} median {statistics.median(values):6.1f} p95 {p95:6.1f} max {most:6.1f} ms")


def test_seconds_from_the_last_packet_to_the_card(tmp_path: Path) -> None:
    measured = []
    with redis_server() as url, site_process(url, tmp_path / "log") as (port, _process):
        for _ in range(5):
            with connect(url, blocking=True) as client:
                client.flushall()
                feeder = Feeder(client, ["lobby"]).start()
                wait_for(lambda: bool(ask_json(port, "/api/v1/cameras")["items"]), 20, "the camera")
                with ask(port, "/cameras/lobby/stream.mjpg") as answer:
                    wait_for(lambda: not is_card(read_part(answer)), 20, "a live picture", every_s=0)
                    feeder.stop()
                    packet_age_s = ask_json(port, "/api/v1/cameras/lobby")["packet_age_s"]
                    stopped_at = time.monotonic()
                    wait_for(lambda: is_card(read_part(answer)), 20, "a card", every_s=0)
                    measured.append(packet_age_s + time.monotonic() - stopped_at)
    print(f"\nfrom the last packet to the card: {', '.join(f'{seconds:.2f}' for seconds in measured)} s")


def _answer_ms(port: int, path: str) -> float:
    began = time.perf_counter()
    with ask(port, path) as answer:
        assert answer.status in (200, 503)
        answer.read()
    return (time.perf_counter() - began) * 1000


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
