"""Files of what was found, on a disk that has no room: `/dev/full` takes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from maskwatch.errors import SourceError
from maskwatch.types import FrameResult, FrameStatus
from workers.detect import write_picture
from workers.findings import Finding, Timeline

NOBODY = FrameResult(FrameStatus.OK, (64, 36), (), ())


def write(folder: Path, full: str, then: Callable[[Timeline], object]) -> None:
    (folder / full).symlink_to("/dev/full")
    with Timeline(folder, "a", {"input": "a.mp4"}) as files:
        files.add(NOBODY, 0.0)
        then(files)


def finish(files: Timeline) -> None:
    files.finish(Finding("a.mp4", "video"))


def break_off(_files: Timeline) -> None:
    raise SourceError("the camera broke off")


@pytest.mark.parametrize("full", ["a.json", "a.csv"])
@pytest.mark.parametrize("then", [finish, Timeline.mark])
def test_full_disk_is_told_with_the_file(tmp_path: Path, full: str, then: Callable[[Timeline], object]) -> None:
    with pytest.raises(SourceError, match=rf"{full}: can't be written: No space left on device"):
        write(tmp_path, full, then)


def test_full_disk_behind_another_failure_does_not_hide_it(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^the camera broke off$"):
        write(tmp_path, "a.json", break_off)


def test_picture_that_finds_no_room_is_told_and_leaves_no_part_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.annotated.jpg"
    path.symlink_to("/dev/full")
    with pytest.raises(SourceError, match=r"a\.annotated\.jpg: can't be written: No space left on device"):
        write_picture(path, b"x" * 100_000)
    assert not path.is_symlink()


def test_picture_that_may_not_be_replaced_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.annotated.jpg"
    path.mkdir()
    with pytest.raises(SourceError, match=r"a\.annotated\.jpg: can't be written: Is a directory"):
        write_picture(path, b"x")
    assert path.is_dir()
