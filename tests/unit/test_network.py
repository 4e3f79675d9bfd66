from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwatch.arrays import UInt8Array
from maskwatch.errors import ModelError, ShapeError
from models.engines.network import batches_even, batches_padded, empty_outputs, join_outputs, require_images
from models.manifest import OutputSpec

OUTPUTS = (OutputSpec(name="scores", shape=(3,)), OutputSpec(name="boxes", shape=(0, 4)))


@given(st.integers(0, 200), st.integers(1, 16))
def test_even_pieces_cover_the_batch_in_order_without_padding(count: int, most: int) -> None:
    pieces = list(batches_even(count, most))
    assert [index for start, stop in pieces for index in range(start, stop)] == list(range(count))
    assert all(1 <= stop - start <= most for start, stop in pieces)
    assert len(pieces) == -(-count // most)


def test_even_pieces_differ_by_one_at_most() -> None:
    assert list(batches_even(9, 4)) == [(0, 3), (3, 6), (6, 9)]
    assert list(batches_even(5, 4)) == [(0, 3), (3, 5)]


@given(st.integers(0, 500))
def test_padded_pieces_cover_the_batch_and_fill_their_size_by_more_than_half(count: int) -> None:
    pieces = list(batches_padded(count, (1, 4, 16, 64)))
    assert [index for start, stop, _ in pieces for index in range(start, stop)] == list(range(count))
    assert all(size in (1, 4, 16, 64) and stop - start <= size < 2 * (stop - start) for start, stop, size in pieces)
    assert all(stop - start == size for start, stop, size in pieces[:-1])


@pytest.mark.parametrize(("count", "sizes"), [(2, [1, 1]), (3, [4]), (8, [4, 4]), (9, [16]), (24, [16, 4, 4])])
def test_padding_stays_below_half_of_a_piece(count: int, sizes: list[int]) -> None:
    assert [size for _, _, size in batches_padded(count, (1, 4, 16, 64))] == sizes


def test_no_pictures_give_empty_outputs_of_the_right_shape() -> None:
    assert [array.shape for array in empty_outputs(OUTPUTS)] == [(0, 3), (0, 0, 4)]


def test_outputs_of_pieces_are_joined_in_order() -> None:
    pieces = [(np.full((n, 3), n, np.float32), np.full((n, 5, 4), n, np.float32)) for n in (2, 1)]
    scores, boxes = join_outputs(pieces, OUTPUTS)
    assert scores[:, 0].tolist() == [2, 2, 1]
    assert boxes.shape == (3, 5, 4)


def test_output_of_another_shape_than_the_manifest_says_is_refused() -> None:
    with pytest.raises(ModelError, match="output scores"):
        join_outputs([(np.zeros((1, 2), np.float32), np.zeros((1, 5, 4), np.float32))], OUTPUTS)


@pytest.mark.parametrize(
    "images",
    [np.zeros((1, 8, 16, 3), np.float32), np.zeros((1, 16, 8, 3), np.uint8), np.zeros((8, 16, 3), np.uint8)],
)
def test_pictures_of_another_form_are_refused(images: UInt8Array) -> None:
    with pytest.raises(ShapeError, match=r"expected \(N, 8, 16, 3\) uint8"):
        require_images(images, (16, 8))
