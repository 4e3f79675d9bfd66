"""How each verdict looks: a colour, an outline, a symbol and a word, so that none of them is needed to tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from maskwatch.types import MaskLabel, Verdict

__all__ = ["LABEL_WORDS", "VERDICT_STYLES", "Outline", "Symbol", "VerdictStyle", "bgr_from_hex"]

ColourBGR = tuple[int, int, int]


class Outline(StrEnum):
    """How a box is drawn."""

    SOLID = "solid"
    DASHED = "dashed"
    CORNERS = "corners"
    DOUBLE = "double"


class Symbol(StrEnum):
    """The sign before the word."""

    TICK = "tick"
    CROSS = "cross"
    BANG = "bang"
    QUERY = "query"


@dataclass(frozen=True, slots=True)
class VerdictStyle:
    """How one verdict looks.

    Attributes:
        hex_rgb: its colour, as CSS writes it.
        outline: of the box.
        symbol: before the word.
        word: what it is called on a picture.
        rank: boxes of a higher rank are drawn later, so on top.
    """

    hex_rgb: str
    outline: Outline
    symbol: Symbol
    word: str
    rank: int

    @property
    def colour_bgr(self) -> ColourBGR:
        """Its colour in OpenCV's order."""
        return bgr_from_hex(self.hex_rgb)


def bgr_from_hex(hex_rgb: str) -> ColourBGR:
    """Turn `#rrggbb` into blue, green, red."""
    red, green, blue = (int(hex_rgb[at : at + 2], 16) for at in (1, 3, 5))
    return blue, green, red


VERDICT_STYLES: Mapping[Verdict, VerdictStyle] = {
    Verdict.WITH_MASK: VerdictStyle("#00b389", Outline.SOLID, Symbol.TICK, "mask", 0),
    Verdict.UNKNOWN: VerdictStyle("#a8adb3", Outline.CORNERS, Symbol.QUERY, "unknown", 1),
    Verdict.INCORRECT_MASK: VerdictStyle("#f0b400", Outline.DASHED, Symbol.BANG, "worn wrongly", 2),
    Verdict.WITHOUT_MASK: VerdictStyle("#f0682f", Outline.DOUBLE, Symbol.CROSS, "no mask", 3),
}
"""Bluish green, orange and vermilion, told apart with every common colour blindness; a little lighter than published,
so that black text on them has a contrast above 6. Source: Okabe and Ito, Color Universal Design, 2008."""

LABEL_WORDS: Mapping[MaskLabel, str] = {
    MaskLabel.WITH_MASK: "mask",
    MaskLabel.WITHOUT_MASK: "no mask",
    MaskLabel.INCORRECT_MASK: "worn wrongly",
}
