"""Near-duplicates among pictures: scaled, recompressed, cropped and mirrored copies of one photograph.

Public sets copy from each other. A picture that is learned from and measured on makes a model look better than it is,
so clusters of near-duplicates never cross a split.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.crop import crop_faces
from training.picture_hash import difference_hash, near_pairs
from training.samples import Sample

__all__ = ["MOST_FACE_BITS", "clusters_of", "face_hash", "number_clusters", "with_clusters"]

MOST_FACE_BITS = 30
"""Faces that differ in at most so many of 256 bits are near-duplicates. Looked at by eye in the public sets: up to here
nineteen of twenty pairs of other pictures are cuts of one photograph, up to 42 half of them."""

_FACE_PX = 64


def number_clusters(count: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number things so that those that are paired, directly or over others, have the same number.

    Args:
        count: how many there are.
        pairs: (2, P) indices below `count`.

    Returns:
        (count,) cluster numbers, counted from 0 in the order in which they appear.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if count == 0:
        return np.zeros(0, np.int64)
    graph = coo_array((np.ones(pairs.shape[1], np.bool_), (pairs[0], pairs[1])), shape=(count, count))
    components = connected_components(graph, directed=False)[1]
    _, first, inverse = np.unique(components, return_index=True, return_inverse=True)
    numbers: NDArray[np.int64] = np.argsort(np.argsort(first))[inverse].astype(np.int64)
    return numbers


def with_clusters(samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples with the numbers of their pictures' clusters.

    Two pictures are in one cluster when they are near-duplicates, when a face of one is a near-duplicate of a face of
    the other (a photograph cut in two ways), or when their files are the same.

    Args:
        samples: of all splits together, so that the numbers can be compared.
    """
    places = {sha256: place for place, sha256 in enumerate(dict.fromkeys(sample.sha256 for sample in samples))}
    of_face = np.array([places[sample.sha256] for sample in samples], np.int64)
    pictures = {sample.sha256: sample.picture_hash for sample in reversed(samples)}
    faces = near_pairs([face_hash(sample) for sample in samples], MOST_FACE_BITS)
    pairs = np.concatenate([near_pairs([pictures[sha256] for sha256 in places]), of_face[faces]], axis=1)
    numbers = number_clusters(len(places), pairs)[of_face].tolist()
    return [replace(sample, cluster=number) for sample, number in zip(samples, numbers, strict=True)]


def face_hash(sample: Sample) -> bytes:
    """Hash a face as the live pipeline cuts it: the detector's box lies alike in all copies of a photograph.

    Returns:
        As `training.picture_hash.difference_hash`.
    """
    box = sample.found_box or sample.patch_box
    (face_rgb,) = crop_faces(sample.patch_bgr, np.array([box], np.float32), _FACE_PX)
    return difference_hash(np.ascontiguousarray(face_rgb[..., ::-1]))


def clusters_of(samples: Iterable[Sample]) -> set[int]:
    """Return the clusters that occur."""
    return {sample.cluster for sample in samples}
