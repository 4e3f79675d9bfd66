"""Where `maskwatch report` writes to, and what it says of names that nobody has."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner, Result

from maskwatch.store import Store
from web.answers.report_verb import report

ZONE = "{polygon: [[0, 0], [1, 0], [1, 1]]}"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    with Store(f"sqlite:///{tmp_path}/record.db") as store:
        store.upgrade()
    path = tmp_path / "cameras.yaml"
    path.write_text(f"state_dir: {tmp_path}\ncameras: {{lobby: {{source: a.mp4, zones: {{door: {ZONE}}}}}}}\n")
    return path


def write(config: Path, out: Path, *words: str, code: int = 0) -> Result:
    ended = CliRunner().invoke(report, ["--config", str(config), "--out", str(out), *words])
    assert ended.exit_code == code, ended.output
    return ended


def test_pipe_is_written_to_and_stays_one(config: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    write(config, pipe)
    reader.join(30)
    assert "<!doctype html>" in read[0]
    assert pipe.is_fifo()


def test_link_is_kept_and_what_it_leads_to_is_written(config: Path, tmp_path: Path) -> None:
    link = tmp_path / "latest.html"
    link.symlink_to("week.html")
    write(config, link)
    assert link.is_symlink()
    assert "<!doctype html>" in (tmp_path / "week.html").read_text()


def test_file_in_place_of_a_folder_is_told(config: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = write(config, tmp_path / "file" / "week.html", code=1)
    assert "week.html: Not a directory; expected a file in a folder" in str(ended.exception)


def test_name_that_is_not_configured_is_told_beside_the_report(config: Path, tmp_path: Path) -> None:
    ended = write(config, tmp_path / "week.html", "--camera", "loby", "--camera", "lobby", "--zone", "attic")
    assert ended.stderr.splitlines() == [
        "maskwatch: --camera loby: none of this name is configured; did you mean lobby?",
        "maskwatch: --zone attic: none of this name is configured; the report has what the record knows of it",
    ]
    assert "week.html: " in ended.stdout
