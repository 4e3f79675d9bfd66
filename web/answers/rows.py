"""Answers as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from maskwatch.event_words import event_fields
from maskwatch.events import Event
from maskwatch.store import ComplianceRow
from maskwatch.types import LABELS
from web.answers.span import Span
from web.answers.words import too_few

__all__ = ["compliance_csv", "compliance_row", "event_row", "events_csv", "span_row"]

_COUNTS = ("with_mask", "without_mask", "incorrect_mask", "unknown", "known")
_SHARES = ("compliance", "low", "high", "unknown_share")
_EVENT_COLUMNS = (
    "id", "kind", "severity", "camera", "zone", "rule", "time", "time_utc", "duration_s", "verdict", "looks",
    *(f"score_{label.value}" for label in LABELS), "people", "track_id", "epoch", "note", "snapshot",
)  # fmt: skip
_DIGITS = 4
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def span_row(span: Span) -> dict[str, str]:
    """Return a span as the API tells it."""
    return {"from": span.since.isoformat(), "to": span.until.isoformat(), "timezone": span.zone.key}


def compliance_row(row: ComplianceRow, by: Sequence[str]) -> dict[str, Any]:
    """Return one row as the API tells it: its keys, counts and shares.

    Args:
        row: as the store answers it.
        by: what the answer is divided by; other keys are left out.
    """
    keys = {part: getattr(row, part) for part in by}
    if "day" in keys:
        keys["day"] = keys["day"].isoformat()
    return {
        **keys,
        **{name: getattr(row, name) for name in _COUNTS},
        **{name: _rounded(getattr(row, name)) for name in _SHARES},
        "too_few": too_few(row),
    }


def compliance_csv(rows: Iterable[ComplianceRow], by: Sequence[str]) -> str:
    """Return rows as CSV with a header (RFC 4180); a share that isn't known is empty."""
    return _csv([*by, *_COUNTS, *_SHARES, "too_few"], (compliance_row(row, by) for row in rows))


def event_row(event: Event, zone: ZoneInfo, snapshot_url: str | None) -> dict[str, Any]:
    """Return one event as the API tells it.

    Args:
        event: as the store answers it.
        zone: in which `time` is told.
        snapshot_url: where its picture is, or None.
    """
    return {**event_fields(event, zone), "snapshot": snapshot_url}


def events_csv(rows: Iterable[dict[str, Any]]) -> str:
    """Return events, as `event_row` makes them, as CSV with a header."""

    def flat(row: dict[str, Any]) -> dict[str, Any]:
        scores = row["scores"] or {}
        return {**row, **{f"score_{label.value}": scores.get(label.value) for label in LABELS}}

    return _csv(_EVENT_COLUMNS, map(flat, rows))


def _csv(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[column]) for column in columns])
    return out.getvalue()


def _cell(value: object) -> object:
    """Return a value as a cell; text that a spreadsheet would run as a formula gets an apostrophe in front."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
