"""A measured figure with its interval, and the resampling that the interval comes from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

# pydantic reads it in reports, and before Python 3.12 it needs this one.
from typing_extensions import TypedDict

__all__ = ["DRAWS", "Figure", "Float64Array", "Int64Array", "Resampling", "figure", "ratio"]

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]

DRAWS = 1000
"""Bootstrap draws; between seeds the ends of an interval of some hundred faces move by about a thirtieth of it."""

_MOST_WEIGHTS = 2_000_000  # in memory at a time: 16 MB
_DIGITS = 4


class Figure(TypedDict):
    """What was measured, with its 95 % interval.

    Keys:
        value: None where there was nothing to count.
        low: of the interval.
        high: of the interval; equal to `low` where all agree, because resampling can't imagine what it never saw.
        n: how many things the figure is about: faces, detections or pictures.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int


class Resampling:
    """Draws pictures with replacement, again and again, the same way for the same number of pictures.

    Pictures are drawn and not faces because the faces of one picture resemble each other: drawing faces gives intervals
    that are too narrow. Every figure is worked out from sums over pictures, so a draw is a weighted sum.

    Args:
        pictures: how many there are.
        seed: of the draws.

    Source:
        Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 1979 (percentile intervals);
        Field and Welsh, "Bootstrapping clustered data", JRSS B 2007.
    """

    def __init__(self, pictures: int, seed: int = 0) -> None:
        self._pictures = pictures
        self._seed = seed

    def weights(self, columns: int = 0) -> Iterator[Float64Array]:
        """Yield how often each picture counts: first once each, then `DRAWS` draws, some rows at a time.

        Args:
            columns: of what the caller makes of a row, where these are more than the pictures; bounds its memory.

        Yields:
            (R, pictures) float64; the rows of all pieces together are 1 + `DRAWS`.
        """
        yield np.ones((1, self._pictures))
        rng = np.random.default_rng(self._seed)
        most = max(1, _MOST_WEIGHTS // max(1, columns, self._pictures))
        for start in range(0, DRAWS, most):
            rows = min(most, DRAWS - start)
            drawn = rng.integers(0, max(1, self._pictures), (rows, self._pictures))
            drawn += np.arange(rows)[:, None] * self._pictures
            counted = np.bincount(drawn.ravel(), minlength=rows * self._pictures)
            yield counted.reshape(rows, self._pictures).astype(np.float64)

    def sums(self, picture: Int64Array, values: NDArray[Any]) -> Float64Array:
        """Add up what belongs to the pictures.

        Args:
            picture: (N,) the picture of each row of values.
            values: (N, ...) numbers or bools.

        Returns:
            (1 + `DRAWS`, ...) float64: the sums as they are, then those of each draw.
        """
        values = np.asarray(values, np.float64)
        by_picture = np.zeros((self._pictures, *values.shape[1:]))
        np.add.at(by_picture, picture, values)
        flat = by_picture.reshape(self._pictures, math.prod(values.shape[1:]))
        return np.concatenate([weights @ flat for weights in self.weights()]).reshape(-1, *values.shape[1:])


def ratio(part: Float64Array, whole: Float64Array) -> Float64Array:
    """Divide; nan where there is nothing to divide by."""
    part, whole = np.broadcast_arrays(part, whole)
    quotient: Float64Array = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return quotient


def figure(results: Float64Array, n: float) -> Figure:
    """Make a figure of a value and its draws.

    Args:
        results: (1 + `DRAWS`,) the value, then what each draw gave; nan where a draw had nothing to count.
        n: how many things it is about.
    """
    value, draws = float(results[0]), results[1:]
    draws = draws[np.isfinite(draws)]
    if n <= 0 or not np.isfinite(value) or len(draws) == 0:
        return Figure(value=None, low=None, high=None, n=round(n))
    low, high = np.percentile(draws, (2.5, 97.5))
    return Figure(
        value=round(value, _DIGITS), low=round(float(low), _DIGITS), high=round(float(high), _DIGITS), n=round(n)
    )
