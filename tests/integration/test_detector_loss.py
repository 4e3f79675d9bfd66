"""The loss pulls the network towards the faces it is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from models.detectors.decode import decode_maps  # noqa: E402 - needs the skip above
from models.detectors.yunet import build_yunet  # noqa: E402
from training.detector_loss import cell_grid, detection_loss  # noqa: E402

SIZE = 96


def targets(*boxes: tuple[float, float, float, float]) -> tuple[Any, Any, Any]:
    padded = np.zeros((1, 4, 4), np.float32)
    padded[0, : len(boxes)] = np.array(boxes, np.float32).reshape(-1, 4)
    return tf.constant(padded), tf.fill((1, 4, 5, 2), np.float32("nan")), tf.zeros((1, 4, 4))


def free_maps(logit: float = -2.0) -> list[Any]:
    """Maps that are learned directly, without a network."""
    maps = []
    for stride in (8, 16, 32):
        start = np.zeros((1, SIZE // stride, SIZE // stride, 16), np.float32)
        start[..., :2] = logit
        maps.append(tf.Variable(start))
    return maps


def learn(maps: list[Any], boxes: Any, marks: Any, ignored: Any, steps: int = 150) -> dict[str, float]:
    """Descend by hand: compiled, because some hundred eager steps take a minute."""
    grid = tf.constant(cell_grid(SIZE))

    def step(rate: Any) -> Any:
        with tf.GradientTape() as tape:
            losses = detection_loss(maps, boxes, marks, ignored, grid)
        for variable, gradient in zip(maps, tape.gradient(losses["loss"], maps), strict=True):
            variable.assign_sub(rate * tf.sign(gradient))
        return losses

    compiled = tf.function(step, autograph=False)
    losses: dict[str, Any] = {}
    for number in range(steps):
        losses = compiled(tf.constant(0.1 * (1 - number / steps), tf.float32))
    return {name: float(value) for name, value in losses.items()}


def test_learned_maps_decode_to_the_labelled_boxes() -> None:
    faces = [(10, 12, 40, 50), (60, 20, 76, 40)]
    maps = free_maps()
    learn(maps, *targets(*faces))
    found = decode_maps([part.numpy() for part in maps], 0.5)
    for face in faces:
        assert np.abs(found.boxes_xyxy - np.array(face)).max(1).min() < 1.5


def test_picture_without_faces_teaches_silence_and_stays_finite() -> None:
    maps = free_maps(logit=1.0)
    losses = learn(maps, *targets(), steps=60)
    assert np.isfinite(losses["loss"])
    assert len(decode_maps([part.numpy() for part in maps], 0.4).scores) == 0


def test_ignored_place_is_neither_face_nor_background() -> None:
    maps = free_maps(logit=1.0)
    boxes, marks, _ = targets()
    everywhere = tf.constant(np.array([[[-1, -1, SIZE + 1, SIZE + 1], *[[0, 0, 0, 0]] * 3]], np.float32))
    grid = tf.constant(cell_grid(SIZE))
    losses = detection_loss(maps, boxes, marks, everywhere, grid)
    assert float(losses["loss"]) == 0


def test_known_landmarks_are_learned_and_unknown_ones_left_alone() -> None:
    maps = free_maps()
    boxes, _, ignored = targets((10, 12, 40, 50))
    points = np.full((1, 4, 5, 2), np.nan, np.float32)
    points[0, 0, 0] = 18, 24
    learn(maps, boxes, tf.constant(points), ignored, steps=250)
    found = decode_maps([part.numpy() for part in maps], 0.6)
    assert np.abs(found.landmarks_xy[:, 0] - np.array([18, 24])).max() < 2
    assert all(np.isfinite(part.numpy()).all() for part in maps)


def test_gradients_reach_every_weight_of_the_network() -> None:
    model = build_yunet(scale=1 / 255)
    images = np.random.default_rng(0).integers(0, 256, (1, SIZE, SIZE, 3), np.uint8)
    with tf.GradientTape() as tape:
        losses = detection_loss(model(images), *targets((10, 12, 40, 50)), tf.constant(cell_grid(SIZE)))
    gradients = tape.gradient(losses["loss"], model.trainable_variables)
    assert all(gradient is not None for gradient in gradients)
    assert all(np.isfinite(gradient.numpy()).all() for gradient in gradients)
