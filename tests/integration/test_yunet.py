"""The architecture, and that the published weights mean in it what they mean in OpenCV."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from maskwatch.errors import ModelError
from maskwatch.types import Profile
from models.detectors.yunet import build_yunet
from tests.support import shared_path
from training.detector_scenes import read_scenes


def test_maps_have_one_cell_a_stride_and_sixteen_channels() -> None:
    maps = build_yunet()(np.zeros((2, 64, 96, 3), np.uint8))
    assert [tuple(part.shape) for part in maps] == [(2, 8, 12, 16), (2, 4, 6, 16), (2, 2, 3, 16)]


def test_fixed_size_says_the_same_as_free_size() -> None:
    free, fixed = build_yunet(), build_yunet((96, 64))
    fixed.set_weights(free.get_weights())
    images = np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3), np.uint8)
    for one, other in zip(free(images), fixed(images), strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=1e-3)


def test_size_that_is_no_multiple_of_the_stride_is_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 32"):
        build_yunet((100, 64))


def test_published_weights_find_what_opencv_finds() -> None:
    from training.detector_model import detector_of
    from training.detector_port import load_published

    weights = shared_path("data/weights")
    scenes = read_scenes(shared_path("data/scenes/val"))[::60]
    ours = detector_of(load_published(weights / "yunet_s_dynamic.onnx"), 0.6)
    published = cv2.FaceDetectorYN.create(str(weights / "face_detection_yunet_2023mar.onnx"), "", (640, 384), 0.7)
    compared = 0
    for scene in scenes:
        frame = np.zeros((384, 640, 3), np.uint8)
        image = scene.read_bgr()[:384]
        frame[: image.shape[0], : image.shape[1]] = image
        # Our stem sees the picture one pixel further right and down; moved by one, it sees what OpenCV's sees.
        moved = np.zeros_like(frame)
        moved[1:, 1:] = frame[:-1, :-1]
        boxes = np.array([one.box_xyxy for one in ours.detect([moved], Profile.ACCURATE)[0]]).reshape(-1, 4) - 1
        _, faces = published.detect(frame)
        for left, top, width, height in [] if faces is None else faces[:, :4]:
            wanted = np.clip([left, top, left + width, top + height], 0, [640, 384, 640, 384])
            if max(wanted[2] - 640, wanted[3] - 384) > -32:
                continue  # moving the picture cuts a row and a column off, which faces at that edge are judged by
            assert np.abs(boxes - wanted).max(1).min() < 2
            compared += 1
    assert compared >= 5


def test_another_network_is_refused() -> None:
    from training.detector_port import load_published

    with pytest.raises(ModelError, match="yunet_s"):
        load_published(shared_path("data/weights") / "yunet_n_dynamic.onnx")


def test_training_scale_changes_no_answer(tmp_path: Path) -> None:
    from training.detector_model import for_use

    scaled = build_yunet(scale=1 / 255)
    images = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    for one, other in zip(scaled(images), for_use(scaled)(images), strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-3, atol=1e-3)
