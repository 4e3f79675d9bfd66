"""The rooms of the demo: drawn once, as a camera under the ceiling would see them."""

from __future__ import annotations

import cv2
import numpy as np

from maskwatch.arrays import Float32Array, UInt8Array

__all__ = ["SIZE_WH", "corridor", "gate", "lobby", "office", "ward"]

SIZE_WH = (640, 360)
"""Width and height in pixels."""

_Colour = tuple[int, int, int]


def lobby() -> UInt8Array:
    """Return an entrance hall with a glass door and a plant, (360, 640, 3) uint8 BGR."""
    room = _walls((196, 206, 210), (108, 120, 132), horizon=232)
    _window(room, (386, 62, 560, 232), (238, 224, 204))
    cv2.line(room, (473, 62), (473, 232), (120, 124, 128), 4)
    _box(room, (40, 96, 150, 150), (96, 84, 70))
    cv2.putText(room, "RECEPTION", (50, 128), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (226, 230, 232), 1, cv2.LINE_AA)
    for angle in range(-70, 71, 20):
        cv2.ellipse(room, (605, 214), (12, 58), angle, 180, 360, (70, 118, 66), -1, cv2.LINE_AA)
    _box(room, (585, 212, 625, 262), (74, 92, 132))
    return _finish(room, 1)


def ward() -> UInt8Array:
    """Return a hospital ward with a bed and a curtain, (360, 640, 3) uint8 BGR."""
    room = _walls((214, 220, 208), (168, 172, 160), horizon=214)
    _window(room, (60, 40, 190, 140), (244, 234, 220))
    for x in range(430, 640, 14):
        shade = 18 * (x // 14 % 2)
        cv2.rectangle(room, (x, 24), (x + 14, 236), (190 - shade, 204 - shade, 148 - shade), -1)
    cv2.line(room, (420, 22), (640, 22), (150, 150, 150), 4)
    _box(room, (0, 196, 150, 250), (232, 232, 226))
    _box(room, (0, 186, 44, 210), (246, 246, 244))
    cv2.line(room, (238, 60), (238, 226), (150, 152, 150), 3, cv2.LINE_AA)
    _box(room, (226, 60, 250, 92), (226, 222, 204))
    return _finish(room, 2)


def gate() -> UInt8Array:
    """Return an entrance with turnstiles, (360, 640, 3) uint8 BGR."""
    room = _walls((152, 158, 170), (92, 96, 102), horizon=224)
    for x in (90, 320, 550):
        _box(room, (x - 38, 48, x + 38, 224), (132, 126, 118))
        _window(room, (x - 30, 58, x + 30, 222), (206, 196, 178))
    for x in (200, 440):
        _box(room, (x - 16, 190, x + 16, 300), (70, 72, 76))
        cv2.circle(room, (x, 204), 6, (92, 210, 110), -1, cv2.LINE_AA)
    return _finish(room, 3)


def office() -> UInt8Array:
    """Return an office with a shelf and a window, (360, 640, 3) uint8 BGR."""
    room = _walls((184, 198, 214), (98, 112, 128), horizon=240)
    _window(room, (250, 46, 430, 168), (250, 236, 214))
    _box(room, (470, 60, 622, 250), (74, 100, 134))
    rng = np.random.default_rng(5)
    for shelf in range(4):
        x = 478
        while x < 606:
            width, height = int(rng.integers(6, 14)), int(rng.integers(24, 38))
            colour = tuple(int(c) for c in rng.integers(60, 210, 3))
            bottom = 104 + 46 * shelf
            cv2.rectangle(room, (x, bottom - height), (x + width, bottom), colour, -1)
            x += width + 1
    _box(room, (20, 250, 210, 300), (110, 140, 172))
    _box(room, (66, 190, 160, 248), (44, 44, 46))
    return _finish(room, 4)


def corridor() -> UInt8Array:
    """Return an empty corridor in perspective, (360, 640, 3) uint8 BGR."""
    width, height = SIZE_WH
    room = np.empty((height, width, 3), np.uint8)
    x1, y1, x2, y2 = 250, 110, 390, 214
    corners = ((0, 0), (width, 0), (width, height), (0, height))
    inner = ((x1, y1), (x2, y1), (x2, y2), (x1, y2))
    for n, colour in enumerate(((226, 228, 226), (186, 196, 200), (106, 118, 128), (176, 186, 190))):
        corner = [corners[n], corners[(n + 1) % 4], inner[(n + 1) % 4], inner[n]]
        cv2.fillPoly(room, [np.array(corner, np.int32)], colour)
    _box(room, (x1, y1, x2, y2), (198, 206, 208))
    _window(room, (296, 132, 344, 214), (236, 228, 210))
    for near, far in ((60, 196), (150, 236)):
        door = [(near, 360 - near // 3), (near, 60 + near // 3), (far - 90, 96), (far - 90, 262)]
        cv2.fillPoly(room, [np.array(door, np.int32)], (92, 112, 138), cv2.LINE_AA)
        cv2.fillPoly(room, [np.array([(width - x, y) for x, y in door], np.int32)], (96, 118, 146), cv2.LINE_AA)
    for y, half in ((16, 120), (52, 84), (80, 58), (98, 40)):
        cv2.ellipse(room, (320, y), (half, max(3, half // 14)), 0, 0, 360, (252, 252, 250), -1, cv2.LINE_AA)
    return _finish(room, 5)


def _walls(wall: _Colour, floor: _Colour, horizon: int) -> UInt8Array:
    width, height = SIZE_WH
    room = np.empty((height, width, 3), np.float32)
    room[:horizon] = np.array(wall, np.float32) * np.linspace(1.05, 0.93, horizon, dtype=np.float32)[:, None, None]
    falloff = np.linspace(0.82, 1.12, height - horizon, dtype=np.float32)[:, None, None]
    room[horizon:] = np.array(floor, np.float32) * falloff
    picture = np.clip(room, 0, 255).astype(np.uint8)
    cv2.rectangle(picture, (0, horizon - 5), (width, horizon), tuple(int(c * 0.8) for c in wall), -1)
    for x in range(-600, width + 600, 120):
        cv2.line(picture, (width // 2 + (x - width // 2) // 3, horizon), (x, height), tuple(c - 9 for c in floor), 1)
    return picture


def _box(room: UInt8Array, xyxy: tuple[int, int, int, int], colour: _Colour) -> None:
    x1, y1, x2, y2 = xyxy
    cv2.rectangle(room, (x1 + 5, y1 + 6), (x2 + 5, y2 + 4), tuple(int(c) // 2 for c in room[min(y2, 359), x1]), -1)
    cv2.rectangle(room, (x1, y1), (x2, y2), colour, -1)
    cv2.rectangle(room, (x1, y1), (x2, y2), tuple(int(c * 0.75) for c in colour), 1, cv2.LINE_AA)


def _window(room: UInt8Array, xyxy: tuple[int, int, int, int], sky: _Colour) -> None:
    x1, y1, x2, y2 = xyxy
    light = np.linspace(1.0, 0.84, y2 - y1, dtype=np.float32)[:, None, None] * np.array(sky, np.float32)
    room[y1:y2, x1:x2] = light.astype(np.uint8)
    cv2.rectangle(room, (x1, y1), (x2, y2), (140, 144, 148), 3, cv2.LINE_AA)


def _finish(room: UInt8Array, seed: int) -> UInt8Array:
    """Soften the drawing as a cheap lens would, darken its corners and stain it a little."""
    width, height = SIZE_WH
    soft = cv2.GaussianBlur(room, (0, 0), 1.2).astype(np.float32)
    stains = np.random.default_rng(seed).normal(0, 1, (12, 20)).astype(np.float32)
    soft *= 1 + 0.02 * cv2.resize(stains, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    return np.asarray(np.clip(soft * _vignette(width, height)[..., None], 0, 255), np.uint8)


def _vignette(width: int, height: int) -> Float32Array:
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    return np.asarray(1.03 - 0.13 * (x**2 + y**2), np.float32)
