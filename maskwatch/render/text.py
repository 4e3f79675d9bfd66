"""Text on pictures, in OpenCV's own font: ASCII, measured in pixels of height."""

from __future__ import annotations

import cv2

from maskwatch.arrays import UInt8Array
from maskwatch.render.palette import ColourBGR

__all__ = ["draw_text", "fit", "printable", "text_size", "wrap"]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CAPITAL_PX = 21.5
"""Height of a capital letter of this font at scale 1, in pixels."""


def printable(text: str) -> str:
    """Return the text in ASCII, `?` for what the font doesn't have."""
    return " ".join(text.encode("ascii", "replace").decode().split())


def text_size(text: str, height_px: int) -> tuple[int, int]:
    """Return width and height in pixels of a line whose capitals are `height_px` high, without what hangs below."""
    (width, height), _below = cv2.getTextSize(text, _FONT, height_px / _CAPITAL_PX, _thickness(height_px))
    return width, height


def draw_text(
    image_bgr: UInt8Array, text: str, left_baseline: tuple[int, int], height_px: int, colour_bgr: ColourBGR
) -> None:
    """Write a line; `left_baseline` is where its first letter stands, in pixels."""
    scale = height_px / _CAPITAL_PX
    cv2.putText(image_bgr, text, left_baseline, _FONT, scale, colour_bgr, _thickness(height_px), cv2.LINE_AA)


def fit(text: str, height_px: int, width_px: int) -> str:
    """Return the text, cut with two dots where it would be wider than `width_px`."""
    if text_size(text, height_px)[0] <= width_px:
        return text
    while text and text_size(text + "..", height_px)[0] > width_px:
        text = text[:-1]
    return text.rstrip() + ".." if text else ""


def wrap(text: str, height_px: int, width_px: int, most_lines: int) -> list[str]:
    """Break a text into at most `most_lines` lines of `width_px`; the last one is cut when there is more."""
    lines: list[str] = []
    words = text.split()
    while words and len(lines) < most_lines:
        line = words.pop(0)
        while words and text_size(f"{line} {words[0]}", height_px)[0] <= width_px:
            line = f"{line} {words.pop(0)}"
        lines.append(line)
    if words:
        lines[-1] = " ".join([lines[-1], *words])
    return [fit(line, height_px, width_px) for line in lines]


def _thickness(height_px: int) -> int:
    return max(1, round(height_px / 11))
