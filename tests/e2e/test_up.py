"""`maskwatch up` as a person starts it: in an empty home, everything real, polled with deadlines."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from maskwatch.broker.connect import connect
from maskwatch.broker.processes import ProcessBook
from maskwatch.demo.cameras import DEMO_CAMERAS
from maskwatch.types import Verdict
from tests.support import wait_for
from tests.support_redis import redis_server
from tests.support_up import GENEROUS_S, Up, at_home, environ_of, started_up

STOP_S = 15.0
"""Ten seconds are promised for the end of everything; on a busy machine it is over a little later."""

EVERYBODY = {"ingest.started", "worker.ready", "recorder.ready", "jobs.ready", "web.listening"}
"""What the processes log when they have begun to work."""

pytestmark = pytest.mark.timeout(4 * GENEROUS_S)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One demo for the tests that only look."""
    with started_up(tmp_path_factory.mktemp("demo") / "home", "--demo") as up:
        yield up


def analysed(up: Up, name: str) -> dict[str, Any] | None:
    camera = up.camera(name)
    return camera if camera.get("state") == "live" and camera.get("frame_age_s") is not None else None


def people(up: Up, name: str, verdict: str) -> int:
    """Return how many people with a verdict a camera sees now."""
    return int(up.camera(name).get("people", {}).get(verdict, 0))


def count(up: Up, event: str) -> int:
    """Return how often something was logged so far."""
    return len([entry for entry in up.events() if entry["event"] == event])


def has_begun(up: Up) -> bool:
    """Tell whether every kind of process works."""
    return {entry["event"] for entry in up.events()} >= EVERYBODY


def counted(up: Up) -> dict[tuple[str, str], int]:
    """Return what the metrics say of people who have gone: (camera, verdict) -> how many."""
    lines = (up.get("/metrics") or b"").decode()
    found = re.findall(r'^maskwatch_people_total\{camera="(\w+)",verdict="(\w+)"\} (\d+)', lines, re.MULTILINE)
    return {(camera, verdict): int(people) for camera, verdict, people in found if int(people)}


def recorded(up: Up) -> dict[tuple[str, str], int]:
    """Return what the record says of the same."""
    rows = json.loads(up.get("/api/v1/compliance?by=camera") or b'{"items": []}')["items"]
    found = {(row["camera"], str(verdict)): row[verdict] for row in rows for verdict in Verdict}
    return {key: people for key, people in found.items() if people}


def run_up(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run an `up` that should end by itself."""
    home.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "maskwatch", "up", *words],
        env=at_home(home), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=GENEROUS_S, check=False,
    )  # fmt: skip


def test_demo_shows_annotated_pictures_of_every_camera(demo: Up) -> None:
    began = time.monotonic()
    wait_for(lambda: analysed(demo, "lobby"), GENEROUS_S, "the first camera is live and analysed", 0.1)
    sys.stdout.write(f"first analysed picture after {time.monotonic() - began:.1f} s\n")
    for camera in DEMO_CAMERAS:
        wait_for(partial(analysed, demo, camera.name), GENEROUS_S, f"{camera.name} is live", 0.1)
        snapshot = demo.get(f"/cameras/{camera.name}/snapshot.jpg")
        assert snapshot is not None
        assert snapshot.startswith(b"\xff\xd8")


def test_demo_tells_who_wears_a_mask(demo: Up) -> None:
    for name, verdict in (("lobby", "without_mask"), ("ward", "with_mask")):
        wait_for(partial(people, demo, name, verdict), GENEROUS_S, f"somebody {verdict} in {name}")


def test_record_agrees_with_the_metrics(demo: Up) -> None:
    wait_for(lambda: sum(counted(demo).values()) >= 2, GENEROUS_S, "some people to have gone by")
    # People go by all the time, so it is an instant at which nobody waits to be recorded.
    wait_for(lambda: counted(demo) == recorded(demo), GENEROUS_S, "record and metrics to say the same")
    assert (demo.home / ".local/state/maskwatch/record.db").exists()


def test_demo_streams_moving_pictures(demo: Up) -> None:
    wait_for(lambda: analysed(demo, "lobby"), GENEROUS_S, "the lobby is live")
    with urllib.request.urlopen(f"http://127.0.0.1:{demo.port}/cameras/lobby/stream.mjpg", timeout=20) as stream:
        pictures: set[bytes] = set()
        body = b""
        ends = time.monotonic() + GENEROUS_S
        while len(pictures) < 5 and time.monotonic() < ends:
            body += stream.read1(65536)
            *parts, body = body.split(b"\xff\xd9")
            pictures |= {part[part.find(b"\xff\xd8") :] for part in parts}
    assert len(pictures) >= 5


def test_camera_that_drops_out_is_shown_so_and_comes_back(demo: Up) -> None:
    wait_for(lambda: analysed(demo, "dropout"), GENEROUS_S, "it is there")
    lost = ("stalled", "offline", "connecting")
    wait_for(lambda: demo.camera("dropout").get("state") in lost, GENEROUS_S, "it has gone away")
    wait_for(lambda: analysed(demo, "lobby"), GENEROUS_S, "the lobby is there all the same")
    wait_for(lambda: analysed(demo, "dropout"), GENEROUS_S, "it is back")


def test_address_and_cameras_are_printed_once_the_site_answers(demo: Up) -> None:
    assert demo.process.stdout is not None
    printed = [demo.process.stdout.readline() for _ in range(len(DEMO_CAMERAS) + 2)]
    assert printed[0] == f"Maskwatch is at http://127.0.0.1:{demo.port}/\n"
    assert [line.split()[0] for line in printed[1:-1]] == [camera.name for camera in DEMO_CAMERAS]


def test_no_secret_is_in_the_log_or_in_a_command_line(demo: Up) -> None:
    wait_for(lambda: demo.get("/healthz"), GENEROUS_S, "the site answers")
    variables = environ_of(min(demo.pids("web")))
    shown = demo.log.read_text(errors="replace")
    for pid in demo.pids():
        with suppress(OSError):  # it has ended
            shown += Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    for name in ("MASKWATCH_REDIS__LIVE", "MASKWATCH_REDIS__DURABLE"):
        password = variables[name].split("@")[0].rsplit(":", 1)[1]
        assert len(password) == 32
        assert password not in shown


def test_killed_worker_is_started_again(demo: Up) -> None:
    wait_for(lambda: analysed(demo, "lobby"), GENEROUS_S, "the lobby is live")
    before = demo.pids("worker")
    assert before
    ready_before = count(demo, "worker.ready")
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: demo.pids("worker") - before, GENEROUS_S, "another worker runs")
    assert any(e["event"] == "child.died" and e["how"] == "signal SIGKILL" for e in demo.events())
    wait_for(lambda: count(demo, "worker.ready") > ready_before, GENEROUS_S, "the other worker is ready")
    wait_for(lambda: (demo.camera("lobby").get("frame_age_s") or 99) < 3, GENEROUS_S, "pictures are analysed again")


def test_second_up_on_the_same_state_dir_is_refused(demo: Up) -> None:
    wait_for(lambda: demo.get("/healthz"), GENEROUS_S, "the site answers")
    done = run_up(demo.home, "--demo", "--port", "0")
    assert done.returncode == 2
    assert f"in use by another `maskwatch up` (process {demo.process.pid})" in done.stderr
    assert demo.process.poll() is None


@pytest.mark.alone
@pytest.mark.parametrize(("number", "words"), [(signal.SIGTERM, ["--demo"]), (signal.SIGINT, [])])
def test_signal_ends_everything_in_order(number: signal.Signals, words: list[str], home: Path) -> None:
    with started_up(home, "--workers", "1", *words) as up:
        wait_for(lambda: has_begun(up) and (not words or analysed(up, "lobby")), GENEROUS_S, "everybody works")
        began = time.monotonic()
        up.end(number)
        took_s = time.monotonic() - began
        assert up.pids() == set()
        assert up.process.returncode == 0
        assert took_s < STOP_S
        ends = [e["event"] for e in up.events() if e["event"].endswith(".stopped")]
        assert ends[0] == "ingest.stopped"
        assert set(ends[1:3]) == {"worker.stopped", "jobs.stopped"}
        assert ends[3:] == ["recorder.stopped", "web.stopped", "up.stopped"]


def test_sigkill_of_the_supervisor_ends_everything(home: Path) -> None:
    with started_up(home, "--workers", "1") as up:
        wait_for(lambda: has_begun(up), GENEROUS_S, "everybody works")
        assert len(up.pids()) >= 7
        up.end(signal.SIGKILL)
        wait_for(lambda: not up.pids(), STOP_S, "every process is gone")


def test_frozen_processes_dont_hold_up_the_end(home: Path) -> None:
    with started_up(home, "--workers", "1") as up:
        wait_for(lambda: has_begun(up), GENEROUS_S, "everybody works")
        for verb in ("ingest", "worker", "web"):
            for pid in up.pids(verb):
                os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        up.end(signal.SIGTERM)
        assert time.monotonic() - began < STOP_S
        assert up.pids() == set()
        assert {e["child"] for e in up.events() if e["event"] == "child.killed"} >= {"ingest", "worker-1", "web"}


def test_second_ctrl_c_is_quicker(home: Path) -> None:
    with started_up(home, "--workers", "1") as up:
        wait_for(lambda: up.get("/healthz"), GENEROUS_S, "the site answers")
        for pid in up.pids("web"):
            os.kill(pid, signal.SIGSTOP)

        def press() -> bool:
            up.process.send_signal(signal.SIGINT)
            return up.process.poll() is not None

        wait_for(press, STOP_S, "it has ended", 0.3)
        assert up.pids() == set()
        assert up.process.returncode == 0


def test_port_in_use_ends_with_2_before_anything_starts(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run_up(home, "--demo", "--port", str(port))
    assert done.returncode == 2
    assert f"can't listen on 127.0.0.1:{port}" in done.stderr
    assert "child.started" not in done.stderr
    assert not list(home.rglob("*"))


def test_broken_configuration_ends_with_2_and_its_line(home: Path) -> None:
    home.mkdir()
    config = home / "cameras.yaml"
    config.write_text("cameras:\n  lobby:\n    sorce: webcam:0\n")
    done = run_up(home, "--config", str(config))
    assert done.returncode == 2
    assert f"{config}:3: cameras.lobby: unknown key 'sorce'; did you mean 'source'?" in done.stderr
    assert "child.started" not in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--demo", "--config", "x.yaml"], "either --demo or --config"),
        (["--demo", "--host", "0.0.0.0"], "--insecure"),
        (["--demo", "--state-dir", "/proc/nowhere"], "state_dir /proc/nowhere"),
        (["--config", "nothing.yaml"], "can't be read"),
        (["--port", "99999"], "99999"),
    ],
)
def test_wrong_command_line_ends_with_2_and_says_why(words: list[str], message: str, home: Path) -> None:
    done = run_up(home, *words)
    assert done.returncode == 2
    assert message in done.stderr


def test_configured_redis_is_used_and_none_is_started(home: Path) -> None:
    with redis_server() as url, started_up(home, "--workers", "1", environ={"MASKWATCH_REDIS": url}) as up:
        wait_for(lambda: up.get("/healthz"), GENEROUS_S, "the site answers")
        events = up.events()
        assert not [e for e in events if e["event"] == "child.started" and e["child"].startswith("redis")]
        assert [e for e in events if e["event"] == "up.single_redis"]
        with connect(url) as client:
            wait_for(lambda: ProcessBook(client).list("worker"), GENEROUS_S, "the worker says there that it is alive")
