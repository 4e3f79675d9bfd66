"""Which detection is which labelled face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from maskwatch.arrays import Float32Array, Int32Array
from models.scores.figure import Int64Array

__all__ = ["LEAST_PX", "JudgedPicture", "Pairs", "overlaps", "pair", "shorter_sides"]

LEAST_PX = 24
"""Shorter side of a face from which on it counts in the main figures; the labels of smaller ones are guesses."""

_Kind = TypeVar("_Kind", bound=np.generic)


@dataclass(frozen=True, slots=True)
class JudgedPicture:
    """One picture: what a person drew and what the models said.

    Attributes:
        name: of the file.
        source: where it came from.
        boxes_xyxy: (N, 4) float32 pixels, the labelled faces.
        labels: (N,) int32, indices into `LABELS`.
        probabilities: (N, 3) float32, what the classifier says of the labelled faces.
        found_xyxy: (D, 4) float32 pixels, the detections.
        scores: (D,) float32.
        said: (D, 3) float32, what the classifier says of the detections; nan where it wasn't asked.
        unboxed_xyxy: (U, 4) float32 pixels, faces that nobody labelled.
    """

    name: str
    source: str
    boxes_xyxy: Float32Array
    labels: Int32Array
    probabilities: Float32Array
    found_xyxy: Float32Array
    scores: Float32Array
    said: Float32Array
    unboxed_xyxy: Float32Array = field(default_factory=lambda: np.zeros((0, 4), np.float32))


@dataclass(frozen=True, slots=True)
class Pairs:
    """The faces and the detections of all pictures, one after the other, and who belongs to whom.

    Attributes:
        pictures: how many there are.
        face_picture: (F,) the picture of each face.
        face_label: (F,) index into `LABELS`.
        face_px: (F,) shorter side.
        face_found: (F,) its detection, or -1.
        found_picture: (D,) the picture of each detection.
        found_px: (D,) shorter side.
        found_score: (D,).
        found_face: (D,) its face, or -1.
        found_unboxed: (D,) whether it is a face that nobody labelled.
        said: (D, 3) what the classifier says of it.
    """

    pictures: int
    face_picture: Int64Array
    face_label: Int64Array
    face_px: Float32Array
    face_found: Int64Array
    found_picture: Int64Array
    found_px: Float32Array
    found_score: Float32Array
    found_face: Int64Array
    found_unboxed: NDArray[np.bool_]
    said: Float32Array


def pair(pictures: Sequence[JudgedPicture], min_overlap: float) -> Pairs:
    """Give each detection, best score first, the free face that it overlaps most.

    Faces of at least `LEAST_PX` come first, then smaller ones, then faces that nobody labelled; one detection a face
    and one face a detection. What a lower threshold adds changes no pair above it, so one pairing serves all
    thresholds.

    Args:
        pictures: as judged.
        min_overlap: intersection over union from which a detection may be a face.
    """
    faces = founds = 0
    face_found, found_face, unboxed = [], [], []
    for one in pictures:
        of_face, of_found, is_unboxed = _pair_one(one, min_overlap)
        face_found.append(np.where(of_face >= 0, of_face + founds, -1))
        found_face.append(np.where(of_found >= 0, of_found + faces, -1))
        unboxed.append(is_unboxed)
        faces += len(of_face)
        founds += len(of_found)
    numbers = np.arange(len(pictures))
    return Pairs(
        pictures=len(pictures),
        face_picture=np.repeat(numbers, [len(one.labels) for one in pictures]),
        face_label=_joined([one.labels for one in pictures], np.int64),
        face_px=_joined([shorter_sides(one.boxes_xyxy) for one in pictures], np.float32),
        face_found=_joined(face_found, np.int64),
        found_picture=np.repeat(numbers, [len(one.scores) for one in pictures]),
        found_px=_joined([shorter_sides(one.found_xyxy) for one in pictures], np.float32),
        found_score=_joined([one.scores for one in pictures], np.float32),
        found_face=_joined(found_face, np.int64),
        found_unboxed=_joined(unboxed, np.bool_),
        said=_joined([one.said for one in pictures], np.float32).reshape(-1, 3),
    )


def _joined(parts: Sequence[NDArray[Any]], dtype: type[_Kind]) -> NDArray[_Kind]:
    return np.concatenate(parts).astype(dtype) if parts else np.zeros(0, dtype)


def _pair_one(one: JudgedPicture, min_overlap: float) -> tuple[Int64Array, Int64Array, NDArray[np.bool_]]:
    """Return the detection of each face, the face of each detection (-1: none), and what is a face without a label."""
    small = shorter_sides(one.boxes_xyxy) < LEAST_PX
    rank = np.concatenate([np.where(small, 1, 0), np.full(len(one.unboxed_xyxy), 2)])
    places = np.concatenate([one.boxes_xyxy, one.unboxed_xyxy])
    overlap = overlaps(one.found_xyxy, places)
    face_found = np.full(len(one.labels), -1, np.int64)
    found_face = np.full(len(one.scores), -1, np.int64)
    unboxed = np.zeros(len(one.scores), np.bool_)
    free = np.ones(len(places), np.bool_)
    for found in np.argsort(-one.scores, kind="stable"):
        fits = np.flatnonzero(free & (overlap[found] >= min_overlap))
        if len(fits) == 0:
            continue
        best = min(fits, key=lambda place: (rank[place], -overlap[found, place]))
        free[best] = False
        if rank[best] == 2:
            unboxed[found] = True
        else:
            face_found[best], found_face[found] = found, best
    return face_found, found_face, unboxed


def overlaps(boxes_xyxy: Float32Array, others_xyxy: Float32Array) -> Float32Array:
    """Return the intersection over union of every box with every other: (N, 4) and (M, 4) to (N, M) float32."""
    low = np.maximum(boxes_xyxy[:, None, :2], others_xyxy[None, :, :2])
    high = np.minimum(boxes_xyxy[:, None, 2:], others_xyxy[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    union = _areas(boxes_xyxy)[:, None] + _areas(others_xyxy)[None] - shared
    share: Float32Array = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return share


def shorter_sides(boxes_xyxy: Float32Array) -> Float32Array:
    """Return the shorter side of each box: (N, 4) to (N,) pixels."""
    sides: Float32Array = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).min(axis=1)
    return sides


def _areas(boxes_xyxy: Float32Array) -> Float32Array:
    return np.asarray(np.prod(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], axis=1), np.float32)
