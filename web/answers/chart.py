"""Charts as SVG, drawn here so that pages need no script and reports no network; colours come from chart.css.

A share is a dot on its 95 % interval, never a bar alone: a bar of 100 % made of three people looks like one of three
thousand. Where too few people are known the dot is hollow and the interval dashed. What can't be drawn is in the table
beside every chart, which is also what a screen reader is led to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from maskwatch.store import ComplianceRow
from maskwatch.types import Verdict
from web.answers.words import count, headline, interval, percent, too_few

__all__ = ["MOST_ROWS", "Point", "column_chart", "row_chart", "split_bar"]

MOST_ROWS = 40
"""Rows of a row chart; more than fit on a screen are better read in the table."""

_STACK = (Verdict.WITH_MASK, Verdict.INCORRECT_MASK, Verdict.WITHOUT_MASK, Verdict.UNKNOWN)
_LEFT, _RIGHT = 46, 12
_TOP, _SHARE_HEIGHT, _GAP, _COUNT_HEIGHT, _FOOT = 28, 180, 48, 72, 24
_ROW_HEIGHT = 28
_LETTER = 6.6
"""Width of a letter of 12 pixels, about."""


@dataclass(frozen=True, slots=True)
class Point:
    """One place on a chart.

    Attributes:
        label: what it is about, in full.
        tick: what stands under or beside it; may be empty.
        row: its figures; None where nobody was seen.
    """

    label: str
    tick: str
    row: ComplianceRow | None


def split_bar(row: ComplianceRow, width: int) -> Markup:
    """Draw all people of a row as one bar, by verdict; empty when there are none.

    Args:
        row: the figures.
        width: in pixels of the drawing, which scales.
    """
    total = row.known + row.unknown
    if not total:
        return Markup("")
    parts, x = [], 0.0
    for verdict in _STACK:
        part = width * getattr(row, verdict.value) / total
        if part:
            # A gap of 2 tells neighbours apart; a sliver stays visible.
            parts.append(_rect(x, 0, max(part - 2, 1.5), 18, f"part {verdict.value}"))
        x += part
    return _svg(width, 18, "split", parts, is_decoration=True)


def column_chart(points: Sequence[Point], width: int, about: str) -> Markup:
    """Draw shares over people in the order of time, with a common axis.

    Args:
        points: from left to right.
        width: in pixels of the drawing, which scales.
        about: what it shows, for who can't see it.
    """
    if not points:
        return Markup("")
    step = (width - _LEFT - _RIGHT) / len(points)
    base = _TOP + _SHARE_HEIGHT + _GAP + _COUNT_HEIGHT
    most = _nice(max((point.row.known + point.row.unknown for point in points if point.row), default=0))
    parts = [
        _text(0, _TOP - 16, "Wore a mask properly, with 95 % interval", "axis"),
        *_share_grid(width),
        _text(0, _TOP + _SHARE_HEIGHT + _GAP - 16, "People seen", "axis"),
        *_count_grid(width, base, most),
    ]
    every = max(1, math.ceil(max(len(point.tick) for point in points) * _LETTER * 1.15 / step))
    for number, point in enumerate(points):
        x = _LEFT + (number + 0.5) * step
        if point.row is not None:
            drawn = [*_share_mark(point.row, x, min(step / 2.6, 4.5)), *_stack(point.row, x, step, base, most)]
            hover = _rect(_LEFT + number * step, _TOP, step, base - _TOP, "hover")
            parts.append(Markup("<g><title>{}</title>{}{}</g>").format(_told(point), hover, Markup("").join(drawn)))
        if point.tick and number % every == 0:
            parts.append(_text(x, base + 16, point.tick, "tick middle"))
    return _svg(width, base + _FOOT, "columns", parts, about)


def row_chart(points: Sequence[Point], width: int, about: str) -> Markup:
    """Draw shares of things that have names, one below the other; arguments are those of `column_chart`."""
    shown = points[:MOST_ROWS]
    if not shown:
        return Markup("")
    label_width = min(max(len(point.tick) for point in shown) * _LETTER + 14, width * 0.34)
    told_width = 104
    scale = width - label_width - told_width
    height = _ROW_HEIGHT * len(shown)
    parts = []
    for share in (0, 0.5, 1):
        x = label_width + share * scale
        parts.append(_line(x, 4, x, height, "grid"))
        parts.append(_text(x, height + 16, f"{100 * share:.0f} %", "tick middle"))
    for number, point in enumerate(shown):
        y = _ROW_HEIGHT * (number + 0.5)
        drawn = [_text(0, y + 4, _cut(point.tick, label_width), "label")]
        drawn += [] if point.row is None else _row_mark(point.row, label_width, scale, y)
        told = _told_short(point.row)
        drawn.append(_text(width, y + 4, told, "tick end"))
        hover = _rect(0, y - _ROW_HEIGHT / 2, width, _ROW_HEIGHT, "hover")
        parts.append(Markup("<g><title>{}</title>{}{}</g>").format(_told(point), hover, Markup("").join(drawn)))
    return _svg(width, height + _FOOT, "rows", parts, about)


def _told(point: Point) -> str:
    if point.row is None:
        return f"{point.label}: nobody seen"
    told = f"{point.label}: {headline(point.row)}"
    if point.row.known:
        told += f" (95 % interval {interval(point.row)})"
    return f"{told}; {count(point.row.unknown)} couldn't be told"


def _told_short(row: ComplianceRow | None) -> str:
    if row is None or not row.known:
        return "nobody known"
    return (
        f"{count(row.with_mask)} of {count(row.known)}"
        if too_few(row)
        else f"{percent(row.compliance)} of {count(row.known)}"
    )


def _share_grid(width: int) -> Iterator[Markup]:
    for quarter in range(5):
        y = _share_y(quarter / 4)
        yield _line(_LEFT, y, width - _RIGHT, y, "grid")
        if quarter % 2 == 0:
            yield _text(_LEFT - 8, y + 4, f"{25 * quarter} %", "tick end")


def _count_grid(width: int, base: float, most: int) -> Iterator[Markup]:
    for number in (0, most):
        y = base - _COUNT_HEIGHT * number / max(most, 1)
        yield _line(_LEFT, y, width - _RIGHT, y, "grid")
        yield _text(_LEFT - 8, y + 4, count(number), "tick end")


def _share_mark(row: ComplianceRow, x: float, radius: float) -> Iterator[Markup]:
    if row.compliance is None or row.low is None or row.high is None:
        return
    sure = "few" if too_few(row) else "sure"
    yield _line(x, _share_y(row.low), x, _share_y(row.high), f"whisker {sure}")
    yield Markup('<circle class="dot {}" cx="{}" cy="{}" r="{}"/>').format(
        sure, _n(x), _n(_share_y(row.compliance)), _n(max(radius, 1.5))
    )


def _row_mark(row: ComplianceRow, left: float, scale: float, y: float) -> Iterator[Markup]:
    if row.compliance is None or row.low is None or row.high is None:
        return
    sure = "few" if too_few(row) else "sure"
    yield _line(left + row.low * scale, y, left + row.high * scale, y, f"whisker {sure}")
    yield Markup('<circle class="dot {}" cx="{}" cy="{}" r="5"/>').format(
        sure, _n(left + row.compliance * scale), _n(y)
    )


def _stack(row: ComplianceRow, x: float, step: float, base: float, most: int) -> Iterator[Markup]:
    wide, y = max(min(step * 0.66, 30), 1.0), base
    for verdict in _STACK:
        high = _COUNT_HEIGHT * getattr(row, verdict.value) / max(most, 1)
        if high:
            y -= high
            yield _rect(x - wide / 2, y, wide, max(high - 0.6, 0.4), f"part {verdict.value}")


def _share_y(share: float) -> float:
    return _TOP + (1 - share) * _SHARE_HEIGHT


def _nice(most: int) -> int:
    """Return the next round number: one digit with zeros."""
    power: int = 10 ** (len(str(most)) - 1)
    return max(-(-most // power), 1) * power


def _cut(text: str, width: float) -> str:
    """Leave out the middle of what is too long: names of one building begin alike, and zones come last."""
    most = max(int(width / _LETTER) - 1, 3)
    return text if len(text) <= most else f"{text[: most // 2]}…{text[len(text) - (most - 1) // 2 :]}"


def _svg(
    width: int, height: float, kind: str, parts: Sequence[Markup], about: str = "", *, is_decoration: bool = False
) -> Markup:
    # A decoration is a bar, which may be stretched to any width.
    role = (
        Markup('aria-hidden="true" preserveAspectRatio="none"')
        if is_decoration
        else Markup('role="img" aria-label="{}"').format(about)
    )
    return Markup('<svg class="chart {}" viewBox="0 0 {} {}" {}>{}</svg>').format(
        kind, _n(width), _n(height), role, Markup("").join(parts)
    )


def _text(x: float, y: float, text: str, kind: str) -> Markup:
    return Markup('<text class="{}" x="{}" y="{}">{}</text>').format(kind, _n(x), _n(y), text)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(kind, _n(x1), _n(y1), _n(x2), _n(y2))


def _rect(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
        kind, _n(x), _n(y), _n(width), _n(height)
    )


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
