"""What `detect` takes for an input, by name and by what is in the file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from maskwatch.errors import MaskwatchError
from workers.inputs import InputKind, expand

PICTURE_BGR = np.zeros((36, 64, 3), np.uint8)


def only_kind(path: Path) -> InputKind:
    inputs, problems = expand([str(path)])
    assert not problems
    return inputs[0].kind


def only_problem(word: str) -> MaskwatchError:
    inputs, problems = expand([word])
    assert not inputs
    return problems[0][1]


@pytest.mark.parametrize("form", [".jpg", ".png", ".webp", ".bmp"])
@pytest.mark.parametrize("name", ["picture", "picture.jfif", "download.php"])
def test_picture_is_told_by_its_content_where_the_name_does_not_say(tmp_path: Path, form: str, name: str) -> None:
    done, content = cv2.imencode(form, PICTURE_BGR)
    assert done
    (tmp_path / name).write_bytes(content.tobytes())
    assert only_kind(tmp_path / name) is InputKind.IMAGE


@pytest.mark.parametrize("name", ["film.mjpg", "film.MJPEG", "film.avi"])
def test_video_that_begins_as_a_picture_is_a_video(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\xff\xd8\xff\xe0" + bytes(20))
    assert only_kind(tmp_path / name) is InputKind.VIDEO


@pytest.mark.parametrize("content", [b"", b"B", b"hello, world"])
def test_anything_else_is_opened_as_a_video(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "thing").write_bytes(content)
    assert only_kind(tmp_path / "thing") is InputKind.VIDEO


def test_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert only_kind(tmp_path / "pipe") is InputKind.VIDEO


def test_path_that_no_system_takes_is_told(tmp_path: Path) -> None:
    assert "can't be read: File name too long; check the path" in str(only_problem(str(tmp_path / ("x" * 300))))


def test_path_below_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert "no such file or folder" in str(only_problem(str(tmp_path / "a.jpg" / "b.jpg")))


def test_folder_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert "can't be read: Permission denied; check the path and its permissions" in str(only_problem(str(tmp_path)))


@pytest.mark.parametrize("encoding", ["utf-8:strict", "latin-1:strict"])
def test_name_that_the_terminal_cannot_show_is_shown_in_other_letters(tmp_path: Path, encoding: str) -> None:
    name = os.fsdecode(b"\xff.jpg") if encoding.startswith("utf") else "\U0001f6aa.jpg"
    ended = subprocess.run(
        [sys.executable, "-m", "maskwatch", "detect", tmp_path / name],
        env={**os.environ, "PYTHONIOENCODING": encoding}, capture_output=True, timeout=120,
    )  # fmt: skip
    assert b"Traceback" not in ended.stderr
    assert ended.returncode == 1
    assert (b"\\udcff.jpg" if encoding.startswith("utf") else b"\\U0001f6aa.jpg") in ended.stdout


def test_output_that_finds_no_room_is_told_in_a_line() -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "maskwatch", "models", "list"], stdout=full, stderr=subprocess.PIPE, timeout=120
        )
    said = b"maskwatch: the output can't be written: No space left on device; give it a place with room\n"
    assert ended.stderr == said
    assert ended.returncode == 1
