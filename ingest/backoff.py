"""How patiently each kind of failure is met."""

from __future__ import annotations

import random
from collections.abc import Callable

from maskwatch.backoff import Backoff

__all__ = ["after_crash", "after_loss", "after_refusal", "after_undecodable"]


def after_loss(chance: Callable[[], float] = random.random) -> Backoff:
    """0.5, 1, 2, 4, ... 30 s: most losses are short, and a camera that stays away costs little."""
    return Backoff(0.5, 30.0, chance)


def after_refusal(chance: Callable[[], float] = random.random) -> Backoff:
    """60 s to 10 minutes: cameras lock an account after a handful of wrong passwords."""
    return Backoff(60.0, 600.0, chance)


def after_undecodable(chance: Callable[[], float] = random.random) -> Backoff:
    """5 s to 5 minutes: a camera can be set to another codec, a file replaced."""
    return Backoff(5.0, 300.0, chance)


def after_crash(chance: Callable[[], float] = random.random) -> Backoff:
    """1 to 60 s."""
    return Backoff(1.0, 60.0, chance)
