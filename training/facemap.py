"""Painting on faces: where on a face each pixel lies, by five landmarks, and laying a picture over it in its light.

Face coordinates have their origin between the eyes, x to the right of the picture, y down to the chin, and the
distance between the eyes as their unit: the mouth is at y = 1.1, the chin at 1.85, an ear at x = 1.1. The head is a
parabolic cylinder, which is enough for paint to follow its turn and tilt and to vanish behind its far side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwatch.arrays import Float32Array, UInt8Array

__all__ = ["Canvas", "FaceMap", "paint", "rounded", "skin_bgr"]

MODEL = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.62, 0.42], [-0.38, 1.1, 0.1], [0.38, 1.1, 0.1]])
"""The five landmarks of an average head in face coordinates, z towards the camera.

Source: proportions of Farkas, "Anthropometry of the Head and Face", 1994, rounded."""

SOLVER = np.linalg.pinv(np.concatenate([MODEL, np.ones((5, 1))], axis=1))
"""(4, 5): the least-squares camera of five points, without perspective."""

ROUNDNESS = 0.7
"""How fast the head falls back to the sides: z = FRONT - ROUNDNESS x². The far side's rim is right at 30 degrees."""

FRONT = 0.22
"""Depth of what is painted at the middle of the face, between the mouth and the tip of the nose."""

MAX_TURN = 0.9
"""Largest slope of the depth in face coordinates, the tangent of the turn; in profile landmarks are guesses."""

TRUST = 0.85
"""How much of the turn that the nose shows is believed: noses differ in length."""

MIN_WIDTH = 0.6
"""Distance of the eyes over its usual part of the face's height below which a face is in profile and isn't painted:
the detector presses the landmarks of profiles together. 6 % of the bare faces are."""

CANVAS_SCALE = (14.0, 46.0)
"""Least and most pixels of a canvas per unit: the network sees about 40."""

SOFTNESS = (0.5, 1.4)
"""Blur of the paint's edges, standard deviation in pixels of the canvas. No edge is sharper than a lens makes it, or
the network would learn to look for sharp edges."""

GREY_CHROMA = 6.0
"""Mean difference of blue and red below which a picture is taken for a grey one, and the paint becomes grey too."""

GRID_STEP = 2
"""Coordinates are computed at every second pixel and interpolated; they are smooth."""


@dataclass(frozen=True, slots=True)
class FaceMap:
    """How a face lies in a picture.

    Attributes:
        axes: (2, 2) float64, pixels (x, y) of a unit of the face's x (first row) and y.
        origin: (2,) float64, the pixel between the eyes.
        slope: (2,) float64, how far a unit of depth moves a point, in face coordinates.
    """

    axes: NDArray[np.float64]
    origin: NDArray[np.float64]
    slope: NDArray[np.float64]

    @classmethod
    def from_landmarks(cls, landmarks_xy: Float32Array) -> FaceMap | None:
        """Fit the map to five landmarks.

        Args:
            landmarks_xy: (5, 2) pixels: right eye, left eye, nose, right and left corner of the mouth.

        Returns:
            The map, or None for a face in profile, upside down or smaller than paint can be seen on.
        """
        camera = SOLVER @ landmarks_xy.astype(np.float64)
        axes = camera[:2]
        across, down = np.linalg.norm(axes, axis=1)
        if down < 3 or across < MIN_WIDTH * down or np.linalg.det(axes) <= 0.3 * across * down or axes[1, 1] <= 0:
            return None
        slope = np.clip(TRUST * camera[2] @ np.linalg.inv(axes), -MAX_TURN, MAX_TURN)
        return cls(axes, camera[3], slope * np.array([1.0, 0.5]))

    @classmethod
    def from_box(cls, box_xyxy: tuple[float, float, float, float]) -> FaceMap:
        """Guess the map of an upright face from its box, for paint that needn't be exact."""
        left, top, right, bottom = box_xyxy
        axes = np.diag([(right - left) / 2.15, (bottom - top) / 2.9])
        return cls(axes, np.array([(left + right) / 2, top + 0.38 * (bottom - top)]), np.zeros(2))

    @property
    def unit_px(self) -> float:
        """Pixels of a unit, the mean of both directions."""
        return float(np.linalg.norm(self.axes, axis=1).mean())

    def to_face(self, xs: NDArray[np.float64], ys: NDArray[np.float64]) -> tuple[Float32Array, Float32Array]:
        """Return the face coordinates that pixels show.

        Args:
            xs: (W,) columns.
            ys: (H,) rows.

        Returns:
            x and y, (H, W) float32 each; where a line of sight passes the head, x grows fast and steadily from its rim.
        """
        inverse = np.linalg.inv(self.axes).astype(np.float32)
        dx = (xs - self.origin[0]).astype(np.float32)
        dy = (ys - self.origin[1]).astype(np.float32)[:, None]
        turn, tilt = (np.float32(value) for value in self.slope)
        flat_x = dx * inverse[0, 0] + dy * inverse[1, 0] - turn * np.float32(FRONT)
        flat_y = dx * inverse[0, 1] + dy * inverse[1, 1] - tilt * np.float32(FRONT)
        seen = 1 - np.float32(4 * ROUNDNESS) * turn * flat_x
        x = 2 * flat_x / (1 + np.sqrt(np.maximum(seen, 0))) * (1 + 4 * np.sqrt(np.maximum(-seen, 0)))
        return x, flat_y + tilt * np.float32(ROUNDNESS) * x * x

    def seen_at(self, point_xy: Float32Array) -> tuple[float, float]:
        """Return the face coordinates that paint over one pixel would have."""
        x, y = self.to_face(point_xy[:1].astype(np.float64), point_xy[1:].astype(np.float64))
        return float(x[0, 0]), float(y[0, 0])

    def to_picture(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the pixels (N, 2) of points (N, 2) in face coordinates."""
        depth = FRONT - ROUNDNESS * points[:, :1] ** 2
        moved: NDArray[np.float64] = (points + depth * self.slope) @ self.axes + self.origin
        return moved


class Canvas:
    """A flat picture in face coordinates, to be laid over a face.

    Args:
        scale: its pixels per unit.
        x_range: from where to where it reaches.
        y_range: the same downwards.

    Attributes:
        colour: (H, W, 3) uint8 BGR.
        alpha: (H, W) uint8, 255 where the paint covers.
        x: (1, W) float32, face coordinates of the columns.
        y: (H, 1) float32, of the rows.
    """

    def __init__(self, scale: float, x_range: tuple[float, float], y_range: tuple[float, float]) -> None:
        self.scale, self.left, self.top = scale, x_range[0], y_range[0]
        width, height = (round((stop - start) * scale) for start, stop in (x_range, y_range))
        self.colour: UInt8Array = np.zeros((height, width, 3), np.uint8)
        self.alpha: UInt8Array = np.zeros((height, width), np.uint8)
        self.x: Float32Array = (self.left + (np.arange(width, dtype=np.float32) + 0.5) / np.float32(scale))[None]
        self.y: Float32Array = (self.top + (np.arange(height, dtype=np.float32) + 0.5) / np.float32(scale))[:, None]

    @classmethod
    def over(cls, face: FaceMap, x_range: tuple[float, float], y_range: tuple[float, float]) -> Canvas:
        """Make a canvas as fine as a face is in its picture, within `CANVAS_SCALE`."""
        return cls(min(CANVAS_SCALE[1], max(CANVAS_SCALE[0], face.unit_px)), x_range, y_range)

    def at(self, points: NDArray[np.float64] | Sequence[tuple[float, float]]) -> NDArray[np.int32]:
        """Return points for OpenCV's drawing functions, in sixteenths of a pixel (`shift=4`)."""
        offset = np.array([self.left, self.top])
        pixels: NDArray[np.int32] = np.rint(((np.asarray(points) - offset) * self.scale - 0.5) * 16).astype(np.int32)
        return pixels

    def fill(self, image: UInt8Array, points: NDArray[np.float64] | Sequence[tuple[float, float]], value: int) -> None:
        """Fill a polygon of one of this canvas' single-channel pictures."""
        cv2.fillPoly(image, [self.at(points)], value, cv2.LINE_AA, 4)

    def line(self, points: NDArray[np.float64] | Sequence[tuple[float, float]], width: float, opacity: int) -> None:
        """Cover a line; what is thinner than a pixel is fainter instead."""
        pixels = width * self.scale
        strength = round(opacity * min(1.0, pixels))
        layer = np.zeros_like(self.alpha)
        cv2.polylines(layer, [self.at(points)], False, strength, max(1, round(pixels)), cv2.LINE_AA, 4)
        np.maximum(self.alpha, layer, out=self.alpha)


def rounded(corners: NDArray[np.float64], cut: float = 0.22) -> NDArray[np.float64]:
    """Cut the corners of a closed line (N, 2) twice, each time by a share of its sides: (4N, 2).

    Source: Chaikin, "An algorithm for high-speed curve generation", 1974.
    """
    for _ in range(2):
        after = np.roll(corners, -1, axis=0)
        corners = np.stack([(1 - cut) * corners + cut * after, cut * corners + (1 - cut) * after], axis=1).reshape(
            -1, 2
        )
    return corners


def paint(
    patch_bgr: UInt8Array, face: FaceMap, canvas: Canvas, rng: np.random.Generator, *, shadow: float = 0.3
) -> UInt8Array:
    """Lay a canvas over a face: softened, lit as the face is, with a little shadow around it.

    Args:
        patch_bgr: (H, W, 3) uint8; not modified.
        face: where the face is.
        canvas: what to lay over it.
        rng: decides how soft and how bright it becomes.
        shadow: how dark its shadow on the face is, 0..1.

    Returns:
        A new (H, W, 3) uint8 BGR.
    """
    height, width = patch_bgr.shape[:2]
    rows, columns = canvas.alpha.shape
    edge_x = np.linspace(canvas.left, canvas.left + columns / canvas.scale, 9)
    edge_y = np.linspace(canvas.top, canvas.top + rows / canvas.scale, 3)
    corners = face.to_picture(np.stack(np.meshgrid(edge_x, edge_y), axis=-1).reshape(-1, 2))
    x0, y0 = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(corners.max(axis=0)), (width, height)).astype(int)
    result = patch_bgr.copy()
    if x1 - x0 < GRID_STEP or y1 - y0 < GRID_STEP:
        return result
    part = patch_bgr[y0:y1, x0:x1]
    soft = _soft_layer(canvas, rng, shadow)
    if float(cv2.absdiff(part[..., 0], part[..., 2]).mean()) < GREY_CHROMA:
        soft[..., :3] = cv2.cvtColor(soft[..., :3], cv2.COLOR_BGR2GRAY)[..., None]
    layer = _project(soft, face, canvas, (x0, y0, x1, y1))
    light = cv2.merge([_light(part, rng)] * 3)
    over = cv2.multiply(layer[..., :3], light, dtype=cv2.CV_32F)
    under = cv2.multiply(part, cv2.merge([255 - layer[..., 3]] * 3), scale=1 / 255, dtype=cv2.CV_32F)
    result[y0:y1, x0:x1] = np.clip(over + under, 0, 255)
    return result


def _soft_layer(canvas: Canvas, rng: np.random.Generator, shadow: float) -> UInt8Array:
    """Return colour times opacity, and the opacity with the shadow's: (H, W, 4) uint8, edges softened."""
    around = cv2.blur(canvas.alpha, (2 * round(0.07 * canvas.scale) + 3,) * 2)
    layer = np.empty((*canvas.alpha.shape, 4), np.uint8)
    layer[..., :3] = cv2.multiply(canvas.colour, cv2.merge([canvas.alpha] * 3), scale=1 / 255, dtype=cv2.CV_8U)
    layer[..., 3] = np.maximum(canvas.alpha, cv2.convertScaleAbs(around, alpha=shadow))
    return cv2.GaussianBlur(layer, (5, 5), rng.uniform(*SOFTNESS)).astype(np.uint8, copy=False)


def _project(layer: UInt8Array, face: FaceMap, canvas: Canvas, box: tuple[int, int, int, int]) -> UInt8Array:
    """Return the layer as the pixels of a box of the picture show it, (H, W, 4) uint8."""
    x0, y0, x1, y1 = box
    grid_w, grid_h = (x1 - x0) // GRID_STEP, (y1 - y0) // GRID_STEP
    step_x, step_y = (x1 - x0) / grid_w, (y1 - y0) / grid_h
    xs = x0 + (np.arange(grid_w, dtype=np.float64) + 0.5) * step_x - 0.5
    ys = y0 + (np.arange(grid_h, dtype=np.float64) + 0.5) * step_y - 0.5
    x, y = face.to_face(xs, ys)
    size = (x1 - x0, y1 - y0)
    columns = cv2.resize((x - np.float32(canvas.left)) * np.float32(canvas.scale) - np.float32(0.5), size)
    rows = cv2.resize((y - np.float32(canvas.top)) * np.float32(canvas.scale) - np.float32(0.5), size)
    return cv2.remap(layer, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT).astype(
        np.uint8, copy=False
    )


def _light(part_bgr: UInt8Array, rng: np.random.Generator) -> Float32Array:
    """Return what to multiply paint with, (H, W) float32: bright where the face is, dark in its shadows."""
    height, width = part_bgr.shape[:2]
    coarse = cv2.cvtColor(cv2.resize(part_bgr, (8, 8), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    middle = max(8.0, float(np.median(coarse[1:6, 2:6])))
    share: Float32Array = cv2.GaussianBlur(coarse, (0, 0), 1.2).astype(np.float32) / np.float32(middle)
    share = np.clip(share, 0.55, 1.35)
    exposure = min(1.2, max(0.4, (middle / 135) ** 0.6)) * rng.uniform(0.85, 1.12)
    light = share ** np.float32(rng.uniform(0.5, 0.9)) * np.float32(exposure)
    return cv2.resize(light, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32, copy=False)


def skin_bgr(patch_bgr: UInt8Array, face: FaceMap) -> Float32Array:
    """Return the colour of the cheeks and the nose, (3,) float32 BGR; a middle one where they aren't in the picture."""
    spots = face.to_picture(np.array([[-0.45, 0.6], [0.0, 0.45], [0.45, 0.6], [0.0, 0.55]]))
    height, width = patch_bgr.shape[:2]
    inside = [(int(y), int(x)) for x, y in spots if 0 <= x < width and 0 <= y < height]
    if not inside:
        return np.array([120, 140, 180], np.float32)
    return np.median(np.array([patch_bgr[y, x] for y, x in inside], np.float32), axis=0).astype(np.float32)
