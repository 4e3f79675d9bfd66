"""Labelled pictures through detector and classifier: what a person drew beside what the models say.

The same functions as in the live pipeline find, cut and classify; only time is missing: no tracks, no votes, and faces
that are too blurred to vote there are asked about here as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from maskwatch.arrays import Float32Array, Int32Array, UInt8Array
from maskwatch.errors import SourceError
from maskwatch.labelled import LabelledPicture
from maskwatch.media import read_image
from maskwatch.types import LABELS, Detection, Profile
from models.classifier import MaskClassifier
from models.crop import crop_faces
from models.detectors import Detector
from models.detectors.single import find_single_faces, middle_box
from models.scores import JudgedPicture

__all__ = ["LEAST_SCORE", "JudgedFaces", "Judgement", "judge_faces", "judge_scenes"]

LEAST_SCORE = 0.05
"""Detections of lower scores are so many and so bad that they change no average precision by 0.001."""

_BATCH = 8


@dataclass(slots=True)
class Judgement:
    """Scenes as judged, and the pictures that weren't."""

    pictures: list[JudgedPicture] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


@dataclass(slots=True)
class JudgedFaces:
    """One-face pictures as judged, and the pictures that weren't.

    Attributes:
        names: of the pictures that were judged, N.
        sources: N.
        truth: (N,) int32, indices into `LABELS`.
        boxes_xyxy: (N, 4) float32 pixels, where the faces were cut.
        probabilities: (N, 3) float32.
        found: how many of the faces the detector found; the others were cut from the middle.
        damaged: why pictures weren't judged.
    """

    names: list[str]
    sources: list[str]
    truth: Int32Array
    boxes_xyxy: Float32Array
    probabilities: Float32Array
    found: int
    damaged: list[str]


def judge_scenes(
    pictures: Sequence[LabelledPicture],
    detector: Detector,
    classifier: MaskClassifier,
    profile: Profile,
    unboxed: Mapping[str, Float32Array],
) -> Judgement:
    """Look at scenes.

    Args:
        pictures: with boxes.
        detector: asked for scores down to `LEAST_SCORE`, for the average precision.
        classifier: asked about every labelled face and every detection that reaches the detector's own threshold.
        profile: of the detector.
        unboxed: (U, 4) pixels, faces that nobody labelled, by the picture's file name.
    """
    judgement = Judgement()
    least = min(LEAST_SCORE, detector.score)
    for batch, frames in _read(pictures, judgement.damaged):
        found = detector.detect(frames, profile, min_score=least)
        drawn = [_boxes([face.box_xyxy for face in picture.faces if face.box_xyxy is not None]) for picture in batch]
        asked = [[one.box_xyxy for one in detections if one.score >= detector.score] for detections in found]
        wanted = [np.concatenate([theirs, _boxes(ours)]) for theirs, ours in zip(drawn, asked, strict=True)]
        chances = _classify(classifier, frames, wanted)
        judgement.pictures += [
            _judged(*parts, unboxed.get(parts[0].path.name, _boxes([])))
            for parts in zip(batch, drawn, found, chances, strict=True)
        ]
    return judgement


def _judged(
    picture: LabelledPicture,
    drawn: Float32Array,
    found: Sequence[Detection],
    chances: Float32Array,
    unboxed: Float32Array,
) -> JudgedPicture:
    """Put together what is known of one picture; `chances` are of the labelled faces, then of the best detections."""
    said = np.full((len(found), len(LABELS)), np.nan, np.float32)
    said[: len(chances) - len(drawn)] = chances[len(drawn) :]
    return JudgedPicture(
        name=picture.path.name,
        source=picture.source,
        boxes_xyxy=drawn,
        labels=np.array([LABELS.index(face.label) for face in picture.faces], np.int32),
        probabilities=chances[: len(drawn)],
        found_xyxy=_boxes([one.box_xyxy for one in found]),
        scores=np.array([one.score for one in found], np.float32),
        said=said,
        unboxed_xyxy=unboxed,
    )


def judge_faces(
    pictures: Sequence[LabelledPicture], detector: Detector, classifier: MaskClassifier, profile: Profile
) -> JudgedFaces:
    """Look at pictures of one face each, cut where the detector finds the face, else in the middle."""
    names, sources, truth, boxes, found, damaged = [], [], [], [], 0, list[str]()
    chances = [np.zeros((0, len(LABELS)), np.float32)]
    for batch, frames in _read(pictures, damaged):
        places = find_single_faces(detector, frames, profile)
        found += sum(place is not None for place in places)
        cut = [_boxes([place or middle_box(frame)]) for place, frame in zip(places, frames, strict=True)]
        chances += _classify(classifier, frames, cut)
        boxes += cut
        names += [picture.name for picture in batch]
        sources += [picture.source for picture in batch]
        truth += [LABELS.index(picture.faces[0].label) for picture in batch]
    all_boxes = np.concatenate([_boxes([]), *boxes])
    return JudgedFaces(names, sources, np.array(truth, np.int32), all_boxes, np.concatenate(chances), found, damaged)


def _read(
    pictures: Sequence[LabelledPicture], damaged: list[str]
) -> Iterator[tuple[list[LabelledPicture], list[UInt8Array]]]:
    """Yield pictures with their pixels, some at a time; what can't be decoded is added to `damaged`."""
    batch: list[LabelledPicture] = []
    frames: list[UInt8Array] = []
    # disable=None: tqdm shows itself on a terminal only.
    for picture in tqdm(pictures, unit="picture", disable=None, leave=False):
        try:
            frames.append(read_image(picture.path))
            batch.append(picture)
        except SourceError as error:
            damaged.append(str(error))
        if len(batch) == _BATCH:
            yield batch, frames
            batch, frames = [], []
    if batch:
        yield batch, frames


def _classify(
    classifier: MaskClassifier, frames: Sequence[UInt8Array], boxes: Sequence[Float32Array]
) -> list[Float32Array]:
    """Cut and classify the faces of several pictures in one call; (N, 3) float32 a picture."""
    faces = [crop_faces(frame, places, classifier.size_px) for frame, places in zip(frames, boxes, strict=True)]
    answers = classifier.classify(np.concatenate(faces))
    return np.split(answers, np.cumsum([len(places) for places in boxes])[:-1])


def _boxes(boxes: Sequence[tuple[float, float, float, float]]) -> Float32Array:
    return np.array(boxes, np.float32).reshape(-1, 4)
