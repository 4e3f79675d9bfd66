"""Paths that can't even be asked after: a name that no system takes does what a folder that may not be entered does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from maskwatch.checks import Status, check_cameras, check_record
from maskwatch.settings import parse_settings
from models.pulled import YUNET, find_pulled
from models.registry import Registry
from workers.notify.faring import fare

TOO_LONG = "x" * 300


def test_check_goes_on_to_its_end(tmp_path: Path) -> None:
    config = tmp_path / "cameras.yaml"
    config.write_text(f"state_dir: {tmp_path}/{TOO_LONG}/state\ncameras: {{door: {{source: {TOO_LONG}.mp4}}}}\n")
    environ = {key: value for key, value in os.environ.items() if not key.startswith("MASKWATCH_")}
    ended = subprocess.run(
        [sys.executable, "-m", "maskwatch", "check", "--config", config],
        capture_output=True, text=True, timeout=150, env=environ,
    )  # fmt: skip
    assert "Traceback" not in ended.stderr
    assert "FAILED  camera door: video" in ended.stdout
    assert ended.returncode == 1


@pytest.mark.parametrize("source", [f"{TOO_LONG}.mp4", f"/dev/video{TOO_LONG}"])
def test_camera_that_cannot_be_asked_after_is_not_well(source: str) -> None:
    (found,) = check_cameras(parse_settings(f"cameras: {{door: {{source: {source}}}}}", {}), probe=False)
    assert found.status is not Status.OK


def test_record_that_cannot_be_asked_after_is_not_there() -> None:
    settings = parse_settings(f"store: {{url: 'sqlite:////{TOO_LONG}/record.db'}}", {})
    assert "the first `maskwatch recorder` makes" in check_record(settings).text
    assert list(fare(settings, {})) == []


def test_folder_of_models_that_cannot_be_asked_after_holds_none(tmp_path: Path) -> None:
    folder = tmp_path / TOO_LONG
    assert find_pulled(YUNET, [folder]) is None
    assert Registry(folder).names() == ()
