"""What the shipped networks see in the demo: everybody is found, every mask is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from maskwatch.demo.scenes import FPS, frames
from maskwatch.types import LABELS, MaskLabel, Profile
from models.classifier import MaskClassifier, load_classifier
from models.crop import crop_faces
from models.detectors import load_detector
from models.detectors.base import Detector


@pytest.fixture(scope="module")
def detector() -> Detector:
    return load_detector("maskwatch", "litert")


@pytest.fixture(scope="module")
def classifier() -> Iterator[MaskClassifier]:
    classifier = load_classifier("litert")
    yield classifier
    classifier.close()


def labels_in(scene: str, detector: Detector, classifier: MaskClassifier) -> list[list[MaskLabel]]:
    """Return the labels of the faces in one frame of each second."""
    found = []
    for number, frame in enumerate(frames(scene)):
        if number % FPS:
            continue
        (detections,) = detector.detect([frame], Profile.ACCURATE)
        boxes = np.array([detection.box_xyxy for detection in detections], np.float32).reshape(-1, 4)
        faces = crop_faces(frame, boxes, classifier.size_px)
        found.append([LABELS[int(row.argmax())] for row in classifier.classify(faces)])
    return found


@pytest.mark.parametrize(
    ("scene", "label"),
    [
        ("lobby", MaskLabel.WITHOUT_MASK),
        ("ward", MaskLabel.WITH_MASK),
        ("office", MaskLabel.INCORRECT_MASK),
        ("dropout", MaskLabel.WITH_MASK),
    ],
)
def test_one_person_walks_through_with_one_label(
    scene: str, label: MaskLabel, detector: Detector, classifier: MaskClassifier
) -> None:
    found = labels_in(scene, detector, classifier)
    assert max(len(labels) for labels in found) == 1
    votes = Counter(each for labels in found for each in labels)
    assert votes[label] >= 0.9 * votes.total()
    assert votes.total() >= 8


def test_two_people_cross_with_a_label_each(detector: Detector, classifier: MaskClassifier) -> None:
    found = labels_in("gate", detector, classifier)
    assert [MaskLabel.WITH_MASK, MaskLabel.WITHOUT_MASK] in [sorted(labels) for labels in found]
    assert max(len(labels) for labels in found) == 2


def test_nobody_is_in_the_corridor(detector: Detector, classifier: MaskClassifier) -> None:
    assert not any(labels_in("corridor", detector, classifier))
