"""The demo on a disk that has no room: `/dev/full` takes nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from maskwatch.demo.cameras import demo_films, write_demo_config
from maskwatch.demo.film import make_films
from maskwatch.errors import ConfigError, SourceError
from tests.support import free_port


def test_film_that_finds_no_room_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "corridor-1.partial").symlink_to("/dev/full")
    with pytest.raises(SourceError, match=r"corridor-1\.mp4: can't be written: No space left on device; is there room"):
        make_films({"corridor": tmp_path / "corridor-1.mp4"}, lambda: False)
    assert list(tmp_path.iterdir()) == []


def test_configuration_that_finds_no_room_is_told(tmp_path: Path) -> None:
    (tmp_path / "cameras.partial").symlink_to("/dev/full")
    with pytest.raises(ConfigError, match=r"cameras\.yaml: can't be written: No space left on device; is there room"):
        write_demo_config(tmp_path, free_port(), ())


def test_process_of_the_demo_says_it_in_a_line(tmp_path: Path) -> None:
    first = next(iter(demo_films(tmp_path).values()))
    first.with_suffix(".partial").symlink_to("/dev/full")
    ended = subprocess.run(
        [sys.executable, "-m", "maskwatch.demo", tmp_path, str(free_port())],
        capture_output=True, text=True, timeout=150,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"maskwatch: {first}: can't be written: No space left on device")
    assert "Traceback" not in ended.stderr
