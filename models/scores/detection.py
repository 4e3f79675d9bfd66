"""How many faces a detector finds, how often it is wrong, and how often face and label are both right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NotRequired

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from maskwatch.types import LABELS, MaskLabel
from models.scores.figure import Figure, Float64Array, Resampling, figure, ratio
from models.scores.pairing import LEAST_PX, Pairs

__all__ = [
    "MAIN",
    "SIZES",
    "SMALL",
    "DetectionFigures",
    "EndToEndFigures",
    "FaceSizes",
    "average_precision",
    "detection_figures",
    "end_to_end_figures",
    "false_positives",
    "found_faces",
]


@dataclass(frozen=True, slots=True)
class FaceSizes:
    """Which faces a figure is about, by the shorter side of their box.

    Attributes:
        least_px: the smallest that count.
        below_px: the smallest that don't count any more.
    """

    least_px: float
    below_px: float = float("inf")

    def holds(self, px: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return (N,) bool: True where a side is within."""
        return (px >= self.least_px) & (px < self.below_px)


MAIN = FaceSizes(LEAST_PX)
"""The faces that the main figures are about; smaller ones are labelled by guess."""

SMALL = f"under_{LEAST_PX}"

SIZES = {
    SMALL: FaceSizes(0, LEAST_PX),
    f"{LEAST_PX}_to_48": FaceSizes(LEAST_PX, 48),
    "48_to_96": FaceSizes(48, 96),
    "from_96": FaceSizes(96),
}
"""Groups by size, in pixels of the picture."""


class DetectionFigures(TypedDict):
    """What was measured of a detector at its threshold.

    Faces of other sizes are neither found nor missed nor false; a detection of another size that is no face isn't a
    false positive.

    Keys:
        faces: how many there were.
        recall: share of them that were found, per label.
        precision: share of the detections that are a face.
        false_positives_per_image: detections that are no labelled face, a picture.
        false_positives_per_image_unboxed_removed: the same without those that are faces which nobody labelled, where
            these were listed by hand.
        ap50: average precision at an intersection over union of 0.5, over all thresholds.
        under_24_px: the same of the faces that are too small for the main figures.
    """

    faces: int
    recall: dict[str, Figure]
    precision: Figure
    false_positives_per_image: Figure
    false_positives_per_image_unboxed_removed: NotRequired[Figure]
    ap50: Figure
    under_24_px: NotRequired[DetectionFigures]


class EndToEndFigures(TypedDict):
    """What was measured of detector and classifier together: a face counts when box and label are right.

    Keys:
        f1: per label; a face that was found and labelled otherwise is a miss of its label and a false positive of the
            other.
        two_class_accuracy: with mask or without, of the faces that were found.
    """

    f1: dict[str, Figure]
    two_class_accuracy: Figure


def detection_figures(
    pairs: Pairs, pairs50: Pairs, threshold: float, sizes: FaceSizes = MAIN, *, unboxed: bool = False, seed: int = 0
) -> DetectionFigures:
    """Measure a detector.

    Args:
        pairs: at the overlap from which a face counts as found.
        pairs50: at 0.5.
        threshold: lowest score that counts, but for `ap50`.
        sizes: the faces in question.
        unboxed: whether unlabelled faces were listed.
        seed: of the bootstrap.
    """
    resampling = Resampling(pairs.pictures, seed)
    counts, found, false = (
        sizes.holds(pairs.face_px),
        found_faces(pairs, threshold),
        false_positives(pairs, threshold, sizes),
    )
    label = np.eye(len(LABELS))[pairs.face_label]
    faces = resampling.sums(pairs.face_picture, label * counts[:, None])
    hits = resampling.sums(pairs.face_picture, label * (counts & found)[:, None])
    misses = resampling.sums(pairs.found_picture, np.stack([false, false & ~pairs.found_unboxed], axis=1))
    pictures = resampling.sums(np.arange(pairs.pictures), np.ones(pairs.pictures))
    all_hits = hits.sum(axis=1)
    figures = DetectionFigures(
        faces=round(faces[0].sum()),
        recall={name.value: figure(ratio(hits[:, at], faces[:, at]), faces[0, at]) for at, name in enumerate(LABELS)},
        precision=figure(ratio(all_hits, all_hits + misses[:, 0]), all_hits[0] + misses[0, 0]),
        false_positives_per_image=figure(ratio(misses[:, 0], pictures), pairs.pictures),
        ap50=figure(average_precision(pairs50, sizes, resampling), faces[0].sum()),
    )
    if unboxed:
        figures["false_positives_per_image_unboxed_removed"] = figure(ratio(misses[:, 1], pictures), pairs.pictures)
    return figures


def found_faces(pairs: Pairs, threshold: float) -> NDArray[np.bool_]:
    """Say which faces were found.

    Returns:
        (F,) bool: True where a face has a detection of at least this score.
    """
    scores = np.append(pairs.found_score, -np.inf)  # -1, nobody, is the last
    return np.asarray(scores[pairs.face_found] >= threshold)


def false_positives(pairs: Pairs, threshold: float, sizes: FaceSizes) -> NDArray[np.bool_]:
    """Say which detections are wrong.

    Returns:
        (D,) bool: True where a detection is of at least this score, of these sizes, and no labelled face.
    """
    return (pairs.found_face < 0) & (pairs.found_score >= threshold) & sizes.holds(pairs.found_px)


def _of_size(pairs: Pairs, sizes: FaceSizes) -> NDArray[np.bool_]:
    """Return (D,) whether a detection is a labelled face of these sizes."""
    return np.append(sizes.holds(pairs.face_px), False)[pairs.found_face]


def average_precision(pairs: Pairs, sizes: FaceSizes, resampling: Resampling) -> Float64Array:
    """Return the area under the curve of precision over recall, for each draw.

    Precision is the highest at this recall or a higher one.

    Returns:
        (1 + `DRAWS`,) float64; nan where there is no face.

    Source:
        Everingham et al., "The Pascal Visual Object Classes Challenge: A Retrospective", IJCV 2015, section 3.2.
    """
    right = _of_size(pairs, sizes)
    order = np.flatnonzero(right | false_positives(pairs, -np.inf, sizes))
    order = order[np.argsort(-pairs.found_score[order], kind="stable")]
    right, picture = right[order], pairs.found_picture[order]
    faces = resampling.sums(pairs.face_picture, sizes.holds(pairs.face_px))
    areas = []
    for weights in resampling.weights(len(order)):
        counted = weights[:, picture]
        hits = np.cumsum(counted * right, axis=1)
        precision = ratio(hits, np.cumsum(counted, axis=1))
        best = np.maximum.accumulate(np.nan_to_num(precision)[:, ::-1], axis=1)[:, ::-1]
        areas.append((counted * right * best).sum(axis=1))
    return ratio(np.concatenate(areas), faces)


def end_to_end_figures(pairs: Pairs, threshold: float, sizes: FaceSizes = MAIN, *, seed: int = 0) -> EndToEndFigures:
    """Measure detector and classifier together.

    Args:
        pairs: at the overlap from which a face counts as found; `said` is known of every detection of this threshold.
        threshold: lowest score that counts.
        sizes: the faces in question.
        seed: of the bootstrap.
    """
    resampling = Resampling(pairs.pictures, seed)
    chances = np.nan_to_num(pairs.said)
    truth = np.append(pairs.face_label, -1)[pairs.found_face]
    paired = _of_size(pairs, sizes) & (pairs.found_score >= threshold)
    is_label = np.arange(len(LABELS))
    said = chances.argmax(axis=1)[:, None] == is_label
    right = said & paired[:, None] & (truth[:, None] == is_label)
    claims = said & (paired | false_positives(pairs, threshold, sizes))[:, None]
    faces = sizes.holds(pairs.face_px)[:, None] & (pairs.face_label[:, None] == is_label)
    hits, claimed = resampling.sums(pairs.found_picture, right), resampling.sums(pairs.found_picture, claims)
    wanted = resampling.sums(pairs.face_picture, faces)
    worn, bare = LABELS.index(MaskLabel.WITH_MASK), LABELS.index(MaskLabel.WITHOUT_MASK)
    plain = paired & ((truth == worn) | (truth == bare))
    agrees = plain & ((chances[:, worn] > chances[:, bare]) == (truth == worn))
    told, asked = resampling.sums(pairs.found_picture, np.stack([agrees, plain], axis=1)).T
    f1 = ratio(2 * hits, claimed + wanted)
    return EndToEndFigures(
        f1={name.value: figure(f1[:, at], wanted[0, at]) for at, name in enumerate(LABELS)},
        two_class_accuracy=figure(ratio(told, asked), asked[0]),
    )
