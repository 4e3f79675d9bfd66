from __future__ import annotations

from pathlib import Path

import pytest

from maskwatch.demo.cameras import DEMO_CAMERAS, DROPOUT, demo_films, ready_cameras, write_demo_config
from maskwatch.demo.face_mask import wear_mask
from maskwatch.demo.photograph import cut_out, other_colours, photograph
from maskwatch.demo.scenes import FPS, SCENES, frames
from maskwatch.settings import SourceKind, load_settings


def test_configuration_is_valid_and_holds_every_camera(tmp_path: Path) -> None:
    settings = load_settings(write_demo_config(tmp_path, 1234, DEMO_CAMERAS), {})
    assert list(settings.cameras) == [camera.name for camera in DEMO_CAMERAS]
    assert settings.cameras["dropout"].parsed().kind is SourceKind.URL
    lobby = settings.cameras["lobby"]
    assert lobby.loop
    assert Path(lobby.parsed(settings.base).location) == demo_films(tmp_path)["lobby"]


def test_configuration_without_cameras_is_valid(tmp_path: Path) -> None:
    assert load_settings(write_demo_config(tmp_path, 1234, ()), {}).cameras == {}


def test_cameras_are_ready_as_their_films_come_the_served_one_last(tmp_path: Path) -> None:
    assert ready_cameras(tmp_path) == ()
    films = demo_films(tmp_path)
    films["ward"].touch()
    assert [camera.name for camera in ready_cameras(tmp_path)] == ["ward"]
    for film in films.values():
        film.touch()
    assert ready_cameras(tmp_path) == DEMO_CAMERAS


def test_every_camera_has_a_scene() -> None:
    assert set(SCENES) == {camera.name for camera in DEMO_CAMERAS}
    assert DROPOUT.is_served


@pytest.mark.parametrize("name", list(SCENES))
def test_scene_has_pictures_that_move(name: str) -> None:
    pictures = frames(name)
    first = next(pictures)
    assert first.shape == (360, 640, 3)
    later = [next(pictures) for _ in range(FPS)][-1]
    assert (first != later).any()


def test_mask_changes_the_lower_face_alone() -> None:
    bare = photograph()
    masked = wear_mask(bare)
    changed = (bare != masked).any(axis=2)
    assert changed[150, 225]
    assert changed[125, 225]
    assert not changed[:85].any()
    assert not changed[215:].any()


def test_mask_below_the_nose_leaves_it_free() -> None:
    bare = photograph()
    changed = (bare != wear_mask(bare, nose_is_free=True)).any(axis=2)
    assert changed[150, 225]
    assert not changed[120:128, 215:235].any()


def test_cut_out_holds_the_face_and_not_the_wall() -> None:
    alpha = cut_out(photograph())
    assert alpha[125, 224] == 255
    assert alpha[400, 150] == 255
    assert alpha[20, 20] == 0
    assert alpha[60, 400] == 0


def test_other_person_is_mirrored_with_the_same_skin() -> None:
    photo = photograph()
    other = other_colours(photo)[:, ::-1]
    skin = (slice(125, 170), slice(205, 245))
    assert abs(photo[skin].astype(int) - other[skin]).max() <= 2
    assert abs(photo[300, 150].astype(int) - other[300, 150]).max() > 60


def test_served_camera_is_found_under_the_name_that_other_machines_know(tmp_path: Path) -> None:
    cameras = load_settings(write_demo_config(tmp_path, 8090, DEMO_CAMERAS, "demo"), {}).cameras
    assert cameras[DROPOUT.name].source.get_secret_value() == "http://demo:8090/dropout.mjpg"
