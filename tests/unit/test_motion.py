"""The motion gate on drawn and noisy pictures; a clock of its own, 4 frames a second."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from ingest.motion import Look, MotionGate
from maskwatch.arrays import UInt8Array
from maskwatch.media.frame import GREY_CELL_PX
from maskwatch.media.scale import grey_of
from maskwatch.settings import MotionSettings

FPS = 4.0
SETTINGS = MotionSettings()
Scene = Callable[[float], UInt8Array]
"""A picture of 640 x 360 at a time in seconds."""


def room() -> UInt8Array:
    """Draw a room with edges, gradients and texture."""
    rng = np.random.default_rng(1)
    picture = np.tile(np.linspace(60, 160, 640, dtype=np.float32), (360, 1))
    for _ in range(12):
        x, y = int(rng.integers(0, 560)), int(rng.integers(0, 300))
        cv2.rectangle(picture, (x, y), (x + 80, y + 60), float(rng.integers(30, 220)), -1)
    return np.asarray(picture, np.uint8)


ROOM = room()


def noisy(picture: UInt8Array, sigma: float, seed: int) -> UInt8Array:
    """Add the noise of a sensor."""
    noise = np.random.default_rng(seed).normal(0.0, sigma, picture.shape)
    return np.asarray(np.clip(picture + noise, 0, 255), np.uint8)


def lit(picture: UInt8Array, gain: float | np.ndarray) -> UInt8Array:
    """Change the light, as a whole or row by row."""
    return np.asarray(np.clip(picture * gain, 0, 255), np.uint8)


def with_face(left: float, top: float = 150, size_px: int = 24, contrast: int = 45) -> UInt8Array:
    """Put a face of low contrast into the room: an ellipse with darker eyes."""
    picture = ROOM.copy()
    centre = (round(left + size_px / 2), round(top + size_px / 2))
    ground = int(picture[centre[1], centre[0]])
    tone = ground + contrast if ground < 128 else ground - contrast
    cv2.ellipse(picture, centre, (size_px * 2 // 5, size_px // 2), 0, 0, 360, tone, -1)
    for side in (-1, 1):
        cv2.circle(picture, (centre[0] + side * size_px // 6, centre[1] - size_px // 8), 2, tone // 2, -1)
    return picture


def watch(scene: Scene, seconds: float, gate: MotionGate | None = None, start_s: float = 0.0) -> list[Look]:
    gate = gate or MotionGate(SETTINGS)
    looks = []
    for number in range(round(seconds * FPS)):
        time_s = start_s + number / FPS
        looks.append(gate.judge(grey_of(scene(time_s), 640, 0, GREY_CELL_PX), time_s))
    return looks


def share_wanted(looks: list[Look]) -> float:
    return sum(look.is_wanted for look in looks) / len(looks)


def settled() -> MotionGate:
    """Return a gate that has watched the noisy room for 10 s and is closed."""
    gate = MotionGate(SETTINGS)
    watch(lambda time_s: noisy(ROOM, 4, round(time_s * FPS)), 10, gate)
    assert gate.is_still
    return gate


def test_first_picture_is_wanted() -> None:
    assert watch(lambda _: ROOM, 0.2) == [Look(True, True)]


def test_still_scene_gets_through_while_held_open_and_then_every_keepalive() -> None:
    looks = watch(lambda _: ROOM, 22)
    wanted_s = [number / FPS for number, look in enumerate(looks) if look.is_wanted]
    assert wanted_s[:10] == [number / FPS for number in range(10)]
    assert wanted_s[10:] == [6.25, 10.25, 14.25, 18.25]


@pytest.mark.parametrize("sigma", [2, 6, 12])
def test_noise_of_day_and_night_is_no_motion(sigma: float) -> None:
    looks = watch(lambda time_s: noisy(ROOM, sigma, round(time_s * FPS)), 30)
    assert not any(look.has_moved for look in looks[1:])
    assert share_wanted(looks[round(5 * FPS) :]) < 0.08


def test_flickering_light_is_no_motion() -> None:
    rng = np.random.default_rng(2)
    gains = rng.uniform(0.96, 1.04, 1000)
    looks = watch(lambda time_s: noisy(lit(ROOM, gains[round(time_s * FPS)]), 3, round(time_s * FPS)), 30)
    assert share_wanted(looks[round(5 * FPS) :]) < 0.08


def test_bands_behind_a_rolling_shutter_are_no_motion() -> None:
    rows = np.arange(360)[:, None]

    def scene(time_s: float) -> UInt8Array:
        return noisy(lit(ROOM, 1 + 0.05 * np.sin(rows / 30 + 2.4 * time_s)), 3, round(time_s * FPS))

    assert share_wanted(watch(scene, 30)[round(5 * FPS) :]) < 0.08


def test_dusk_is_no_motion() -> None:
    looks = watch(lambda time_s: noisy(lit(ROOM, 1 - 0.005 * time_s), 3, round(time_s * FPS)), 60)
    assert share_wanted(looks[round(5 * FPS) :]) < 0.08


def test_light_switched_off_is_noticed() -> None:
    gate = settled()
    assert watch(lambda _: lit(ROOM, 0.4), 0.2, gate, 10.0) == [Look(True, True)]


@pytest.mark.parametrize("top", [40, 150, 300])
def test_face_of_24_pixels_that_appears_far_away_opens_at_once(top: float) -> None:
    gate = settled()
    looks = watch(lambda time_s: noisy(with_face(500, top), 4, round(time_s * FPS)), 0.2, gate, 10.0)
    assert looks[0].has_moved


def test_face_of_24_pixels_that_walks_keeps_the_gate_open() -> None:
    def scene(time_s: float) -> UInt8Array:
        return noisy(with_face(100 + 25 * (time_s - 10)), 4, round(time_s * FPS))

    assert all(look.is_wanted for look in watch(scene, 12, settled(), 10.0))


def test_face_that_creeps_is_noticed_once_its_steps_add_up() -> None:
    gate = settled()
    watch(lambda time_s: noisy(with_face(300), 4, round(time_s * FPS)), 10, gate, 10.0)
    assert gate.is_still

    def scene(time_s: float) -> UInt8Array:
        return noisy(with_face(300 + 3 * (time_s - 20)), 4, round(time_s * FPS))

    assert any(look.has_moved for look in watch(scene, 4, gate, 20.0))


def test_gate_stays_open_for_some_seconds_after_motion() -> None:
    gate = settled()
    watch(lambda _: with_face(300), 0.2, gate, 10.0)
    looks = watch(lambda _: with_face(300), 6, gate, 10.2)
    open_s = next(number for number, look in enumerate(looks) if not look.is_wanted) / FPS
    assert open_s == pytest.approx(SETTINGS.hold_s - 0.2, abs=1 / FPS)


def test_changed_size_is_looked_at_anew() -> None:
    gate = settled()
    assert gate.judge(np.zeros((60, 80), np.uint8), 11.0) == Look(True, True)


def test_clock_that_falls_back_counts_as_no_time() -> None:
    gate = settled()
    look = gate.judge(grey_of(ROOM, 640, 0, GREY_CELL_PX), 2.0)
    assert not look.has_moved


def test_keyframes_alone_are_allowed_only_while_still_and_unless_turned_off() -> None:
    assert settled().may_rest
    gate = MotionGate(MotionSettings(keyframes_only=False))
    watch(lambda _: ROOM, 10, gate)
    assert gate.is_still
    assert not gate.may_rest
