"""What happens in front of the demo cameras: who walks where, frame by frame."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from maskwatch.arrays import UInt8Array
from maskwatch.demo import rooms
from maskwatch.demo.face_mask import wear_mask
from maskwatch.demo.photograph import PHOTO_SIDE_PX, cut_out, other_colours, photograph

__all__ = ["FPS", "SCENES", "Scene", "frames"]

FPS = 10
_FACE_XY = (224, 125)
"""The middle of the face in the photograph, in pixels; people are placed and turned by it."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a person is at a moment.

    Attributes:
        at_s: seconds since the scene began.
        x: of the face, as a part of the picture's width; below 0 and above 1 is outside.
        y: of the face, as a part of the picture's height.
        scale: size, relative to the photograph (whose face is 90 px wide).
    """

    at_s: float
    x: float
    y: float
    scale: float


@dataclass(frozen=True, slots=True)
class Role:
    """One person's way through a scene.

    Attributes:
        look: `bare`, `masked` or `nose_free`.
        is_other: whether it's the second person.
        path: at least two moments; between them the person walks.
    """

    look: str
    path: tuple[Moment, ...]
    is_other: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """A room and the people in it; the later ones are nearer.

    Attributes:
        room: draws the empty room.
        seconds: how long it lasts before it begins again.
        roles: who walks through it.
        flicker: how much the light changes, as a part of its strength.
    """

    room: Callable[[], UInt8Array]
    seconds: float
    roles: tuple[Role, ...] = ()
    flicker: float = 0.0


def _walk(*moments: tuple[float, float, float, float]) -> tuple[Moment, ...]:
    return tuple(Moment(*moment) for moment in moments)


SCENES: dict[str, Scene] = {
    "lobby": Scene(
        rooms.lobby,
        20,
        (
            Role(
                "bare",
                _walk((0, 0.10, 0.46, 0.60), (5, 0.44, 0.44, 0.74), (9, 0.52, 0.44, 0.78), (16, 1.22, 0.46, 0.66)),
            ),
        ),
    ),
    "ward": Scene(
        rooms.ward,
        20,
        (
            Role(
                "masked",
                _walk((0, 0.84, 0.46, 0.62), (5, 0.56, 0.44, 0.76), (10, 0.48, 0.44, 0.80), (17, -0.24, 0.46, 0.66)),
                is_other=True,
            ),
        ),
    ),
    "gate": Scene(
        rooms.gate,
        20,
        (
            Role("bare", _walk((0, 0.06, 0.42, 0.52), (14, 1.22, 0.42, 0.58)), is_other=True),
            Role("masked", _walk((0, 0.96, 0.48, 0.66), (15, -0.26, 0.48, 0.72))),
        ),
    ),
    "office": Scene(
        rooms.office,
        20,
        (
            Role(
                "nose_free",
                _walk((0, 0.30, 0.46, 0.66), (6, 0.62, 0.45, 0.76), (11, 0.40, 0.45, 0.80), (18, -0.24, 0.47, 0.70)),
            ),
        ),
    ),
    "corridor": Scene(rooms.corridor, 10, flicker=0.03),
    "dropout": Scene(
        rooms.lobby,
        12,
        (Role("masked", _walk((0, 0.88, 0.46, 0.62), (5, 0.5, 0.44, 0.74), (11, -0.24, 0.46, 0.66))),),
    ),
}


def frames(name: str) -> Iterator[UInt8Array]:
    """Make the pictures of a scene, `FPS` a second.

    Args:
        name: a key of `SCENES`.

    Yields:
        (360, 640, 3) uint8, BGR.
    """
    scene = SCENES[name]
    room = scene.room()
    people = [(role, *_dressed(role.look, role.is_other)) for role in scene.roles]
    rng = np.random.default_rng(11)
    grain = [rng.integers(0, 5, room.shape, np.uint8) for _ in range(4)]
    for number in range(int(scene.seconds * FPS)):
        at_s = number / FPS
        frame = room.copy()
        if scene.flicker:
            cv2.convertScaleAbs(room, frame, 1 + scene.flicker * math.sin(2 * math.pi * at_s / scene.seconds))
        for role, person, alpha in people:
            _place(frame, person, alpha, role, at_s)
        yield np.asarray(cv2.add(frame, grain[number % 4]), np.uint8)


@functools.cache
def _dressed(look: str, is_other: bool) -> tuple[UInt8Array, UInt8Array]:
    """Return the person's picture (512, 512, 3) BGR and how much of each pixel is the person (512, 512)."""
    photo, alpha = photograph(), _person()
    if look != "bare":
        photo = wear_mask(photo, nose_is_free=look == "nose_free")
    if is_other:
        return other_colours(photo), np.ascontiguousarray(alpha[:, ::-1])
    return photo, alpha


@functools.cache
def _person() -> UInt8Array:
    return cut_out(photograph())


def _place(frame: UInt8Array, person: UInt8Array, alpha: UInt8Array, role: Role, at_s: float) -> None:
    """Draw the person into the frame where the path has them at `at_s`; outside the path's times nobody is there."""
    if not role.path[0].at_s <= at_s <= role.path[-1].at_s:
        return
    height, width = frame.shape[:2]
    x, y, scale = _between(role.path, at_s)
    bob = math.sin(2 * math.pi * 1.6 * at_s)
    angle = 1.6 * math.sin(2 * math.pi * 0.8 * at_s)
    face_x = PHOTO_SIDE_PX - 1 - _FACE_XY[0] if role.is_other else _FACE_XY[0]
    matrix = cv2.getRotationMatrix2D((face_x, _FACE_XY[1]), angle, scale)
    matrix[:, 2] += (x * width - face_x, y * height + 2.0 * bob - _FACE_XY[1])
    corners = matrix @ np.array([[0, 0, 1], [512, 0, 1], [0, 512, 1], [512, 512, 1]], np.float64).T
    x1, y1 = np.maximum(np.floor(corners.min(axis=1)).astype(int), 0)
    x2, y2 = np.minimum(np.ceil(corners.max(axis=1)).astype(int), (width, height))
    if x1 >= x2 or y1 >= y2:
        return
    matrix[:, 2] -= (x1, y1)
    size_wh = (int(x2 - x1), int(y2 - y1))
    drawn = cv2.warpAffine(person, matrix, size_wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    weight = cv2.warpAffine(alpha, matrix, size_wh, flags=cv2.INTER_LINEAR).astype(np.float32) / 255
    part = frame[y1:y2, x1:x2]
    part[:] = cv2.blendLinear(drawn, np.ascontiguousarray(part), weight, 1 - weight)


def _between(path: tuple[Moment, ...], at_s: float) -> tuple[float, float, float]:
    """Return x, y and scale on the path at a time."""
    times = [moment.at_s for moment in path]
    x = float(np.interp(at_s, times, [moment.x for moment in path]))
    y = float(np.interp(at_s, times, [moment.y for moment in path]))
    return x, y, float(np.interp(at_s, times, [moment.scale for moment in path]))
