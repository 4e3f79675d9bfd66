"""All figures of one measurement in one object, as a whole, by source and by face size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from maskwatch.arrays import Float32Array, Int32Array
from models.scores.classification import ClassificationFigures, classification_figures
from models.scores.detection import (
    MAIN,
    SIZES,
    SMALL,
    DetectionFigures,
    EndToEndFigures,
    FaceSizes,
    detection_figures,
    end_to_end_figures,
)
from models.scores.pairing import JudgedPicture, pair, shorter_sides

__all__ = ["AP_OVERLAP", "FaceSetFigures", "SceneFigures", "SceneGroup", "face_set_figures", "scene_figures"]

AP_OVERLAP = 0.5


class SceneGroup(TypedDict):
    """The figures of some of the pictures, or of the faces of some sizes."""

    pictures: int
    detection: DetectionFigures
    classification: ClassificationFigures
    end_to_end: EndToEndFigures


class SceneFigures(SceneGroup):
    """The figures of scenes: of all faces that are large enough, then by group.

    Keys:
        by_source: all of it for the pictures of one source.
        by_face_size: all of it for the faces of one size, in all pictures.
    """

    by_source: dict[str, SceneGroup]
    by_face_size: dict[str, SceneGroup]


class FaceSetFigures(TypedDict):
    """The figures of pictures of one face each."""

    pictures: int
    classification: ClassificationFigures
    by_source: dict[str, ClassificationFigures]
    by_face_size: dict[str, ClassificationFigures]


def scene_figures(
    pictures: Sequence[JudgedPicture], threshold: float, min_overlap: float, unknown_below: float, *, unboxed: bool
) -> SceneFigures:
    """Measure detector and classifier on scenes.

    Args:
        pictures: as judged; at least one.
        threshold: lowest score of a detection that counts.
        min_overlap: intersection over union from which a face counts as found.
        unknown_below: highest probability below which a face's label counts as unknown.
        unboxed: whether faces that nobody labelled were listed.
    """

    def group(chosen: Sequence[JudgedPicture], sizes: FaceSizes) -> SceneGroup:
        pairs = pair(chosen, min_overlap)
        pairs50 = pair(chosen, AP_OVERLAP)
        kept = sizes.holds(pairs.face_px)
        probabilities = np.concatenate([one.probabilities.reshape(-1, 3) for one in chosen])
        return SceneGroup(
            pictures=len(chosen),
            detection=detection_figures(pairs, pairs50, threshold, sizes, unboxed=unboxed),
            classification=classification_figures(
                pairs.face_label[kept], probabilities[kept], unknown_below, pairs.face_picture[kept]
            ),
            end_to_end=end_to_end_figures(pairs, threshold, sizes),
        )

    sources = sorted({one.source for one in pictures})
    figures = SceneFigures(
        **group(pictures, MAIN),
        by_source={name: group([one for one in pictures if one.source == name], MAIN) for name in sources},
        by_face_size={name: group(pictures, sizes) for name, sizes in SIZES.items()},
    )
    figures["detection"]["under_24_px"] = figures["by_face_size"][SMALL]["detection"]
    return figures


def face_set_figures(
    truth: Int32Array,
    probabilities: Float32Array,
    boxes_xyxy: Float32Array,
    sources: Sequence[str],
    unknown_below: float,
) -> FaceSetFigures:
    """Measure a classifier on pictures of one face each.

    Args:
        truth: (N,) indices into `LABELS`.
        probabilities: (N, 3).
        boxes_xyxy: (N, 4) where the faces were cut, in pixels.
        sources: N names.
        unknown_below: highest probability below which a face's label counts as unknown.
    """  # fmt: skip
    px, names = shorter_sides(boxes_xyxy), np.asarray(sources)
    large = MAIN.holds(px)

    def group(chosen: NDArray[np.bool_]) -> ClassificationFigures:
        return classification_figures(truth[chosen], probabilities[chosen], unknown_below)

    return FaceSetFigures(
        pictures=len(truth),
        classification=group(large),
        by_source={name: group(large & (names == name)) for name in sorted(set(sources))},
        by_face_size={name: group(sizes.holds(px)) for name, sizes in SIZES.items()},
    )
