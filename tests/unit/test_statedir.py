from __future__ import annotations

import os
from pathlib import Path

import pytest

from maskwatch.errors import ConfigError
from maskwatch.statedir import locked_state_dir


def test_folder_is_made_private(tmp_path: Path) -> None:
    with locked_state_dir(tmp_path / "a" / "state") as folder:
        assert folder == tmp_path / "a" / "state"
        assert folder.stat().st_mode & 0o077 == 0


def test_second_user_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    with (
        locked_state_dir(tmp_path),
        pytest.raises(ConfigError, match=rf"in use by another .* \(process {os.getpid()}\)"),
        locked_state_dir(tmp_path),
    ):
        pass


def test_folder_is_free_again_afterwards(tmp_path: Path) -> None:
    for _ in range(2):
        with locked_state_dir(tmp_path):
            pass


def test_lock_file_of_a_dead_process_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "up.lock").write_text("999999\n")
    with locked_state_dir(tmp_path):
        assert (tmp_path / "up.lock").read_text() == f"{os.getpid()}\n"


def test_folder_that_cant_be_made_says_what_to_give(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="--state-dir"), locked_state_dir(tmp_path / "file" / "state"):
        pass
