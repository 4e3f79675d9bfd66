"""`maskwatch up` does jobs: a named video becomes an annotated one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_up import GENEROUS_S, Up
from tests.support import ROOT, wait_for
from tests.support_jobs import face_film

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    home, films = tmp_path / "home", tmp_path / "films"
    home.mkdir()
    films.mkdir()
    face_film(films / "walk.mp4", 30)
    config = tmp_path / "cameras.yaml"
    config.write_text(f"jobs: {{folders: [{films}]}}\n")
    running = Up(home, "--config", str(config), "--workers", "1")
    yield running
    running.clean_up()


def environ_of(pid: int) -> dict[str, str]:
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def test_up_does_jobs(up: Up, tmp_path: Path) -> None:
    (pid,) = wait_for(lambda: up.pids("jobs", "--queue", "long"), GENEROUS_S, "a worker for long jobs runs")
    environ = {**os.environ, **environ_of(pid)}

    def jobs(*words: str) -> str:
        command = [sys.executable, "-m", "maskwatch", "jobs", *words]
        ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    job_id = jobs("--submit", "video", "--spec", '{"input": {"path": "walk.mp4"}, "profile": "fast"}').strip()

    def is_done() -> bool:
        (line,) = [line for line in jobs("--list").splitlines() if line.startswith(job_id)]
        assert "failed" not in line, line
        return " done " in line

    wait_for(is_done, GENEROUS_S, "the job is done", every_s=1.0)
    up.end(signal.SIGTERM)
    assert up.process.returncode == 0
    wait_for(lambda: not up.pids(), 10, "nothing is left running")
