from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from workers.assign import assign

NEVER = 1e6


def matrix(seed: int, rows: int, columns: int, possible: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    rng = np.random.default_rng(seed)
    return np.where(rng.random((rows, columns)) < possible, rng.random((rows, columns)) * 3, NEVER)


@given(st.integers(0, 2**32), st.integers(0, 12), st.integers(0, 12), st.floats(0, 1))
def test_pairs_are_as_many_and_as_cheap_as_scipys(seed: int, rows: int, columns: int, possible: float) -> None:
    costs = matrix(seed, rows, columns, possible)
    wanted = [pair for pair in zip(*linear_sum_assignment(costs), strict=True) if costs[pair] < NEVER]
    pairs = assign(costs, NEVER)
    assert len(pairs) == len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(wanted)
    assert sum(costs[pair] for pair in pairs) == pytest.approx(sum(costs[pair] for pair in wanted))
    assert pairs == sorted(pairs)


def test_nobody_is_paired_where_nothing_is_possible() -> None:
    assert assign(np.full((3, 2), NEVER), NEVER) == []
    assert assign(np.zeros((0, 4)), NEVER) == assign(np.zeros((4, 0)), NEVER) == []


def test_one_gives_way_so_that_two_are_paired() -> None:
    assert assign(np.array([[0.1, 0.2], [0.15, NEVER]]), NEVER) == [(0, 1), (1, 0)]


def test_crowd_of_fifty_is_paired_like_scipy_pairs_it() -> None:
    costs = matrix(1, 50, 50, 1.0)
    assert assign(costs, NEVER) == list(zip(*(part.tolist() for part in linear_sum_assignment(costs)), strict=True))
