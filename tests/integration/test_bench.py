"""Every benchmark once, as short as it goes: that it runs, says what it must, and leaves nobody behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import pytest
import yaml

from maskwatch.media.writer import VideoWriter
from tests.support import wait_for
from tests.support_worker import moving_face
from workers.bench.pictures import load_jpegs, write_jpegs
from workers.bench.pipeline import PipelineBench, pipeline_job

pytestmark = pytest.mark.timeout(600)

ALWAYS = {"machine", "versions", "settings", "profile", "n", "median", "p95"}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of the astronaut, who moves."""
    path = tmp_path_factory.mktemp("bench") / "film.mp4"
    with VideoWriter(path, (640, 360), 10) as writer:
        for number in range(20):
            writer.write(moving_face(number))
    return path


def bench(*words: str | Path, code: int = 0) -> dict[str, Any]:
    result = subprocess.run(
        [sys.executable, "-m", "maskwatch", "bench", *map(str, words), "--json"],
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert result.returncode == code, result.stderr
    said = json.loads(result.stdout)
    assert isinstance(said, dict)
    assert set(said) >= ALWAYS
    assert said["n"] > 0
    return said


def test_pipeline_classifies_as_many_faces_as_it_is_told_to(film: Path, tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    words = ("--source", film, "--faces", "3", "--seconds", "0.3", "--profile", "fast", "--history", history)
    said = bench("pipeline", *words)
    assert said["faces_per_frame"] == 3
    assert said["frames_per_second"] > 0
    assert set(said["ms"]) >= {"decode", "detect", "track", "classify"}
    assert said["profile"] == "fast"
    assert json.loads(history.read_text())["bench"] == "pipeline"


def test_settled_pipeline_classifies_fewer_faces(film: Path, tmp_path: Path) -> None:
    write_jpegs([str(film)], tmp_path, 5.0)
    bench = PipelineBench(str(film), None, 0.2, 1, profile="fast", batch=2, settled=True)
    said = pipeline_job({"folder": str(tmp_path), **asdict(bench)}, lambda: None)
    assert said["faces"] < 0.7 * said["frames"]


def test_classic_runs_the_well_known_loop(film: Path) -> None:
    said = bench("classic", "--source", film, "--faces", "2", "--seconds", "0.3")
    assert said["faces_per_frame"] == 2
    assert set(said["ms"]) == {"decode", "detect", "classify"}


def test_broker_says_frames_and_round_trips() -> None:
    said = bench("broker", "--seconds", "0.5", "--clients", "1", "--cameras", "8")
    assert said["frames_per_second"] > 0
    assert set(said["round_trip_ms"]) == {"offer", "take", "done"}


def test_system_runs_the_real_processes(film: Path) -> None:
    words = ("--cameras", "2", "--fps", "2", "--source", film, "--seconds", "2", "--workers", "1", "--profile", "fast")
    said = bench("system", *words)
    assert said["balanced"]
    assert said["analysed_fps"] > 0
    assert set(said["latency_ms"]) >= {"p50", "p95", "p99", "p95_by_time"}
    assert set(said["share"]) == {"min", "max"}
    assert set(said["peak_rss_mb"]) == {"ingest", "worker", "recorder", "web", "redis"}
    assert len(said["rss_mb_by_time"]["worker"]) == len(said["latency_ms"]["p95_by_time"]) == 2


def test_system_that_can_not_be_offered_what_was_asked_fails_with_its_figures(film: Path) -> None:
    """64,000 frames of 40 kB a second are more than one Redis can carry on any machine."""
    words = ("--cameras", "64", "--fps", "1000", "--source", film, "--seconds", "1", "--workers", "1", "--inject")
    said = bench("system", *words, "--no-shedding", code=1)
    assert said["offered_fps"] < 0.95 * 64_000
    assert said["balanced"]
    assert len(said["shedding_level_by_time"]) == 1


def test_ended_system_leaves_nobody_behind(film: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "maskwatch", "bench", "system", "--source", str(film), "--seconds", "60"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--inject", "--workers", "1"],
            stderr=log,
            stdout=log,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )

    def children() -> list[str]:
        return subprocess.run(
            ["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False
        ).stdout.split()  # fmt: skip

    wait_for(lambda: len(children()) >= 2, 120, "a worker and a site")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 1
    wait_for(lambda: not children(), 60, "that all of them are gone")
    assert not list(tmp_path.glob("maskwatch-bench-*"))


def test_advice_takes_a_camera_that_does_not_answer_for_a_usual_one(film: Path, tmp_path: Path) -> None:
    camera = {"source": str(film), "profile": "fast"}
    lost = {"source": str(tmp_path / "lost.mp4"), "profile": "fast"}
    config = tmp_path / "cameras.yaml"
    config.write_text(yaml.safe_dump({"cameras": {"here": camera, "lost": lost}}))
    said = bench("advise", "--config", config, "--seconds", "0.3")
    assert said["of_cameras"] == 2
    assert [one["assumed"] for one in said["cameras"]] == [False, True]
    assert [one["size"] for one in said["cameras"]] == ["640x360", "1920x1080"]
    assert said["limit"] in said["cores_by_stage"]


def test_folder_of_pictures_is_a_source_too(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    for number in range(3):
        assert cv2.imwrite(str(tmp_path / "in" / f"{number}.png"), moving_face(number))
    assert write_jpegs([str(tmp_path / "in")], tmp_path / "out", 5.0) == 3
    assert len(load_jpegs(tmp_path / "out")) == 3
