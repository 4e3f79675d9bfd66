"""How long to wait before trying again: longer each time, never beyond a cap, never in step with others."""

from __future__ import annotations

import random
from collections.abc import Callable

__all__ = ["Backoff"]

_JITTER = 0.25
"""Of a delay, either way: after a switch's restart a hundred cameras must not be called at the same instant."""
_FACTOR = 2.0


class Backoff:
    """Delays that double up to a cap, each jittered by a quarter.

    Args:
        first_s: the first delay, before the jitter.
        most_s: no delay is above it.
        chance: gives numbers of 0..1 for the jitter; 0.5 is none.
    """

    def __init__(self, first_s: float, most_s: float, chance: Callable[[], float] = random.random) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._chance = chance
        self._next_s = first_s

    def next_s(self) -> float:
        """Return the delay in seconds before the next try."""
        delay_s = self._next_s * (1 + _JITTER * (2 * self._chance() - 1))
        self._next_s = min(self._next_s * _FACTOR, self._most_s)
        return min(delay_s, self._most_s)

    def reset(self) -> None:
        """Begin anew, after a success."""
        self._next_s = self._first_s
