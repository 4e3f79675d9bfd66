"""Exactly N faces a frame, whatever the film shows, so that figures can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice

import numpy as np

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.types import Detection, Profile
from models.detectors import Detector
from workers.pipeline import Classifier

__all__ = ["MOST_FACES", "CountingClassifier", "ExactFaces", "exactly"]

MOST_FACES = 16
"""As many always have room beside each other."""

_COLUMNS, _ROWS = 7, 4
_SIZE = (0.09, 0.2)
"""A fixed box in widths and heights of the frame: 58x72 pixels of 640x360."""
_MAY_COVER = 0.35
"""Of the smaller box: the tracker takes boxes that cover each other more for one face."""
_SCORE = 0.99


class ExactFaces:
    """A detector that runs the real one and then returns exactly so many boxes.

    Args:
        detector: the real one; all of its work is done.
        faces: boxes in each frame, at most `MOST_FACES`.
    """

    def __init__(self, detector: Detector, faces: int) -> None:
        self.name = detector.name
        self.model = detector.model
        self.score = detector.score
        self._detector = detector
        self._faces = faces

    def detect(
        self, frames_bgr: Sequence[UInt8Array], profile: Profile, *, min_score: float | None = None
    ) -> list[tuple[Detection, ...]]:
        """Find faces; see `Detector.detect`."""
        found = self._detector.detect(frames_bgr, profile, min_score=min_score)
        return [
            exactly(self._faces, detections, (frame.shape[1], frame.shape[0]))
            for detections, frame in zip(found, frames_bgr, strict=True)
        ]


def exactly(count: int, found: Sequence[Detection], size_wh: tuple[int, int]) -> tuple[Detection, ...]:
    """Return exactly `count` detections that the tracker takes for different faces.

    The best of those that were found, then fixed boxes beside them; a face so large that it leaves no room is left out.

    Args:
        count: at most `MOST_FACES`.
        found: best first.
        size_wh: of the frame in pixels.
    """
    kept: list[Detection] = []
    for detection in sorted(found, key=lambda one: -one.score):
        if len(kept) < count and all(_cover(detection, other) <= _MAY_COVER for other in kept):
            kept.append(replace(detection, score=_SCORE))
    while True:
        free = (box for box in _grid(size_wh) if all(_cover(box, other) <= _MAY_COVER for other in kept))
        added = tuple(islice(free, count - len(kept)))
        if len(kept) + len(added) == count:
            return (*kept, *added)
        kept.remove(max(kept, key=_area))


@lru_cache
def _grid(size_wh: tuple[int, int]) -> list[Detection]:
    width, height = size_wh
    boxes = []
    for row in range(_ROWS):
        for column in range(_COLUMNS):
            x, y = (column + 0.5) / _COLUMNS * width, (row + 0.5) / _ROWS * height
            half_w, half_h = _SIZE[0] * width / 2, _SIZE[1] * height / 2
            boxes.append(Detection((x - half_w, y - half_h, x + half_w, y + half_h), _SCORE))
    return boxes


def _area(one: Detection) -> float:
    left, top, right, bottom = one.box_xyxy
    return (right - left) * (bottom - top)


def _cover(one: Detection, other: Detection) -> float:
    """Return the common part over the smaller box."""
    low = [max(one.box_xyxy[at], other.box_xyxy[at]) for at in (0, 1)]
    high = [min(one.box_xyxy[at], other.box_xyxy[at]) for at in (2, 3)]
    common = max(0.0, high[0] - low[0]) * max(0.0, high[1] - low[1])
    return common / max(1e-6, min(_area(one), _area(other)))


class CountingClassifier:
    """A classifier that counts the faces it is asked about.

    Args:
        classifier: does the work.

    Attributes:
        faces: how many there were.
        last_rgb: (N, S, S, 3) uint8 RGB, those of the last batch that had any.
    """

    def __init__(self, classifier: Classifier) -> None:
        self.name = classifier.name
        self.size_px = classifier.size_px
        self.unknown_below = classifier.unknown_below
        self.faces = 0
        self.last_rgb: UInt8Array = np.zeros((0, classifier.size_px, classifier.size_px, 3), np.uint8)
        self._classifier = classifier

    def classify(self, faces_rgb: UInt8Array) -> Float32Array:
        """Classify; see `Classifier.classify`."""
        self.faces += len(faces_rgb)
        self.last_rgb = faces_rgb
        return self._classifier.classify(faces_rgb)
