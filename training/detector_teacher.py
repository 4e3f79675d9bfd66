"""What the published network adds to scenes that people labelled: landmarks, and faces that nobody boxed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maskwatch.types import Profile
from models.detectors.base import Detector
from models.scores import overlaps
from training.detector_eval import find_in_scenes
from training.detector_scenes import Scene

__all__ = ["teach"]

_TEACHER_SCORE = 0.5
"""From which score on the teacher is believed."""

_SAME_OVERLAP, _APART_OVERLAP = 0.4, 0.2
"""Intersection over union from which a detection is the labelled face, and below which it is none of them."""


def teach(teacher: Detector, scenes: Sequence[Scene], *, ignore: bool) -> None:
    """Add the teacher's landmarks to labelled faces; changes the scenes.

    Args:
        teacher: the published network.
        scenes: what to learn from.
        ignore: whether what the teacher takes for a face and nobody labelled becomes an ignored place.
    """
    for scene, found in zip(scenes, find_in_scenes(teacher, scenes, Profile.ACCURATE, _TEACHER_SCORE), strict=True):
        extra = []
        for detection in found:
            overlap = overlaps(np.array([detection.box_xyxy], np.float32), scene.boxes_xyxy)[0]
            best = int(np.argmax(overlap)) if len(overlap) else -1
            if best >= 0 and overlap[best] >= _SAME_OVERLAP:
                scene.landmarks_xy[best] = np.array(detection.landmarks_xy, np.float32)
            elif best < 0 or overlap[best] < _APART_OVERLAP:
                extra.append(detection.box_xyxy)
        if ignore:
            scene.ignore_xyxy = np.array(extra, np.float32).reshape(-1, 4)
