"""The one figure by which the detector's epochs are picked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maskwatch.types import Detection, Profile
from models.detectors.base import Detector
from training.detector_eval import DetectionScores, find_in_scenes, score_detections
from training.detector_scenes import Scene

__all__ = ["merit"]

_FALSE_POSITIVES = {Profile.ACCURATE: 0.1, Profile.FAST: 0.08}
"""How many a picture each profile is allowed; faces that nobody labelled aren't counted."""

_SCORES = np.arange(0.2, 0.96, 0.0125)
"""The thresholds that are tried."""


def merit(detector: Detector, scenes: Sequence[Scene]) -> dict[str, float]:
    """Return what epochs are picked by, `merit`, and the thresholds at which it was reached.

    The mean over both profiles and two overlaps (0.35, and 0.5 to see how well boxes fit) of recall at the lowest
    threshold that gives no more false positives a picture than the profile is allowed; twice as many at 0.5, because
    a box that fits badly counts as one. What lies on an ignored place isn't one. Recall is half that of all
    faces, half the mean over labels.
    """
    values, result = [], {}
    for profile in Profile:
        found = find_in_scenes(detector, scenes, profile, float(_SCORES[0]))
        for overlap, allowed in ((0.35, 1.0), (0.5, 2.0)):
            row = _at_rate(scenes, found, profile, overlap, allowed * _FALSE_POSITIVES[profile])
            hits = sum(row.recall[label] * count for label, count in row.faces.items())
            values.append((hits / max(sum(row.faces.values()), 1) + row.mean_recall) / 2)
            if overlap < 0.5:
                result[f"score_{profile}"] = row.min_score
                result |= {f"{profile}_{label}": share for label, share in row.recall.items()}
    return {"merit": float(np.mean(values)), **result}


def _at_rate(
    scenes: Sequence[Scene], found: Sequence[Sequence[Detection]], profile: Profile, overlap: float, allowed: float
) -> DetectionScores:
    """Find, by halving, the lowest threshold with at most that many false positives a picture."""
    low, high = 0, len(_SCORES) - 1
    while low < high:
        middle = (low + high) // 2
        row = score_detections(scenes, found, profile, float(_SCORES[middle]), overlap)
        low, high = (low, middle) if row.false_positives_unboxed_removed <= allowed else (middle + 1, high)
    return score_detections(scenes, found, profile, float(_SCORES[low]), overlap)
