"""`maskwatch up` does jobs: a named video becomes an annotated one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT, wait_for
from tests.support_jobs import face_film
from tests.support_up import GENEROUS_S, Up, environ_of, started_up

pytestmark = pytest.mark.timeout(4 * GENEROUS_S)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    films = tmp_path / "films"
    films.mkdir()
    face_film(films / "walk.mp4", 30)
    config = tmp_path / "cameras.yaml"
    config.write_text(f"jobs: {{folders: [{films}]}}\n")
    with started_up(tmp_path / "home", "--config", str(config), "--workers", "1") as up:
        yield up


def test_up_does_jobs(up: Up, tmp_path: Path) -> None:
    pids = wait_for(lambda: up.pids("jobs", "--queue", "long"), GENEROUS_S, "a worker for long jobs runs")
    environ = {**os.environ, **environ_of(min(pids))}

    def jobs(*words: str) -> str:
        command = [sys.executable, "-m", "maskwatch", "jobs", *words]
        ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=GENEROUS_S)
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
    wait_for(lambda: not up.pids(), GENEROUS_S, "nothing is left running")
