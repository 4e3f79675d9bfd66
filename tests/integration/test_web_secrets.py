"""Secrets of the site in files, as Docker and Kubernetes hand them over."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskwatch.errors import ConfigError
from maskwatch.settings import Settings, load_settings
from maskwatch.settings.web_secrets import read_web_secrets

PASSWORD, TOKEN, OTHER = "long-correct-horse", "t" * 20, "o" * 20


def settings_with(folder: Path, web: str) -> Settings:
    (folder / "cameras.yaml").write_text(f"web: {{{web}}}")
    return load_settings(folder / "cameras.yaml", {})


def error_of(folder: Path, web: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_web_secrets(settings_with(folder, web))
    return str(caught.value)


def test_secrets_come_from_files_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "p").write_text(f"{PASSWORD}\n")
    (tmp_path / "t").write_text(f"# programs\n\nplayer={TOKEN}\r\n backup = {OTHER} \n")
    (tmp_path / "m").write_text("m" * 20 + "\n")
    (tmp_path / "s").write_text("s" * 32)
    files = "password_file: p, tokens_file: t, metrics_token_file: m, session_secret_file: s"
    secrets = read_web_secrets(settings_with(tmp_path, files))
    assert secrets.password == PASSWORD
    assert secrets.tokens == {"player": TOKEN, "backup": OTHER}
    assert secrets.metrics_token == "m" * 20
    assert secrets.session_secret == "s" * 32


def test_spaces_at_the_end_of_a_password_are_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "p").write_text(" with spaces  \n")
    assert read_web_secrets(settings_with(tmp_path, "password_file: p")).password == " with spaces  "


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "at least 8 characters"),
        (b"\n", "at least 8 characters"),
        (b"\xff" * 10, "not UTF-8"),
        (b"x" * 70000, "more than 64 KiB"),
    ],
)
def test_file_that_holds_no_password_is_told(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "p").write_bytes(content)
    message = error_of(tmp_path, "password_file: p")
    assert "web.password_file" in message
    assert what in message


def test_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "No such file" in error_of(tmp_path, "metrics_token_file: nothing")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "received none"),
        (f"player {TOKEN}", ":1: expected NAME=TOKEN"),
        (f"\na b={TOKEN}", ":2: expected NAME=TOKEN"),
        ("player=short", ":1: player: expected at least 20"),
        (f"player={TOKEN}\nplayer={OTHER}", "'player' is given twice"),
        (f"player={TOKEN}\nother={TOKEN}", "other is the same"),
        (f"player={'m' * 20}", "metrics_token is the same"),
    ],
)
def test_file_of_tokens_that_is_wrong_is_told_without_them(tmp_path: Path, content: str, what: str) -> None:
    (tmp_path / "t").write_text(content)
    message = error_of(tmp_path, f"tokens_file: t, metrics_token: {'m' * 20}")
    assert what in message
    assert TOKEN not in message
    assert OTHER not in message
    assert "short" not in message
