"""Hashes of pictures that are nearly the same for copies of one photograph: scaled, recompressed, cropped, mirrored.

Source: the difference hash of N. Krawetz, "Kind of Like That", 2013, at 16x16 in place of 8x8.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwatch.arrays import UInt8Array

__all__ = ["MOST_BITS", "bits_apart", "difference_hash", "near_pairs"]

SIDE = 16
BITS = SIDE * SIDE

MOST_BITS = 20
"""Two pictures that differ in at most so many of 256 bits are near-duplicates."""

LEAST_TEXTURE = 64
"""A picture with fewer neighbours that differ is too plain to be told from others by its hash."""

_BLOCK = 512


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
