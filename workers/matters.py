"""What the rules remember of a camera: looks at people, and matters that are pending, open or over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

from maskwatch.types import LABELS, MaskLabel, Severity
from maskwatch.zones import MOST_LOOKS, Rule

__all__ = ["CROWD", "MOST_MATTERS", "PATIENCE_S", "Looks", "Matter", "Phase", "RuleState"]

MOST_MATTERS = 135
"""Of one camera at once, for which its state has room; further ones begin when others are over."""

CROWD = 0
"""Stands for the track where a matter is about nobody in particular; tracks begin at 1."""

PATIENCE_S = 1.0
"""A face on the edge of a zone, or a verdict that wavers, doesn't end a matter at once."""

_WITH = LABELS.index(MaskLabel.WITH_MASK)


class Phase(IntEnum):
    """How far a matter has come."""

    PENDING = 0
    OPEN = 1
    OVER = 2


@dataclass(frozen=True, slots=True)
class Looks:
    """What is remembered of one track.

    Attributes:
        against: a bit for each of the newest `MOST_LOOKS` looks, the newest lowest: whether it saw no proper mask.
        count: looks so far, at most 255.
        means: mean chance of each of `LABELS`.
        zones: names of all zones in which the person was seen.
    """

    against: int = 0
    count: int = 0
    means: tuple[float, float, float] = (0.0, 0.0, 0.0)
    zones: frozenset[str] = frozenset()

    def with_look(self, chances: Sequence[float]) -> Looks:
        """Return this and one more look; what was seen 255 looks ago fades."""
        count = min(255, self.count + 1)
        first, second, third = (
            mean + (chance - mean) / count for mean, chance in zip(self.means, chances, strict=True)
        )
        is_against = max(range(len(LABELS)), key=lambda at: chances[at]) != _WITH
        against = (self.against << 1 | is_against) & ((1 << MOST_LOOKS) - 1)
        return replace(self, against=against, count=count, means=(first, second, third))

    def is_evident(self, rule: Rule) -> bool:
        """Tell whether enough of the newest looks are against a rule."""
        return (self.against & ((1 << rule.looks_of) - 1)).bit_count() >= rule.looks_at_least


@dataclass(frozen=True, slots=True)
class Matter:
    """Somebody against a rule, or a crowd.

    Attributes:
        phase: how far it has come.
        began_s: media time at which it began to hold.
        held_s: media time at which it held last.
        ordinal: how many of the same were reported before.
        quality: of the best picture of it so far.
    """

    phase: Phase
    began_s: float
    held_s: float
    ordinal: int = 0
    quality: float = 0.0


@dataclass(frozen=True, slots=True)
class RuleState:
    """What the next frame needs to know.

    Attributes:
        looks: by track id.
        matters: by rule and track id (`CROWD` for a crowd).
        rules: zone and severity of each rule with a matter, for when the configuration has it no more.
        crowds: number from which on those of crowds are free, where nothing else is known of a rule's.
    """

    looks: Mapping[int, Looks] = field(default_factory=dict)
    matters: Mapping[tuple[str, int], Matter] = field(default_factory=dict)
    rules: Mapping[str, tuple[str, Severity]] = field(default_factory=dict)
    crowds: int = 0

    @classmethod
    def unknown(cls, media_time_s: float) -> RuleState:
        """Return the state of a camera whose state was lost, in the middle of its epoch.

        No rule has told more crowds of it than seconds have passed: ids are made of their numbers.
        """
        return cls(crowds=1 + int(max(0.0, media_time_s) / PATIENCE_S))
