"""How far the engine that was measured says the same as the one of CPUs, on the very pictures it was measured on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from maskwatch.arrays import UInt8Array
from maskwatch.types import Detection, Profile
from models.scores.pairing import overlaps
from workers.models import WorkerModels, load_models

__all__ = ["parity_with_litert", "share_of_partners"]

_SAME_BOX = 0.9
"""Intersection over union from which two boxes are one: a pixel off on a face of 40."""


def parity_with_litert(
    models: WorkerModels, faces_rgb: UInt8Array, frames_bgr: Sequence[UInt8Array], detector: str, profile: Profile
) -> dict[str, Any]:
    """Ask both engines about faces and frames.

    Args:
        models: of the engine that was measured.
        faces_rgb: (N, S, S, 3) uint8 RGB.
        frames_bgr: (H, W, 3) uint8 BGR each.
        detector: its name.
        profile: of the detector.

    Returns:
        faces; `same_label`: share of them; `largest_difference` of a probability; boxes of both engines together;
        `same_boxes`: share of them that the other engine finds too, at an intersection over union of 0.9.

    Raises:
        EngineUnavailable: if LiteRT isn't installed.
    """
    reference = load_models("litert", "none", detectors=[detector], profiles=[profile])
    said, expected = (one.classifier.classify(faces_rgb) for one in (models, reference))
    found, wanted = (one.detector(detector).detect(frames_bgr, profile) for one in (models, reference))
    boxes = sum(map(len, found)) + sum(map(len, wanted))
    return {
        "faces": len(faces_rgb),
        "same_label": round(float((said.argmax(axis=1) == expected.argmax(axis=1)).mean()), 4) if len(said) else None,
        "largest_difference": round(float(np.abs(said - expected).max(initial=0.0)), 4),
        "boxes": boxes,
        "same_boxes": share_of_partners(found, wanted),
    }


def share_of_partners(found: Sequence[Sequence[Detection]], wanted: Sequence[Sequence[Detection]]) -> float | None:
    """Return the share of all boxes that have a partner in the other list of the same frame, or None without a box."""
    boxes = sum(map(len, found)) + sum(map(len, wanted))
    if boxes == 0:
        return None
    pairs = sum(_pairs(ours, theirs) for ours, theirs in zip(found, wanted, strict=True))
    return round(2 * pairs / boxes, 4)


def _pairs(ours: Sequence[Detection], theirs: Sequence[Detection]) -> int:
    """Count the boxes of one frame that both have; boxes of one detector never overlap so far that two would fit."""
    if not ours or not theirs:
        return 0
    first, second = (np.array([one.box_xyxy for one in boxes], np.float32) for boxes in (ours, theirs))
    return int((overlaps(first, second).max(axis=1) >= _SAME_BOX).sum())
