"""How long to wait before trying again: longer each time, never beyond a cap, never in step with others."""

from __future__ import annotations

import random

__all__ = ["Backoff", "after_crash", "after_loss", "after_refusal", "after_undecodable"]

_JITTER = 0.25
"""Of a delay, either way: after a switch's restart a hundred cameras must not be called at the same instant."""
_FACTOR = 2.0


class Backoff:
    """Delays that double up to a cap, each jittered by a quarter."""

    def __init__(self, first_s: float, most_s: float, rng: random.Random | None = None) -> None:
        """Begin with `first_s`; no delay is above `most_s`."""
        self._first_s = first_s
        self._most_s = most_s
        self._rng = rng or random.Random()
        self._next_s = first_s

    def next_s(self) -> float:
        """Return the delay in seconds before the next try."""
        delay_s = self._next_s * self._rng.uniform(1 - _JITTER, 1 + _JITTER)
        self._next_s = min(self._next_s * _FACTOR, self._most_s)
        return min(delay_s, self._most_s)

    def reset(self) -> None:
        """Begin anew, after a success."""
        self._next_s = self._first_s


def after_loss(rng: random.Random | None = None) -> Backoff:
    """0.5, 1, 2, 4, ... 30 s: most losses are short, and a camera that stays away costs little."""
    return Backoff(0.5, 30.0, rng)


def after_refusal(rng: random.Random | None = None) -> Backoff:
    """60 s to 10 minutes: cameras lock an account after a handful of wrong passwords."""
    return Backoff(60.0, 600.0, rng)


def after_undecodable(rng: random.Random | None = None) -> Backoff:
    """5 s to 5 minutes: a camera can be set to another codec, a file replaced."""
    return Backoff(5.0, 300.0, rng)


def after_crash(rng: random.Random | None = None) -> Backoff:
    """1 to 60 s."""
    return Backoff(1.0, 60.0, rng)
