"""Draws what the analysis says of a frame onto that frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from maskwatch.arrays import UInt8Array, require_image_bgr
from maskwatch.render.palette import LABEL_WORDS, VERDICT_STYLES, ColourBGR, Outline, Symbol
from maskwatch.render.text import draw_text, fit, printable, text_size
from maskwatch.types import LABELS, FrameResult, FrameStatus, Person, Verdict

__all__ = ["annotate"]

_INK: ColourBGR = (18, 16, 14)
_PAPER: ColourBGR = (240, 240, 240)


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Lengths in pixels for a picture of some size."""

    text: int
    line: int
    pad: int

    @staticmethod
    def of(width: int, height: int) -> _Sizes:
        side = min(width, height)
        text = max(8, min(34, round(side / 30)))
        return _Sizes(text=text, line=max(1, round(side / 220)), pad=max(2, round(text * 0.4)))


def annotate(frame_bgr: UInt8Array, result: FrameResult) -> None:
    """Draw boxes, verdicts and probabilities.

    A verdict has a colour, an outline, a symbol and a word of its own; a box that is only predicted is thinner. Lines
    and letters grow with the picture, so scale the picture first and draw then.

    Args:
        frame_bgr: (H, W, 3) uint8, OpenCV order; drawn upon. May have another size than the analysed frame.
        result: of this frame.

    Raises:
        ShapeError: if the frame isn't a colour picture.
    """
    require_image_bgr(frame_bgr)
    height, width = frame_bgr.shape[:2]
    sizes = _Sizes.of(width, height)
    for person in sorted(result.people, key=lambda each: (VERDICT_STYLES[each.verdict].rank, each.seen)):
        _draw_person(frame_bgr, person, sizes)
    if result.status is not FrameStatus.OK:
        note = f"not analysed: {result.note or result.status.value}"
        _draw_strip(frame_bgr, printable(note), sizes)


def _draw_person(frame_bgr: UInt8Array, person: Person, sizes: _Sizes) -> None:
    box = _box_px(person, frame_bgr.shape[1], frame_bgr.shape[0])
    if box is None:
        return
    style = VERDICT_STYLES[person.verdict]
    line = sizes.line if person.seen else max(1, sizes.line // 2)
    gap = max(4, 3 * sizes.line)
    # A dark rim first: light boxes on light walls, and dark ones at night, are seen alike.
    _draw_outline(frame_bgr, box, style.outline, _INK, line + 2)
    _draw_outline(frame_bgr, box, style.outline, style.colour_bgr, line)
    if style.outline is Outline.DOUBLE and min(box[2] - box[0], box[3] - box[1]) > 4 * gap:
        inner = (box[0] + gap, box[1] + gap, box[2] - gap, box[3] - gap)
        _draw_outline(frame_bgr, inner, Outline.SOLID, style.colour_bgr, max(1, line // 2))
    _draw_plate(frame_bgr, box, person, sizes)
    caption = _caption(person)
    if caption:
        _draw_caption(frame_bgr, box, caption, sizes)


def _box_px(person: Person, width: int, height: int) -> tuple[int, int, int, int] | None:
    """Return left, top, right, bottom in pixels within the picture, right and bottom inclusive; None when empty."""
    if not all(np.isfinite(person.box_unit)):
        return None
    left, top, right, bottom = (
        round(min(1.0, max(0.0, value)) * scale)
        for value, scale in zip(person.box_unit, (width, height, width, height), strict=True)
    )
    if right - left < 2 or bottom - top < 2:
        return None
    return left, top, min(right, width) - 1, min(bottom, height) - 1


def _draw_outline(
    frame_bgr: UInt8Array, box: tuple[int, int, int, int], outline: Outline, colour_bgr: ColourBGR, line: int
) -> None:
    left, top, right, bottom = box
    if outline in (Outline.SOLID, Outline.DOUBLE):
        cv2.rectangle(frame_bgr, (left, top), (right, bottom), colour_bgr, line)
        return
    for begin, end in (
        ((left, top), (right, top)),
        ((left, bottom), (right, bottom)),
        ((left, top), (left, bottom)),
        ((right, top), (right, bottom)),
    ):
        _draw_broken_line(frame_bgr, begin, end, outline, colour_bgr, line)


def _draw_broken_line(
    frame_bgr: UInt8Array,
    begin: tuple[int, int],
    end: tuple[int, int],
    outline: Outline,
    colour_bgr: ColourBGR,
    line: int,
) -> None:
    """Draw a side of a box: its two ends for corners, or dashes that begin and end with one."""
    length = max(abs(end[0] - begin[0]), abs(end[1] - begin[1]))
    if outline is Outline.CORNERS:
        spans = [(0.0, 0.28), (0.72, 1.0)]
    else:
        dashes = max(3, min(9, length // 14))
        step = 1.0 / (2 * dashes - 1)
        spans = [(2 * at * step, (2 * at + 1) * step) for at in range(dashes)]
    for first, last in spans:
        cv2.line(frame_bgr, _between(begin, end, first), _between(begin, end, last), colour_bgr, line)


def _between(begin: tuple[int, int], end: tuple[int, int], part: float) -> tuple[int, int]:
    return round(begin[0] + (end[0] - begin[0]) * part), round(begin[1] + (end[1] - begin[1]) * part)


def _draw_plate(frame_bgr: UInt8Array, box: tuple[int, int, int, int], person: Person, sizes: _Sizes) -> None:
    """Draw the sign with symbol and words above the box, or inside it where there is no room above."""
    style = VERDICT_STYLES[person.verdict]
    words = style.word
    if person.label is not None and person.label.value == person.verdict.value:
        words = f"{words} {_percent(person)}"
    height = sizes.text + 2 * sizes.pad
    text_width, _ = text_size(words, sizes.text)
    width = text_width + sizes.text + 3 * sizes.pad
    left = max(0, min(box[0] - 1, frame_bgr.shape[1] - width))
    top = box[1] - height if box[1] >= height else box[1]
    right, bottom = left + width, top + height
    ink = _INK
    if person.seen:
        cv2.rectangle(frame_bgr, (left, top), (right, bottom), style.colour_bgr, cv2.FILLED)
    else:
        cv2.rectangle(frame_bgr, (left, top), (right, bottom), _INK, cv2.FILLED)
        ink = style.colour_bgr
    _draw_symbol(frame_bgr, style.symbol, (left + sizes.pad, top + sizes.pad), sizes.text, ink)
    baseline = (left + 2 * sizes.pad + sizes.text, top + sizes.pad + sizes.text)
    draw_text(frame_bgr, words, baseline, sizes.text, ink)


def _draw_symbol(
    image_bgr: UInt8Array, symbol: Symbol, corner: tuple[int, int], side: int, colour_bgr: ColourBGR
) -> None:
    """Draw a symbol into a square of `side` pixels whose upper left corner is `corner`."""

    def at(x: float, y: float) -> tuple[int, int]:
        return round(corner[0] + x * side), round(corner[1] + y * side)

    line = max(1, round(side / 6))
    if symbol is Symbol.TICK:
        points = np.array([at(0.08, 0.55), at(0.38, 0.88), at(0.92, 0.14)], np.int32)
        cv2.polylines(image_bgr, [points], False, colour_bgr, line, cv2.LINE_AA)
    elif symbol is Symbol.CROSS:
        cv2.line(image_bgr, at(0.12, 0.12), at(0.88, 0.88), colour_bgr, line, cv2.LINE_AA)
        cv2.line(image_bgr, at(0.88, 0.12), at(0.12, 0.88), colour_bgr, line, cv2.LINE_AA)
    elif symbol is Symbol.BANG:
        cv2.line(image_bgr, at(0.5, 0.02), at(0.5, 0.6), colour_bgr, line, cv2.LINE_AA)
        cv2.circle(image_bgr, at(0.5, 0.92), max(1, line // 2), colour_bgr, cv2.FILLED, cv2.LINE_AA)
    else:
        draw_text(image_bgr, "?", at(0.14, 1.0), side, colour_bgr)


def _caption(person: Person) -> str:
    """Return what this frame alone says, where that differs from the verdict; empty where it doesn't."""
    if person.label is None or person.label.value == person.verdict.value or not person.seen:
        return ""
    return f"now {LABEL_WORDS[person.label]} {_percent(person)}"


def _percent(person: Person) -> str:
    """Return the probability of this frame's label; never 100 %, which no classifier knows."""
    if person.label is None or len(person.probabilities) != len(LABELS):
        return ""
    return f"{min(99, round(100 * person.probabilities[LABELS.index(person.label)]))}%"


def _draw_caption(frame_bgr: UInt8Array, box: tuple[int, int, int, int], caption: str, sizes: _Sizes) -> None:
    """Write a line below the box, or inside it where there is no room below."""
    height_px = max(8, round(sizes.text * 0.8))
    width, _ = text_size(caption, height_px)
    left = max(0, min(box[0], frame_bgr.shape[1] - width - 2 * sizes.pad))
    strip = height_px + 2 * sizes.pad
    top = box[3] + 1 if box[3] + strip < frame_bgr.shape[0] else box[3] - strip
    top = max(0, top)
    region = frame_bgr[top : top + strip, left : left + width + 2 * sizes.pad]
    region[:] = region // 3
    draw_text(frame_bgr, caption, (left + sizes.pad, top + sizes.pad + height_px), height_px, _PAPER)


def _draw_strip(frame_bgr: UInt8Array, note: str, sizes: _Sizes) -> None:
    """Write a note along the lower edge."""
    height, width = frame_bgr.shape[:2]
    strip = min(height, sizes.text + 2 * sizes.pad)
    colour_bgr = VERDICT_STYLES[Verdict.WITHOUT_MASK].colour_bgr
    cv2.rectangle(frame_bgr, (0, height - strip), (width, height), colour_bgr, cv2.FILLED)
    words = fit(note, sizes.text, width - 2 * sizes.pad)
    draw_text(frame_bgr, words, (sizes.pad, height - sizes.pad), sizes.text, _INK)
