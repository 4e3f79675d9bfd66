from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from maskwatch.types import MaskLabel
from training.detector_batches import MAX_FACES, SceneSampler
from training.detector_scenes import Scene, no_places

FACE = (60, 40, 100, 90)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A grey picture with one green face and one red thing that nobody labelled."""
    image = np.full((200, 300, 3), 90, np.uint8)
    cv2.rectangle(image, FACE[:2], (FACE[2] - 1, FACE[3] - 1), (0, 255, 0), -1)
    cv2.rectangle(image, (200, 120), (239, 159), (0, 0, 255), -1)
    cv2.imwrite(str(tmp_path / "one.png"), image)
    marks = np.array([[[70, 55], [90, 55], [80, 65], [72, 80], [88, 80]]], np.float32)
    boxes = np.array([FACE], np.float32)
    return Scene(
        tmp_path / "one.png", boxes, (MaskLabel.WITH_MASK,), marks, np.array([[200, 120, 240, 160]], np.float32)
    )


def test_boxes_stay_on_their_faces_through_every_change(scene: Scene) -> None:
    batches = SceneSampler([scene], 128, seed=5).batches(8)
    checked = 0
    for batch in (next(batches) for _ in range(6)):
        for image, boxes, marks in zip(batch.images, batch.boxes_xyxy, batch.landmarks_xy, strict=True):
            for box, points in zip(boxes, marks, strict=True):
                if box[2] <= box[0]:
                    continue
                x1, y1, x2, y2 = np.round(box).astype(int)
                inside = image[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1].astype(int).reshape(-1, 3).mean(0)
                if np.ptp(inside) > 15:  # pictures turned grey say nothing
                    assert inside[1] > inside[0]
                    assert inside[1] > inside[2]
                    checked += 1
                across, down = points[1] - points[0], points[3] - points[0]
                assert across[0] * down[1] - across[1] * down[0] > 0  # mirrored or turned, sides keep their names
    assert checked > 10


def test_unlabelled_thing_is_an_ignored_place(scene: Scene) -> None:
    batches = SceneSampler([scene], 128, seed=5).batches(8)
    areas = np.concatenate([next(batches).ignore_xyxy.reshape(-1, 4) for _ in range(4)])
    assert (areas[:, 2] > areas[:, 0]).any()


def test_cuts_are_often_made_round_a_decoy(scene: Scene) -> None:
    scene.decoys_xyxy = np.array([[200, 120, 240, 160]], np.float32)
    shown = {True: 0, False: 0}
    for with_decoy in shown:
        one = scene if with_decoy else replace(scene, decoys_xyxy=no_places())
        batches = SceneSampler([one], 128, seed=5).batches(16)
        areas = np.concatenate([next(batches).ignore_xyxy for _ in range(6)])
        shown[with_decoy] = int((areas[..., 2] > areas[..., 0]).any(axis=1).sum())
    assert shown[True] > 1.2 * shown[False]


def test_scene_with_a_decoy_comes_twice_as_often(scene: Scene, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "plain.png"), np.full((200, 300, 3), 90, np.uint8))
    plain = Scene(tmp_path / "plain.png", no_places(), (), np.zeros((0, 5, 2), np.float32))
    decoy = replace(plain, path=scene.path, decoys_xyxy=np.array([[200, 120, 240, 160]], np.float32))
    batches = SceneSampler([plain, decoy], 128, seed=3).batches(60)
    images = next(batches).images.astype(int)
    coloured = (np.ptp(images, axis=-1) > 60).any(axis=(1, 2))
    assert coloured.mean() > 0.55


def test_same_seed_gives_the_same_pictures(scene: Scene) -> None:
    one, other = (next(SceneSampler([scene], 96, seed=9).batches(4)) for _ in range(2))
    assert np.array_equal(one.images, other.images)
    assert np.array_equal(one.boxes_xyxy, other.boxes_xyxy)


def test_more_faces_than_fit_keep_the_largest(scene: Scene) -> None:
    corners = np.random.default_rng(0).uniform(0, 180, (200, 2)).astype(np.float32)
    sides = np.linspace(10, 100, 200, dtype=np.float32)[:, None]
    scene.labels = (MaskLabel.WITH_MASK,) * 200
    scene.boxes_xyxy = np.concatenate([corners, corners + sides], axis=1)
    scene.landmarks_xy = np.full((200, 5, 2), np.nan, np.float32)
    batch = next(SceneSampler([scene], 128, seed=1).batches(2))
    assert batch.boxes_xyxy.shape == (2, MAX_FACES, 4)
