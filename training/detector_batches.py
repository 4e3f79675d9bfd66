"""Batches of training pictures for the detector: scenes that are cut, put together and varied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.types import MaskLabel
from training.detector_scenes import Scene

__all__ = ["MAX_FACES", "Batch", "SceneSampler"]

MAX_FACES = 32
"""Faces, and as many ignored areas, that one training picture can hold; more are left out (smallest first)."""

Int64Array = NDArray[np.int64]

_MIRRORED = [1, 0, 2, 4, 3]  # the right eye of a mirrored face is where its left eye was
_MIN_FACE_PX = 6.0  # below it a box is a guess; the place is neither face nor background
_DECOYS, _FACES = 0.5, 0.75  # how often a cut is made round one, where a scene has any
_WEIGHTS = {MaskLabel.WITH_MASK: 1.0, MaskLabel.WITHOUT_MASK: 1.5, MaskLabel.INCORRECT_MASK: 3.0}
"""How often a face of each label is chosen: there are three masked faces for a bare one, and few wrong ones."""

_TURNED = 0.08  # how often a picture is turned by one, two or three quarters
_SMALL_SIDES, _LARGE_SIDES = (180, 380), (380, 820)
"""Longest sides in pixels at which profiles fast and accurate see a picture, and a little beyond."""
_MIN_VISIBLE = 0.55  # of a face's box inside the cut; below it the place is neither face nor background


@dataclass(frozen=True, slots=True)
class Batch:
    """What one training step takes; B pictures, G = `MAX_FACES`.

    Attributes:
        images: (B, S, S, 3) uint8 BGR.
        boxes_xyxy: (B, G, 4) float32 pixels, zeros where there is no face.
        landmarks_xy: (B, G, 5, 2) float32 pixels, NaN where unknown.
        ignore_xyxy: (B, G, 4) float32 pixels, zeros where there is none.
    """

    images: UInt8Array
    boxes_xyxy: Float32Array
    landmarks_xy: Float32Array
    ignore_xyxy: Float32Array


class SceneSampler:
    """Endless training pictures: random zoom, cut, turn, mosaic, mirror, light, blur and compression.

    Zoom is drawn so that faces have the sizes they have in both profiles of the detector: half of the training
    pictures show a scene as profile fast does, mostly four in one because they are small, the others as accurate does.
    A scene with a decoy comes twice as often. Pictures are decoded once and kept in memory.
    """

    def __init__(self, scenes: Sequence[Scene], size_px: int = 320, seed: int = 0) -> None:
        self._scenes = list(scenes)
        self._images = [scene.read_bgr() for scene in self._scenes]
        again = [index for index, scene in enumerate(self._scenes) if len(scene.decoys_xyxy)]
        self._turns = np.array([*range(len(self._scenes)), *again])
        self._size = size_px
        self._rng = np.random.default_rng(seed)

    def batches(self, batch: int) -> Iterator[Batch]:
        """Yield batches for ever."""
        queue: list[int] = []
        while True:
            out = Batch(
                np.zeros((batch, self._size, self._size, 3), np.uint8),
                np.zeros((batch, MAX_FACES, 4), np.float32),
                np.full((batch, MAX_FACES, 5, 2), np.nan, np.float32),
                np.zeros((batch, MAX_FACES, 4), np.float32),
            )
            for row in range(batch):
                while len(queue) < 4:
                    queue += self._rng.permutation(self._turns).tolist()
                self._fill(out, row, queue)
            yield out

    def _fill(self, out: Batch, row: int, queue: list[int]) -> None:
        """Make one picture of the batch, of one scene or of four."""
        rng, size = self._rng, self._size
        canvas = out.images[row]
        canvas[:] = int(rng.integers(0, 2) * rng.integers(0, 256))
        tiles = [(0, 0, size, size)]
        small = rng.random() < 0.5
        if rng.random() < (0.85 if small else 0.15):
            x, y = rng.integers(int(size * 0.35), int(size * 0.65), 2).tolist()
            tiles = [(0, 0, x, y), (x, 0, size, y), (0, y, x, size), (x, y, size, size)]
        faces, marks, ignored = [], [], []
        for tile in tiles:
            index = queue.pop()
            image, scene = self._images[index], self._scenes[index]
            if rng.random() < _TURNED:
                image, scene = _turn(image, scene, int(rng.integers(1, 4)))
            sides = _SMALL_SIDES if small else _LARGE_SIDES
            zoom = np.exp(rng.uniform(*np.log(sides))) / max(image.shape[:2])
            cut = _choose_cut(image, scene, tile, min(float(zoom), 2.5), rng)
            cut.paint(image, canvas, smooth=zoom < 1 and rng.random() < 0.5)
            boxes, landmarks, places = cut.labels(scene)
            faces.append(boxes)
            marks.append(landmarks)
            ignored.append(places)
        _vary_light(canvas, rng)
        boxes = np.concatenate(faces)
        order = np.argsort(-(boxes[:, 2] - boxes[:, 0]))[:MAX_FACES]
        out.boxes_xyxy[row, : len(order)] = boxes[order]
        out.landmarks_xy[row, : len(order)] = np.concatenate(marks)[order]
        places = np.concatenate(ignored)[:MAX_FACES]
        out.ignore_xyxy[row, : len(places)] = places


@dataclass(frozen=True, slots=True)
class _Cut:
    """A part of a picture and where it goes.

    Attributes:
        corner: left and top of the part, in the picture's pixels.
        window: its width and height there.
        at: left and top on the canvas.
        shown: its width and height there.
        mirror: whether left and right are swapped.
    """

    corner: Int64Array
    window: Int64Array
    at: Int64Array
    shown: Int64Array
    mirror: bool

    def paint(self, image: UInt8Array, canvas: UInt8Array, *, smooth: bool) -> None:
        """Write the part to the canvas, averaged or bilinear as the live letterbox does either."""
        (left, top), (width, height) = self.corner.tolist(), self.window.tolist()
        size = (int(self.shown[0]), int(self.shown[1]))
        part = cv2.resize(
            image[top : top + height, left : left + width],
            size,
            interpolation=cv2.INTER_AREA if smooth else cv2.INTER_LINEAR,
        )
        x, y = self.at.tolist()
        canvas[y : y + size[1], x : x + size[0]] = part[:, ::-1] if self.mirror else part

    def labels(self, scene: Scene) -> tuple[Float32Array, Float32Array, Float32Array]:
        """Return what is seen of a scene, in pixels of the canvas.

        Returns:
            (N, 4) float32 faces xyxy, (N, 5, 2) float32 their landmarks, (M, 4) float32 ignored places xyxy.
        """
        boxes, marks = self._move_boxes(scene.boxes_xyxy), self._move(scene.landmarks_xy)
        clipped = self._clip(boxes)
        visible = _area(clipped)
        sides = np.minimum(clipped[:, 2] - clipped[:, 0], clipped[:, 3] - clipped[:, 1])
        good = (visible >= _MIN_VISIBLE * _area(boxes)) & (sides >= _MIN_FACE_PX)
        ignored = self._clip(self._move_boxes(scene.ignore_xyxy))
        places = np.concatenate([clipped[~good & (visible > 0)], ignored[_area(ignored) > 0]])
        return clipped[good], (marks[:, _MIRRORED] if self.mirror else marks)[good], places

    def _move(self, points: Float32Array) -> Float32Array:
        moved = (points - self.corner) * (self.shown / self.window)
        if self.mirror:
            moved[..., 0] = self.shown[0] - moved[..., 0]
        return np.asarray(moved + self.at, np.float32)

    def _move_boxes(self, boxes: Float32Array) -> Float32Array:
        """Map corners and put them in order again, which a mirror turns round."""
        corners = self._move(boxes.reshape(-1, 2, 2))
        return np.concatenate([corners.min(1), corners.max(1)], axis=1)

    def _clip(self, boxes: Float32Array) -> Float32Array:
        low, high = self.at, self.at + self.shown
        return np.clip(boxes, np.tile(low, 2), np.tile(high, 2)).astype(np.float32)


def _choose_cut(
    image: UInt8Array, scene: Scene, tile: tuple[int, int, int, int], zoom: float, rng: np.random.Generator
) -> _Cut:
    """Choose a part that fills a tile of the canvas as far as the picture reaches, mostly near a face."""
    left, top, right, bottom = tile
    size = np.array([right - left, bottom - top])
    whole = np.array([image.shape[1], image.shape[0]])
    window = np.minimum(whole, np.ceil(size / zoom).astype(int))
    corner = rng.integers(0, whole - window + 1)
    box = _choose_middle(scene, rng)
    if box is not None:
        near = (box[:2] + box[2:]) / 2 - window * rng.uniform(0.15, 0.85, 2)
        corner = np.clip(near.astype(int), 0, whole - window)
    shown = np.maximum(np.minimum(size, np.round(window * zoom).astype(int)), 1)
    at = np.array([left, top])
    if rng.random() < 0.5:
        at = at + rng.integers(0, size - shown + 1)
    return _Cut(corner, window, at, shown, bool(rng.random() < 0.5))


def _turn(image: UInt8Array, scene: Scene, quarters: int) -> tuple[UInt8Array, Scene]:
    """Turn a picture and all its places anticlockwise, for faces of people who lie or are seen from above."""

    def turned(points: Float32Array) -> Float32Array:
        height, width = image.shape[:2]
        for _ in range(quarters):
            points = np.stack([points[..., 1], width - points[..., 0]], axis=-1)
            width, height = height, width
        return points

    def boxes(old: Float32Array) -> Float32Array:
        corners = turned(old.reshape(-1, 2, 2))
        return np.concatenate([corners.min(1), corners.max(1)], axis=1)

    whole = replace(
        scene,
        boxes_xyxy=boxes(scene.boxes_xyxy),
        landmarks_xy=turned(scene.landmarks_xy),
        ignore_xyxy=boxes(scene.ignore_xyxy),
        decoys_xyxy=boxes(scene.decoys_xyxy),
    )
    return np.ascontiguousarray(np.rot90(image, quarters)), whole


def _choose_middle(scene: Scene, rng: np.random.Generator) -> Float32Array | None:
    """Choose what a cut is to show: a decoy, a face (rarer labels more often than their number), or anything."""
    if len(scene.decoys_xyxy) and rng.random() < _DECOYS:
        return np.asarray(scene.decoys_xyxy[rng.integers(len(scene.decoys_xyxy))], np.float32)
    if len(scene.boxes_xyxy) and rng.random() < _FACES:
        weights = np.array([_WEIGHTS[label] for label in scene.labels])
        return np.asarray(scene.boxes_xyxy[rng.choice(len(weights), p=weights / weights.sum())], np.float32)
    return None


def _area(boxes: Float32Array) -> Float32Array:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), np.float32)


def _vary_light(image: UInt8Array, rng: np.random.Generator) -> None:
    """Change brightness, contrast, colour, sharpness and compression in place, as cameras differ in them."""
    if rng.random() < 0.8:
        gain = rng.uniform(0.6, 1.4) * rng.uniform(0.9, 1.1, 3)
        gamma, lift = np.exp(rng.uniform(-0.4, 0.4)), rng.uniform(-25, 25)
        ramp = 255 * (np.arange(256) / 255) ** gamma
        table = np.clip(ramp[:, None] * gain + lift, 0, 255).astype(np.uint8)
        cv2.LUT(image, table.reshape(1, 256, 3), dst=image)
    if rng.random() < 0.08:
        image[:] = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None]
    if rng.random() < 0.12:
        cv2.GaussianBlur(image, (3, 3), float(rng.uniform(0.4, 1.2)), dst=image)
    if rng.random() < 0.12:
        noise = rng.normal(0, rng.uniform(3, 12), image.shape)
        image[:] = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        quality = int(rng.integers(35, 90))
        coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image[:] = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
