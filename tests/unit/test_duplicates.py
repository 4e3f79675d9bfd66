from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from maskwatch.arrays import UInt8Array
from training.duplicates import number_clusters, with_clusters
from training.picture_hash import bits_apart, difference_hash, near_pairs
from training.samples import Sample


def picture(seed: int, side: int = 200) -> UInt8Array:
    """Draw smooth clouds, as photographs are in the large."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 9, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


def cluster_hashes(hashes: Sequence[bytes]) -> NDArray[np.int64]:
    return number_clusters(len(hashes), near_pairs(hashes))


def compressed(image: UInt8Array) -> UInt8Array:
    content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])[1]
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)


def smaller(image: UInt8Array) -> UInt8Array:
    return np.asarray(cv2.resize(image, (90, 90), interpolation=cv2.INTER_AREA), np.uint8)


def brighter(image: UInt8Array) -> UInt8Array:
    return np.asarray(np.clip(image * 0.8 + 40, 0, 255), np.uint8)


def mirrored(image: UInt8Array) -> UInt8Array:
    return np.ascontiguousarray(image[:, ::-1])


@pytest.mark.parametrize("change", [compressed, smaller, brighter, mirrored])
def test_changed_copy_is_a_near_duplicate(change: object) -> None:
    assert callable(change)
    images = [picture(1), picture(2), change(picture(1))]
    assert cluster_hashes([difference_hash(image) for image in images]).tolist() == [0, 1, 0]


def test_hash_of_the_mirror_image_is_the_second_half() -> None:
    own = difference_hash(picture(3))
    other = difference_hash(mirrored(picture(3)))
    assert len(own) == 64
    assert own[:32] == other[32:]
    assert own[32:] == other[:32]


def test_distance_is_small_for_a_mirrored_copy_and_large_for_another_picture() -> None:
    one, copy, other = (difference_hash(image) for image in (picture(1), mirrored(picture(1)), picture(2)))
    assert bits_apart(one, copy) == 0
    assert bits_apart(one, other) > 60


def test_near_duplicates_of_near_duplicates_are_one_cluster() -> None:
    bits = np.random.default_rng(0).integers(0, 2, 512).astype(np.uint8)
    chain = []
    for step in range(4):
        changed = bits.copy()
        changed[: 15 * step] ^= 1
        chain.append(np.packbits(changed).tobytes())
    assert cluster_hashes(chain).tolist() == [0, 0, 0, 0]
    assert cluster_hashes([chain[0], chain[3]]).tolist() == [0, 1]


def test_limit_is_twenty_bits() -> None:
    bits = np.random.default_rng(1).integers(0, 2, 512).astype(np.uint8)
    for flipped, numbers in ((20, [0, 0]), (21, [0, 1])):
        changed = bits.copy()
        changed[:flipped] ^= 1
        assert cluster_hashes([np.packbits(one).tobytes() for one in (bits, changed)]).tolist() == numbers


def test_plain_pictures_are_not_taken_for_copies() -> None:
    plain = [difference_hash(np.full((50, 50, 3), grey, np.uint8)) for grey in (0, 90)]
    assert cluster_hashes([*plain, b""]).tolist() == [0, 1, 2]


def test_many_pictures_are_clustered_across_blocks() -> None:
    rng = np.random.default_rng(2)
    hashes = [rng.bytes(64) for _ in range(3000)]
    hashes.append(hashes[5])
    numbers = cluster_hashes(hashes)
    assert numbers[:3000].tolist() == list(range(3000))
    assert numbers[3000] == 5


def test_no_pictures_have_no_clusters() -> None:
    assert cluster_hashes([]).tolist() == []


def test_photograph_cut_in_two_ways_is_one_cluster() -> None:
    photograph, other = picture(7, 320), picture(8, 320)

    def cut(image: UInt8Array, name: str, left: int) -> Sample:
        part = np.ascontiguousarray(image[:, left : left + 280])
        box = (140.0 - left, 120.0, 240.0 - left, 220.0)
        return Sample(name, "web", 0, name, box, part, box, single=False, picture_hash=difference_hash(part))

    one, two, three = cut(photograph, "a", 0), cut(photograph, "b", 40), cut(other, "c", 0)
    assert cluster_hashes([one.picture_hash, two.picture_hash]).tolist() == [0, 1]
    assert [sample.cluster for sample in with_clusters([one, two, three, one])] == [0, 0, 1, 0]
