"""Sizes in a byte."""

from __future__ import annotations

import math

__all__ = ["from_byte", "to_byte"]

_STEPS = 16
"""A byte's steps from one size to its double: 4 % each, up to 60,000."""


def to_byte(value: float) -> int:
    """Return a size as a byte; negative ones as 0."""
    return min(255, round(_STEPS * math.log2(1.0 + max(0.0, value))))


def from_byte(value: int) -> float:
    """Return the size that a byte stands for."""
    return float(2.0 ** (value / _STEPS) - 1.0)
