"""How patiently each kind of failure is met."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from ingest.states import Happening
from maskwatch.backoff import Backoff
from maskwatch.errors import DecodeError, SourceAuthError, SourceError, SourceUnsupported

__all__ = ["Failure", "Patience", "after_crash", "after_loss", "after_refusal", "after_undecodable"]


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


@dataclass(frozen=True, slots=True)
class Failure:
    """How an attempt to read a source went wrong, and how to go on.

    Attributes:
        what: as the camera's state machine calls it.
        reason: for a person; may hold credentials still.
        delay_s: until the next attempt.
    """

    what: Happening
    reason: str
    delay_s: float


class Patience:
    """What is known of one source's failures so far; each kind has a back-off of its own."""

    def __init__(self) -> None:
        """Begin with the shortest delays."""
        self._backoffs = {
            Happening.LOSS: after_loss(),
            Happening.REFUSAL: after_refusal(),
            Happening.UNDECODABLE: after_undecodable(),
            Happening.CRASH: after_crash(),
        }

    def failure(self, error: Exception) -> Failure:
        """Tell what an error means for the source, and how long to leave it alone."""
        what = _kind(error)
        reason = str(error)
        if what is Happening.CRASH:
            reason = f"its reader broke: {type(error).__name__}; the log has the details"
        return Failure(what, reason, self._backoffs[what].next_s())

    def reset(self) -> None:
        """Begin anew: the source is well again."""
        for backoff in self._backoffs.values():
            backoff.reset()


def _kind(error: Exception) -> Happening:
    if isinstance(error, SourceAuthError):
        return Happening.REFUSAL
    if isinstance(error, (SourceUnsupported, DecodeError)):
        return Happening.UNDECODABLE
    return Happening.LOSS if isinstance(error, SourceError) else Happening.CRASH
