from __future__ import annotations

import os
from pathlib import Path

import pytest

from maskwatch.errors import ChecksumMismatch, ConfigError, ModelError
from maskwatch.files import read_file, read_plain


def test_file_of_just_the_allowed_length_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1024)
    assert read_file(tmp_path / "a", 1024, "give another") == b"x" * 1024


@pytest.mark.parametrize(("most", "says"), [(1000, "1000 bytes"), (2048, "2 KiB"), (3 << 20, "3 MiB")])
def test_longer_file_is_refused_with_the_limit(tmp_path: Path, most: int, says: str) -> None:
    (tmp_path / "a").write_bytes(b"x" * (most + 1))
    with pytest.raises(ConfigError, match=f"^list {tmp_path}/a: can't be read \\(more than {says}\\); give another$"):
        read_file(tmp_path / "a", most, "give another", what="list")


def test_caller_chooses_the_errors(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"xx")
    with pytest.raises(ChecksumMismatch):
        read_file(tmp_path / "a", 1, "give another", error=ModelError, too_large=ChecksumMismatch)
    with pytest.raises(ModelError, match=r"^\S+gone: can't be read \(No such file or directory\); give another$"):
        read_file(tmp_path / "gone", 1, "give another", error=ModelError, too_large=ChecksumMismatch)


@pytest.mark.timeout(60)
def test_pipe_device_or_folder_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(OSError, match=r"no plain file|Is a directory"):
            read_plain(path, 10)
