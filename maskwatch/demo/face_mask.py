"""A surgical mask, drawn onto the face in the photograph."""

from __future__ import annotations

import cv2
import numpy as np

from maskwatch.arrays import Float32Array, Int32Array, UInt8Array

__all__ = ["wear_mask"]

_SCALE = 6
"""The mask is drawn this much larger and scaled down, for soft edges."""
_LIGHT_BLUE_BGR = (236, 214, 170)
_TOP_ON_NOSE = (
    (183, 121),
    (196, 117),
    (209, 112),
    (217, 108),
    (224, 106),
    (231, 108),
    (240, 113),
    (254, 119),
    (271, 124),
)
_TOP_BELOW_NOSE = ((183, 138), (196, 138), (210, 137), (224, 136), (238, 137), (254, 139), (270, 141))
_LOWER = ((268, 147), (262, 161), (251, 173), (238, 180), (224, 183), (210, 179), (198, 170), (188, 158), (183, 146))
_LOOPS_ON_NOSE = (
    ((184, 123), (177, 118), (172, 112)),
    ((185, 150), (177, 140), (172, 122)),
    ((270, 126), (277, 121), (283, 115)),
    ((266, 151), (276, 141), (281, 125)),
)
_LOOPS_BELOW_NOSE = (
    ((184, 139), (176, 130), (170, 114)),
    ((186, 155), (177, 144), (172, 122)),
    ((269, 142), (277, 132), (285, 114)),
    ((263, 158), (275, 146), (281, 125)),
)
_BOX = (150, 90, 306, 200)
"""x1, y1, x2, y2 of the part of the photograph that is drawn on."""


def wear_mask(photo: UInt8Array, *, nose_is_free: bool = False) -> UInt8Array:
    """Return the photograph with a light-blue surgical mask on the face.

    Args:
        photo: (512, 512, 3) uint8, BGR; not changed.
        nose_is_free: whether the mask sits below the nose, as it shouldn't.

    Returns:
        (512, 512, 3) uint8, BGR.
    """
    x1, y1, x2, y2 = _BOX
    face = photo[y1:y2, x1:x2].astype(np.float32)
    height, width = face.shape[:2]
    top = _TOP_BELOW_NOSE if nose_is_free else _TOP_ON_NOSE
    outline = _large(_smooth((*top, *_LOWER)))
    cloth = np.zeros((height * _SCALE, width * _SCALE), np.float32)
    cv2.fillPoly(cloth, [outline], (1.0,), cv2.LINE_AA)
    loops = np.zeros_like(cloth)
    for loop in _LOOPS_BELOW_NOSE if nose_is_free else _LOOPS_ON_NOSE:
        cv2.polylines(loops, [_large(np.array(loop, np.float32))], False, (1.0,), 8, cv2.LINE_AA)
    colour = _cloth_colour(cloth, outline, _large(np.array(top, np.float32)), _light(face))
    shadow = cv2.GaussianBlur(np.roll(np.maximum(cloth, loops), 8, axis=0), (0, 0), 9.0) * 0.35
    face *= (1 - _shrink(shadow, width, height))[..., None]
    face = _lay(face, np.full_like(face, 232.0), _shrink(loops, width, height) * 0.9)
    face = _lay(face, _shrink(colour, width, height), _shrink(cloth, width, height))
    result = photo.copy()
    result[y1:y2, x1:x2] = np.clip(face, 0, 255).astype(np.uint8)
    return result


def _cloth_colour(cloth: Float32Array, outline: Int32Array, top: Int32Array, light: Float32Array) -> Float32Array:
    """Return (H, W, 3) float32 BGR of the cloth: rounded by the face, pleated, with a nose wire and a hem."""
    height, width = cloth.shape
    x = (np.arange(width, dtype=np.float32) / _SCALE + _BOX[0] - 225) / 46
    y = np.arange(height, dtype=np.float32)[:, None] / _SCALE + _BOX[1]
    sag = y + 6 * x[None] ** 2  # pleats hang lower in the middle, seen from the front
    shade = 1.0 - 0.30 * np.clip(np.abs(x[None] + 0.05), 0, 1.1) ** 2.2 - 0.14 * np.clip((y - 158) / 26, 0, 1) ** 1.5
    shade = shade + 0.05 * np.exp(-(((x[None] + 0.02) / 0.22) ** 2)) * np.exp(-(((y - 128) / 16) ** 2))
    for pleat in (141.0, 150.0, 159.0):
        shade = (
            shade - 0.16 * np.exp(-(((sag - pleat) / 0.9) ** 2)) + 0.05 * np.exp(-(((sag - pleat + 2.2) / 1.3) ** 2))
        )
    lines = np.zeros_like(cloth)
    cv2.polylines(lines, [outline], True, (1.0,), 14, cv2.LINE_AA)
    cv2.polylines(lines, [top + np.array([0, 3 * _SCALE])], False, (0.8,), 7, cv2.LINE_AA)
    shade = shade - 0.10 * cv2.GaussianBlur(lines, (0, 0), 2.0)
    weave = np.random.default_rng(3).normal(0, 0.012, cloth.shape).astype(np.float32)
    shade = (shade + weave) * cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(shade[..., None] * np.array(_LIGHT_BLUE_BGR, np.float32), np.float32)


def _light(face: Float32Array) -> Float32Array:
    """Return (H, W) float32 around 1: how the light falls on the face, so that the mask stands in the same light."""
    grey = cv2.GaussianBlur(face.mean(axis=2), (0, 0), 14.0)
    return np.asarray(np.clip(0.75 + 0.25 * grey / grey[30:80, 50:100].mean(), 0.75, 1.08), np.float32)


def _smooth(points: tuple[tuple[int, int], ...]) -> Float32Array:
    """Return a closed Catmull-Rom curve through the points, (N, 2) float32."""
    p = np.array(points, np.float32)
    before, after, after2 = np.roll(p, 1, 0), np.roll(p, -1, 0), np.roll(p, -2, 0)
    t = np.linspace(0, 1, 8, endpoint=False, dtype=np.float32)[None, :, None]
    a, b, c, d = before[:, None], p[:, None], after[:, None], after2[:, None]
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return np.asarray(curve.reshape(-1, 2), np.float32)


def _large(points: Float32Array) -> Int32Array:
    """Return photograph coordinates as int32 coordinates of the enlarged box."""
    return np.asarray(np.round((points - np.array(_BOX[:2])) * _SCALE), np.int32)


def _shrink(layer: Float32Array, width: int, height: int) -> Float32Array:
    return np.asarray(cv2.resize(layer, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _lay(under: Float32Array, over: Float32Array, alpha: Float32Array) -> Float32Array:
    return np.asarray(under * (1 - alpha[..., None]) + over * alpha[..., None], np.float32)
