"""From labels to a verdict: what is held of a person, from looks of different worth at different times.

Each look adds the logarithms of its probabilities, weighted by how well the face was seen; older looks fade. A verdict
needs several looks and a clear lead, and gives way only to a clear lead of another. Pure; time comes in with the looks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from maskwatch.types import LABELS, Verdict

__all__ = ["Evidence", "VerdictOptions", "look_weight", "vote"]

_VERDICTS = tuple(Verdict(label.value) for label in LABELS)

_LEAST_PROBABILITY = 0.03
"""Classifiers are surer than they should be: no single look says more than ln(0.94 / 0.03) = 3.4."""

_FULL_WEIGHT_S = 0.2
"""Looks that follow more closely are nearly the same picture and share one look's weight."""

_LEAST_FADING = 0.7
"""At one frame a second the memory is three looks, not one second."""


@dataclass(frozen=True, slots=True)
class VerdictOptions:
    """When evidence is enough.

    Attributes:
        least_looks: looks before the first verdict.
        lead: by how much the best label's evidence must exceed the second's, or the present verdict's.
        memory_s: seconds after which a look counts for 1/e.
    """

    least_looks: int = 3
    lead: float = 2.0
    memory_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen of one track.

    Attributes:
        sums: per entry of `LABELS`, faded sum of weighted log-probabilities, centred on 0.
        looks: how many looks, at most 255.
        time_s: media time of the last look.
        verdict: what is held now.
    """

    sums: tuple[float, float, float] = (0.0, 0.0, 0.0)
    looks: int = 0
    time_s: float = 0.0
    verdict: Verdict = Verdict.UNKNOWN


def look_weight(size_px: float, min_face_px: float) -> float:
    """Return the worth of a look, 0..1: nothing below the smallest size, all of it from twice that size on."""
    if size_px < min_face_px:
        return 0.0
    return min(1.0, 0.5 * size_px / min_face_px)


def vote(
    evidence: Evidence,
    probabilities: Sequence[float],
    weight: float,
    media_time_s: float,
    options: VerdictOptions | None = None,
) -> Evidence:
    """Add one look and judge anew.

    Args:
        evidence: so far.
        probabilities: one per entry of `LABELS`.
        weight: 0..1, from `look_weight`; 0 changes nothing.
        media_time_s: when; a time that falls counts as no time passed.
        options: when evidence is enough.
    """
    if weight <= 0.0:
        return evidence
    options = options or VerdictOptions()
    is_first = evidence.looks == 0
    passed_s = _FULL_WEIGHT_S if is_first else max(0.0, media_time_s - evidence.time_s)
    fading = max(_LEAST_FADING, math.exp(-passed_s / options.memory_s))
    weight *= min(1.0, passed_s / _FULL_WEIGHT_S)
    logs = [math.log(max(_LEAST_PROBABILITY, value)) for value in probabilities]
    middle = sum(logs) / len(logs)
    first, second, third = (
        fading * old + weight * (log - middle) for old, log in zip(evidence.sums, logs, strict=True)
    )
    looks = min(255, evidence.looks + (1 if weight > 0 else 0))
    time_s = media_time_s if is_first else max(evidence.time_s, media_time_s)
    sums = (first, second, third)
    return Evidence(sums, looks, time_s, _judge(sums, looks, evidence.verdict, options))


def _judge(sums: tuple[float, float, float], looks: int, present: Verdict, options: VerdictOptions) -> Verdict:
    if looks < options.least_looks:
        return present
    ranked = sorted(range(len(sums)), key=lambda at: -sums[at])
    best = ranked[0]
    rival = ranked[1] if present is Verdict.UNKNOWN else _VERDICTS.index(present)
    return _VERDICTS[best] if sums[best] - sums[rival] >= options.lead else present
