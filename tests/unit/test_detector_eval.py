from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from maskwatch.arrays import UInt8Array
from maskwatch.types import LABELS, Detection, MaskLabel, Profile
from training.detector_eval import evaluate_detector, format_table, score_detections
from training.detector_scenes import Scene


def scene(*boxes: tuple[float, float, float, float], labels: tuple[MaskLabel, ...] | None = None) -> Scene:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    marks = np.full((len(array), 5, 2), np.nan, np.float32)
    return Scene(Path("x.png"), array, labels or (MaskLabel.WITH_MASK,) * len(array), marks)


def box(left: float, top: float, side: float, score: float = 0.9) -> Detection:
    return Detection((left, top, left + side, top + side), score)


def test_recall_is_told_by_label() -> None:
    labelled = scene((0, 0, 50, 50), (100, 0, 150, 50), (200, 0, 250, 50), labels=LABELS)
    row = score_detections([labelled], [[box(0, 0, 50), box(200, 0, 50)]], Profile.FAST, 0.5)
    assert row.recall == {"with_mask": 1, "without_mask": 0, "incorrect_mask": 1}
    assert row.false_positives == 0
    assert row.mean_recall == pytest.approx(2 / 3)


def test_two_boxes_on_one_face_are_one_find_and_one_false_positive() -> None:
    row = score_detections([scene((0, 0, 50, 50))], [[box(0, 0, 50), box(4, 4, 50)]], Profile.FAST, 0.5)
    assert row.recall["with_mask"] == 1
    assert row.false_positives == 1


def test_face_that_nobody_boxed_is_told_apart_from_what_is_no_face() -> None:
    one = scene((0, 0, 50, 50))
    one.ignore_xyxy = np.array([[100, 0, 150, 50]], np.float32)
    row = score_detections([one], [[box(102, 0, 50), box(200, 0, 50)]], Profile.FAST, 0.5)
    assert row.false_positives == 2
    assert row.false_positives_unboxed_removed == 1


def test_tiny_faces_count_neither_way() -> None:
    row = score_detections([scene((0, 0, 20, 20), (50, 50, 70, 70))], [[box(0, 0, 20)]], Profile.FAST, 0.5)
    assert row.faces["with_mask"] == 0
    assert row.false_positives == 0


def test_detections_below_the_score_do_not_count() -> None:
    row = score_detections([scene((0, 0, 50, 50))], [[box(0, 0, 50, 0.4), box(200, 200, 50, 0.4)]], Profile.FAST, 0.5)
    assert row.recall["with_mask"] == 0
    assert row.false_positives == 0


def test_overlap_decides_what_is_found() -> None:
    shifted = [[box(20, 0, 50)]]  # shares 30 of 70 columns: 0.43
    assert score_detections([scene((0, 0, 50, 50))], shifted, Profile.FAST, 0.5, 0.35).recall["with_mask"] == 1
    assert score_detections([scene((0, 0, 50, 50))], shifted, Profile.FAST, 0.5, 0.5).recall["with_mask"] == 0


class FixedDetector:
    name = "fixed"
    model = "fixed 1.0.0"
    score = 0.5

    def detect(
        self, frames_bgr: Sequence[UInt8Array], profile: Profile, *, min_score: float | None = None
    ) -> list[tuple[Detection, ...]]:
        return [(box(0, 0, 50, 0.7),) for _ in frames_bgr]


def test_every_profile_and_threshold_gives_a_row(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "x.png"), np.zeros((60, 60, 3), np.uint8))
    labelled = scene((0, 0, 50, 50))
    labelled.path = tmp_path / "x.png"
    rows = evaluate_detector(FixedDetector(), [labelled] * 9, min_scores=(0.5, 0.8))
    assert [(row.profile, row.min_score, row.recall["with_mask"]) for row in rows] == [
        ("accurate", 0.5, 1),
        ("accurate", 0.8, 0),
        ("fast", 0.5, 1),
        ("fast", 0.8, 0),
    ]
    assert format_table(rows).count("\n") == 5
