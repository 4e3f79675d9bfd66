"""Near-duplicates among pictures: scaled, recompressed, cropped and mirrored copies of one photograph.

Public sets copy from each other. A picture that is learned from and measured on makes a model look better than it is,
so clusters of near-duplicates never cross a split.

Source: the difference hash of N. Krawetz, "Kind of Like That", 2013, at 16x16 in place of 8x8.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwatch.arrays import UInt8Array
from models.crop import crop_faces

if TYPE_CHECKING:
    from training.samples import Sample

__all__ = [
    "MOST_BITS",
    "MOST_FACE_BITS",
    "bits_apart",
    "clusters_of",
    "difference_hash",
    "face_hash",
    "near_pairs",
    "number_clusters",
    "with_clusters",
]

SIDE = 16
BITS = SIDE * SIDE

MOST_BITS = 20
"""Two pictures that differ in at most so many of 256 bits are near-duplicates."""

MOST_FACE_BITS = 30
"""The same for faces. Looked at by eye in the public sets: up to here nineteen of twenty pairs of other pictures are
cuts of one photograph, up to 42 half of them."""

LEAST_TEXTURE = 64
"""A picture with fewer neighbours that differ is too plain to be told from others by its hash."""

_BLOCK = 512
_FACE_PX = 64


def difference_hash(picture_bgr: UInt8Array) -> bytes:
    """Hash a picture so that its copies have nearly the same bits.

    Args:
        picture_bgr: (H, W, 3) uint8; not modified.

    Returns:
        64 bytes: 256 bits of the picture (is each of 16x16 places darker than its right neighbour?) and 256 of its
        mirror image.
    """
    grey = cv2.cvtColor(picture_bgr, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA).astype(np.int16)
    steps = np.diff(small, axis=1)
    return np.packbits(steps > 0).tobytes() + np.packbits(steps[:, ::-1] < 0).tobytes()


def bits_apart(one: bytes, other: bytes) -> int:
    """Return in how many of 256 bits two pictures' hashes differ, mirrored or not."""
    half = len(one) // 2
    own = int.from_bytes(one[:half], "big")
    return min((own ^ int.from_bytes(part, "big")).bit_count() for part in (other[:half], other[half:]))


def near_pairs(hashes: Sequence[bytes], most_bits: int = MOST_BITS) -> NDArray[np.int64]:
    """Find the near-duplicates among hashes.

    Args:
        hashes: from `difference_hash`; an empty one, and one of a picture without texture, has no near-duplicates.
        most_bits: that may differ, of 256, mirrored or not.

    Returns:
        (2, P) indices into `hashes`; every pair in both directions, and every usable one with itself.
    """
    blank = bytes(BITS // 4)
    packed = np.frombuffer(b"".join(one or blank for one in hashes), np.uint8).reshape(len(hashes), BITS // 4)
    bits = np.unpackbits(packed, axis=1)
    # A neighbour pair of one grey is set neither in the picture's bits nor in its mirror image's.
    usable = np.flatnonzero(bits.sum(axis=1) >= LEAST_TEXTURE)
    signs = bits[usable].astype(np.float32) * 2 - 1
    own, mirrored = signs[:, :BITS], signs[:, BITS:]
    pairs = [np.zeros((2, 0), np.int64)]
    for start in range(0, len(usable), _BLOCK):
        part = own[start : start + _BLOCK]
        # The product of signs is 256 less twice the bits that differ.
        alike = np.maximum(part @ own.T, part @ mirrored.T) >= BITS - 2 * most_bits
        rows, columns = np.nonzero(alike)
        pairs.append(np.stack([usable[rows + start], usable[columns]]))
    return np.concatenate(pairs, axis=1)


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
        As `difference_hash`.
    """
    box = sample.found_box or sample.patch_box
    (face_rgb,) = crop_faces(sample.patch_bgr, np.array([box], np.float32), _FACE_PX)
    return difference_hash(np.ascontiguousarray(face_rgb[..., ::-1]))


def clusters_of(samples: Iterable[Sample]) -> set[int]:
    """Return the clusters that occur."""
    return {sample.cluster for sample in samples}
