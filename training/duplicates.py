"""Near-duplicates among pictures: scaled, recompressed, lightly cropped and mirrored copies of one photograph.

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

if TYPE_CHECKING:
    from training.samples import Sample

__all__ = ["MOST_BITS", "cluster_hashes", "clusters_of", "difference_hash", "with_clusters"]

SIDE = 16
BITS = SIDE * SIDE

MOST_BITS = 20
"""Two pictures that differ in at most so many of 256 bits are near-duplicates."""

LEAST_TEXTURE = 64
"""A picture with fewer neighbours that differ is too plain to be told from others by its hash."""

_BLOCK = 2048


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


def cluster_hashes(hashes: Sequence[bytes]) -> NDArray[np.int64]:
    """Number pictures so that near-duplicates, and near-duplicates of those, have the same number.

    Args:
        hashes: from `difference_hash`; an empty one, and one of a picture without texture, has no near-duplicates.

    Returns:
        (N,) cluster numbers, counted from 0 in the order in which they appear.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(hashes)
    if count == 0:
        return np.zeros(0, np.int64)
    blank = bytes(BITS // 4)
    packed = np.frombuffer(b"".join(one or blank for one in hashes), np.uint8).reshape(count, BITS // 4)
    bits = np.unpackbits(packed, axis=1)
    # A neighbour pair of one grey is set neither in the picture's bits nor in its mirror image's.
    usable = np.flatnonzero(bits.sum(axis=1) >= LEAST_TEXTURE)
    signs = bits[usable].astype(np.float32) * 2 - 1
    own, mirrored = signs[:, :BITS], signs[:, BITS:]
    pairs = [np.zeros((2, 0), np.int64)]
    for start in range(0, len(usable), _BLOCK):
        part = own[start : start + _BLOCK]
        # The product of signs is 256 less twice the bits that differ.
        alike = np.maximum(part @ own.T, part @ mirrored.T) >= BITS - 2 * MOST_BITS
        rows, columns = np.nonzero(alike)
        pairs.append(np.stack([usable[rows + start], usable[columns]]))
    rows, columns = np.concatenate(pairs, axis=1)
    graph = coo_array((np.ones(len(rows), np.bool_), (rows, columns)), shape=(count, count))
    components = connected_components(graph, directed=False)[1]
    _, first, inverse = np.unique(components, return_index=True, return_inverse=True)
    numbers: NDArray[np.int64] = np.argsort(np.argsort(first))[inverse].astype(np.int64)
    return numbers


def with_clusters(samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples with their clusters' numbers; the same file twice is always in one cluster.

    Args:
        samples: of all splits together, so that the numbers can be compared.
    """
    hashes: dict[str, bytes] = {}
    for sample in samples:
        hashes.setdefault(sample.sha256, sample.picture_hash)
    numbers = dict(zip(hashes, cluster_hashes(list(hashes.values())).tolist(), strict=True))
    return [replace(sample, cluster=numbers[sample.sha256]) for sample in samples]


def clusters_of(samples: Iterable[Sample]) -> set[int]:
    """Return the clusters that occur."""
    return {sample.cluster for sample in samples}
