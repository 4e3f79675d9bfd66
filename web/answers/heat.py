"""Shares by weekday and hour as a grid: the stronger a cell's colour, the fewer wore a mask properly."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from maskwatch.store import ComplianceRow
from web.answers.words import WEEKDAYS, count, headline, hour_words, interval, too_few

__all__ = ["heat_chart"]

_CELL_HEIGHT = 30
_HEAD, _FOOT = 22, 4
_PALEST_AT, _STRONGEST_AT, _STRONGEST = 1.0, 0.5, 0.6
"""Nothing is coloured at 100 %; half a wrong share and less is as strong as text on it stays legible."""


def heat_chart(rows: Sequence[ComplianceRow], width: int, about: str, *, is_upright: bool) -> Markup:
    """Draw a grid of weekdays and hours.

    Args:
        rows: by weekday and hour; others are nobody's.
        width: in pixels of the drawing, which scales.
        about: what it shows, for who can't see it.
        is_upright: hours downwards, for phones; else to the right.
    """
    found = {(row.weekday, row.hour): row for row in rows}
    hours = [row.hour for row in rows if row.hour is not None]
    if not hours:
        return Markup("")
    span = list(range(min(hours), max(hours) + 1))
    days = list(range(7))
    across, down = (days, span) if is_upright else (span, days)
    left = 50 if is_upright else 92
    step = (width - left) / len(across)
    parts = []
    for column, value in enumerate(across):
        name = WEEKDAYS[value][:3] if is_upright else f"{value:02d}"
        parts.append(_text(left + (column + 0.5) * step, _HEAD - 8, name, "tick middle"))
    for line, value in enumerate(down):
        name = f"{value:02d}:00" if is_upright else WEEKDAYS[value]
        parts.append(_text(0, _HEAD + (line + 0.5) * _CELL_HEIGHT + 4, name, "label"))
        for column, other in enumerate(across):
            weekday, hour = (other, value) if is_upright else (value, other)
            x, y = left + column * step, _HEAD + line * _CELL_HEIGHT
            parts.append(_cell(found.get((weekday, hour)), weekday, hour, (x, y, step)))
    height = _HEAD + len(down) * _CELL_HEIGHT + _FOOT
    return Markup('<svg class="chart heat" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        width, height, about, Markup("").join(parts)
    )


def _cell(row: ComplianceRow | None, weekday: int, hour: int, place: tuple[float, float, float]) -> Markup:
    x, y, step = place
    where = f"{WEEKDAYS[weekday]}, {hour_words(hour)}"
    if row is None:
        return Markup("")
    told = f"{where}: {headline(row)}"
    if row.known:
        told += f" (95 % interval {interval(row)}); {count(row.unknown)} couldn't be told"
    words, strength = "·", 0.0
    if row.compliance is not None and not too_few(row):
        words = f"{100 * row.compliance:.0f}"
        strength = _STRONGEST * min((_PALEST_AT - row.compliance) / (_PALEST_AT - _STRONGEST_AT), 1)
    return Markup(
        '<g><title>{}</title><rect class="cell" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{}"/>'
        '<rect class="heat-part" fill-opacity="{:.2f}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{}"/>{}</g>'
    ).format(
        told, x + 1, y + 1, step - 2, _CELL_HEIGHT - 2, strength, x + 1, y + 1, step - 2, _CELL_HEIGHT - 2,
        _text(x + step / 2, y + _CELL_HEIGHT / 2 + 4, words, "label middle"),
    )  # fmt: skip


def _text(x: float, y: float, text: str, kind: str) -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>').format(kind, x, y, text)
