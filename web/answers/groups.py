"""Rows of an answer put in order for a chart and a table, with the gaps where nobody was seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from maskwatch.store import By, ComplianceRow
from web.answers.chart import MOST_ROWS, Point, column_chart, row_chart
from web.answers.heat import heat_chart
from web.answers.span import Span
from web.answers.words import GROUP_WORDS, WEEKDAYS, hour_words, key_words, short_day

__all__ = ["Grouped", "TableRow", "grouped"]

_WIDE, _NARROW = 940, 400
_MOST_DAYS_IN_CHART = 400


@dataclass(frozen=True, slots=True)
class TableRow:
    """One line of a table.

    Attributes:
        keys: what it is about, a text for each part of the question's `by`.
        row: its figures; None where nobody was seen.
    """

    keys: tuple[str, ...]
    row: ComplianceRow | None


@dataclass(frozen=True, slots=True)
class Grouped:
    """An answer, ready to be shown.

    Attributes:
        by: what it is divided by.
        columns: headings of the keys.
        table: its lines.
        wide: chart for screens and paper; empty where there is nothing to draw.
        narrow: the same for a phone.
        left_out: how many lines the chart doesn't show.
        is_grid: whether the chart is a grid of cells.
    """

    by: tuple[By, ...]
    columns: tuple[str, ...]
    table: tuple[TableRow, ...]
    wide: Markup
    narrow: Markup
    left_out: int
    is_grid: bool = False


def grouped(rows: Sequence[ComplianceRow], by: tuple[By, ...], span: Span) -> Grouped:
    """Put rows in order.

    Args:
        rows: as the store answers them.
        by: what they are divided by; not empty.
        span: of the question.
    """
    columns = tuple(GROUP_WORDS[part] for part in by)
    table = _with_gaps(rows, by, span)
    about = f"Compliance by {' and '.join(part.lower() for part in columns)}; the table below has the same figures."
    if by == (By.WEEKDAY, By.HOUR):
        wide, narrow = (
            heat_chart(rows, _WIDE, about, is_upright=False),
            heat_chart(rows, _NARROW, about, is_upright=True),
        )
        return Grouped(by, columns, tuple(table), wide, narrow, 0, is_grid=True)
    if len(by) == 1 and by[0] in (By.DAY, By.WEEKDAY, By.HOUR):
        points = [Point(line.keys[0], _tick(line.keys[0], by[0]), line.row) for line in table][-_MOST_DAYS_IN_CHART:]
        wide, narrow = (column_chart(points, width, about) for width in (_WIDE, _NARROW))
    else:
        named = [" · ".join(line.keys) for line in table]
        points = [Point(name, name, line.row) for name, line in zip(named, table, strict=True)][:MOST_ROWS]
        wide, narrow = (row_chart(points, width, about) for width in (_WIDE, _NARROW))
    return Grouped(by, columns, tuple(table), wide, narrow, len(table) - len(points))


def _with_gaps(rows: Sequence[ComplianceRow], by: tuple[By, ...], span: Span) -> list[TableRow]:
    if not rows or len(by) > 1 or by[0] in (By.CAMERA, By.ZONE):
        return [TableRow(key_words(row, by), row) for row in rows]
    if by[0] is By.DAY:
        found = {row.day: row for row in rows}
        return [TableRow((short_day(day),), found.get(day)) for day in span.days]
    if by[0] is By.WEEKDAY:
        weekdays = {row.weekday: row for row in rows}
        return [TableRow((name,), weekdays.get(number)) for number, name in enumerate(WEEKDAYS)]
    hours = {row.hour: row for row in rows if row.hour is not None}
    return [TableRow((hour_words(hour),), hours.get(hour)) for hour in range(min(hours), max(hours) + 1)]


def _tick(words: str, part: By) -> str:
    if part is By.DAY:
        return " ".join(words.split()[1:3])
    return words[:3] if part is By.WEEKDAY else words[:2]
