"""Pairing rows with columns at the lowest total cost, for the few faces of a frame.

SciPy does the same for matrices of any size; importing it takes half a second and 49 MB of every worker.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["assign"]


def assign(costs: NDArray[np.float64], never: float) -> list[tuple[int, int]]:
    """Pair as many rows with columns as can be, and of all such pairings take the one of the lowest total cost.

    Args:
        costs: (N, M); either may be 0.
        never: pairs that cost as much or more are impossible; it must exceed the sum of all others.

    Returns:
        Row and column of each pair, by row. Rows and columns without a partner are in none.
    """
    possible = costs < never
    if (clear := _nearest(costs, possible)) is not None:
        return clear
    pairs: list[tuple[int, int]] = []
    for rows, columns in _groups(possible):
        if len(rows) == len(columns) == 1:
            pairs.append((rows[0], columns[0]))
            continue
        # The algorithm wants every row paired, so there may not be more rows than columns.
        is_wide = len(rows) <= len(columns)
        part = costs[np.ix_(rows, columns)]
        for one, other in _pair_all_rows((part if is_wide else part.T).tolist()):
            row, column = (rows[one], columns[other]) if is_wide else (rows[other], columns[one])
            if costs[row, column] < never:
                pairs.append((row, column))
    return sorted(pairs)


def _nearest(costs: NDArray[np.float64], possible: NDArray[np.bool_]) -> list[tuple[int, int]] | None:
    """Pair everybody of the rarer side with the nearest, or return None where two have the same nearest.

    Nothing is cheaper, and it is so in almost every frame.
    """
    rows, columns = np.flatnonzero(possible.any(axis=1)), np.flatnonzero(possible.any(axis=0))
    if len(rows) == 0:
        return []
    part = costs[np.ix_(rows, columns)]
    if len(rows) <= len(columns):
        columns = columns[part.argmin(axis=1)]
    else:
        rows = rows[part.argmin(axis=0)]
    row_list, column_list = rows.tolist(), columns.tolist()
    if len(set(row_list)) < len(row_list) or len(set(column_list)) < len(column_list):
        return None
    return sorted(zip(row_list, column_list, strict=True))


def _groups(possible: NDArray[np.bool_]) -> list[tuple[list[int], list[int]]]:
    """Return rows and columns that are connected by possible pairs: people apart don't compete for faces."""
    partners = [np.flatnonzero(row).tolist() for row in possible]
    owners = [np.flatnonzero(column).tolist() for column in possible.T]
    seen: set[int] = set()
    groups = []
    for first, columns in enumerate(partners):
        if first in seen or not columns:
            continue
        rows, reached = {first}, set(columns)
        waiting = list(columns)
        while waiting:
            for row in owners[waiting.pop()]:
                if row not in rows:
                    rows.add(row)
                    waiting += [column for column in partners[row] if column not in reached]
                    reached.update(partners[row])
        seen |= rows
        groups.append((sorted(rows), sorted(reached)))
    return groups


def _pair_all_rows(costs: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Pair every row with a column of its own; there are at least as many columns as rows.

    One row after the other is added along the shortest augmenting path; prices of rows and columns keep every reduced
    cost from falling below zero.

    Source: R. Jonker, A. Volgenant, "A Shortest Augmenting Path Algorithm for Dense and Sparse Linear Assignment
    Problems", Computing 38 (1987).
    """
    width = len(costs[0])
    row_price, column_price = [0.0] * len(costs), [0.0] * width
    owner = [-1] * width
    for new in range(len(costs)):
        distance, before = [float("inf")] * width, [-1] * width
        open_columns = set(range(width))
        row, column, reached = new, -1, 0.0
        while True:
            for at in open_columns:
                through = reached + costs[row][at] - row_price[row] - column_price[at]
                if through < distance[at]:
                    distance[at], before[at] = through, column
            column = min(open_columns, key=lambda at: (distance[at], at))
            open_columns.remove(column)
            reached, row = distance[column], owner[column]
            if row < 0:
                break
        row_price[new] += reached
        for at in set(range(width)) - open_columns - {column}:
            column_price[at] += distance[at] - reached
            row_price[owner[at]] += reached - distance[at]
        while column >= 0:
            previous = before[column]
            owner[column] = new if previous < 0 else owner[previous]
            column = previous
    return [(row, column) for column, row in enumerate(owner) if row >= 0]
