"""How figures, times and kinds are said to people, so that pages, charts and reports say them alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from maskwatch.event_words import event_words
from maskwatch.events import Event
from maskwatch.store import FEW, By, ComplianceRow
from maskwatch.types import LABELS, EventKind, Severity, Verdict
from web.answers.span import Span

__all__ = [
    "AGAINST",
    "FEW",
    "GROUP_WORDS",
    "KIND_WORDS",
    "SEVERITY_WORDS",
    "VERDICT_WORDS",
    "WEEKDAYS",
    "WHOLE_CAMERA",
    "count",
    "duration",
    "event_title",
    "evidence",
    "headline",
    "hour_words",
    "interval",
    "key_words",
    "long_day",
    "percent",
    "short_day",
    "span_words",
    "too_few",
]

WHOLE_CAMERA = "whole picture"

AGAINST = (Verdict.WITHOUT_MASK, Verdict.INCORRECT_MASK)
"""Verdicts that say what was wrong."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip

GROUP_WORDS: Mapping[By, str] = {
    By.CAMERA: "Camera",
    By.ZONE: "Zone",
    By.DAY: "Day",
    By.WEEKDAY: "Day of the week",
    By.HOUR: "Hour of the day",
}

VERDICT_WORDS: Mapping[Verdict, str] = {
    Verdict.WITH_MASK: "with mask",
    Verdict.INCORRECT_MASK: "worn wrongly",
    Verdict.WITHOUT_MASK: "without mask",
    Verdict.UNKNOWN: "couldn't be told",
}

KIND_WORDS: Mapping[EventKind, str] = {
    EventKind.VIOLATION_ENDED: "Violation, over",
    EventKind.VIOLATION_STARTED: "Violation began",
    EventKind.CROWD: "Crowd",
    EventKind.CAMERA_OFFLINE: "Camera lost",
    EventKind.CAMERA_ONLINE: "Camera live",
}

SEVERITY_WORDS: Mapping[Severity, str] = {
    Severity.INFO: "for information",
    Severity.WARNING: "warning",
    Severity.CRITICAL: "critical",
}


def count(number: int) -> str:
    """Write a number with thin spaces between thousands, as no reader takes them for a decimal point."""
    return f"{number:,}".replace(",", "\u202f")


def percent(share: float | None) -> str:
    """Write a share as whole percent; what isn't all or nothing is never written as 100 % or 0 %."""
    if share is None:
        return "\u2013"
    if 0.995 <= share < 1:
        return "99\u202f%"
    if 0 < share < 0.005:
        return "1\u202f%"
    return f"{100 * share:.0f}\u202f%"


def interval(row: ComplianceRow) -> str:
    """Write the 95 % interval of a row's compliance; it begins at 100 % or ends at 0 % for nobody."""
    if row.low is None or row.high is None:
        return "\u2013"
    low, high = min(round(100 * row.low), 99), max(round(100 * row.high), 1)
    return f"{low} to {high}\u202f%"


def too_few(row: ComplianceRow) -> bool:
    """Tell whether too few people have a known verdict to speak of a share."""
    return row.known < FEW


def headline(row: ComplianceRow) -> str:
    """Say one row in a sentence."""
    if not row.known:
        return "nobody with a known verdict" if row.unknown else "nobody seen"
    if too_few(row):
        people = "person" if row.known == 1 else "people"
        return f"too few people to say: {count(row.with_mask)} of {count(row.known)} {people} wore a mask properly"
    return f"{percent(row.compliance)} of {count(row.known)} people wore a mask properly"


def duration(seconds: float) -> str:
    """Write how long something lasted."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min {whole % 60} s" if whole < 600 else f"{round(whole / 60)} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def long_day(day: date) -> str:
    """Write a day with its weekday: Monday 9 November 2026."""
    return f"{WEEKDAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]} {day.year}"


def short_day(day: date) -> str:
    """Write a day as tables do: Mon 9 Nov 2026."""
    return f"{WEEKDAYS[day.weekday()][:3]} {day.day} {_MONTHS[day.month - 1][:3]} {day.year}"


def span_words(span: Span) -> str:
    """Say from when to when."""
    if not span.is_whole_days:
        return f"{_minute(span.since)} to {_minute(span.until)}"
    if span.first_day == span.last_day:
        return long_day(span.first_day)
    first, last = long_day(span.first_day), long_day(span.last_day)
    if span.first_day.year == span.last_day.year:
        first = first.removesuffix(f" {span.first_day.year}")
    return f"{first} to {last}"


def _minute(instant: datetime) -> str:
    return f"{short_day(instant.date())}, {instant:%H:%M}"


def key_words(row: ComplianceRow, by: tuple[By, ...]) -> tuple[str, ...]:
    """Say what a row is about, one text per part of `by`."""
    return tuple(_key_words(row, part) for part in by)


def _key_words(row: ComplianceRow, part: By) -> str:
    if part is By.WEEKDAY and row.weekday is not None:
        return WEEKDAYS[row.weekday]
    if part is By.HOUR and row.hour is not None:
        return hour_words(row.hour)
    if part is By.DAY and row.day is not None:
        return short_day(row.day)
    return (row.zone or WHOLE_CAMERA) if part is By.ZONE else row.camera or ""


def hour_words(hour: int) -> str:
    """Write an hour of the day."""
    return f"{hour:02d}:00\u2013{(hour + 1) % 24:02d}:00"


def event_title(event: Event) -> str:
    """Say what happened."""
    words = event_words(event)
    title = words[0].upper() + words[1:]
    if event.kind is EventKind.VIOLATION_STARTED:
        return f"{title}: began"
    if event.kind is EventKind.VIOLATION_ENDED and event.duration_s is not None:
        return f"{title} for {duration(event.duration_s)}"
    return title


def evidence(event: Event) -> str:
    """Say what a violation rests on: how many looks, and how sure they were on average that something was wrong."""
    if not event.looks:
        return ""
    looks = f"{event.looks} look{'' if event.looks == 1 else 's'} at the face"
    if event.verdict is Verdict.WITH_MASK:
        return f"{looks}, with a mask at the end"
    if event.verdict not in AGAINST or len(event.scores) != len(LABELS):
        return looks
    sure = dict(zip((label.value for label in LABELS), event.scores, strict=True))[event.verdict.value]
    return f"{looks}, {percent(sure)} sure on average"
