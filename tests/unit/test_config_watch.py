from __future__ import annotations

import os
from pathlib import Path

import pytest

from ingest.watch import ConfigWatch
from maskwatch.errors import ConfigError
from maskwatch.settings import Settings, load_settings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "cameras.yaml"
    path.write_text("cameras: {a: {source: a.mp4}}")
    return path


def watch(path: Path) -> ConfigWatch:
    return ConfigWatch(path, lambda: load_settings(path, {}))


def second_look(watcher: ConfigWatch) -> Settings | None:
    """An edit is read when it has stood still from one look to the next."""
    assert watcher.changed() is None
    return watcher.changed()


def test_nothing_is_told_until_the_file_changes(path: Path) -> None:
    watcher = watch(path)
    assert watcher.changed() is None
    path.write_text("cameras: {a: {source: a.mp4}, b: {source: b.mp4}}")
    settings = second_look(watcher)
    assert isinstance(settings, Settings)
    assert sorted(settings.cameras) == ["a", "b"]
    assert watcher.changed() is None


def test_invalid_edit_is_told_once_and_a_repair_is_noticed(path: Path) -> None:
    watcher = watch(path)
    path.write_text("cameras: {a: {sorce: a.mp4}}")
    with pytest.raises(ConfigError, match="sorce"):
        second_look(watcher)
    assert "sorce" in watcher.error
    assert watcher.changed() is None
    path.write_text("cameras: {a: {source: other.mp4}}")
    assert second_look(watcher) is not None
    assert watcher.error == ""


def test_file_that_is_replaced_is_noticed(path: Path) -> None:
    watcher = watch(path)
    beside = path.with_suffix(".new")
    beside.write_text("cameras: {c: {source: c.mp4}}")
    os.replace(beside, path)
    settings = second_look(watcher)
    assert settings is not None
    assert list(settings.cameras) == ["c"]


def test_file_that_vanishes_is_an_invalid_edit(path: Path) -> None:
    watcher = watch(path)
    path.unlink()
    with pytest.raises(ConfigError, match="can't be read"):
        second_look(watcher)
    assert watcher.changed() is None


@pytest.mark.parametrize("part", ["", "cameras: {}\n", "cameras: {a: {"])
def test_file_that_is_being_written_is_left_alone(path: Path, part: str) -> None:
    watcher = watch(path)
    path.write_text(part)
    assert watcher.changed() is None
    path.write_text("cameras: {a: {source: a.mp4}, b: {source: b.mp4}}")
    settings = second_look(watcher)
    assert settings is not None
    assert sorted(settings.cameras) == ["a", "b"]


def test_edit_that_is_taken_back_at_once_is_none(path: Path) -> None:
    watcher = watch(path)
    beside = path.with_suffix(".old")
    os.rename(path, beside)
    assert watcher.changed() is None
    os.rename(beside, path)
    assert watcher.changed() is None
    assert watcher.changed() is None
