"""What can't be done is refused where it is asked for, before anything is in Redis."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskwatch.errors import BrokerDown, ConfigError
from maskwatch.settings import Settings, parse_settings
from tests.support import free_port
from workers.jobs.asking import submit_job


def settings(folder: Path | None) -> Settings:
    folders = f"jobs: {{folders: ['{folder}']}}" if folder else "jobs: {}"
    return parse_settings(f"redis: redis://127.0.0.1:{free_port()}/0\n{folders}", {})


def ask(folder: Path | None, path: str) -> None:
    list(submit_job(settings(folder), "video", f'{{"input": {{"path": "{path}"}}}}'))


def test_video_without_allowed_folders_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="--spec: no folder is configured"):
        ask(None, "walk.mp4")


@pytest.mark.parametrize("path", ["none.mp4", "../walk.mp4", "/etc/passwd"])
def test_video_that_is_not_below_the_allowed_folders_is_refused_at_once(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError, match=r"--spec: .*: no file or folder of this name below a folder"):
        ask(tmp_path, path)


@pytest.mark.parametrize("is_here", [True, False])
def test_video_that_may_be_there_is_asked_for(tmp_path: Path, is_here: bool) -> None:
    folder = tmp_path / "films"
    if is_here:  # else it is on the machine of the jobs
        folder.mkdir()
        (folder / "walk.mp4").touch()
    with pytest.raises(BrokerDown):
        ask(folder, "walk.mp4")
