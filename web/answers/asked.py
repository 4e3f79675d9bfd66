"""Questions as they arrive, checked part by part: each has bounds, and a message that says how to mend it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar
from zoneinfo import ZoneInfo

from maskwatch.store import By, EventFilter
from maskwatch.types import EventKind, Severity
from web.answers.span import Span, parse_span, parse_zone
from web.asked import AskedWrong, nearest, refuse_unknown, shown_received
from web.records import Counted

__all__ = [
    "MOST_EVENTS",
    "MOST_KEYS",
    "MOST_NAMES",
    "Args",
    "ComplianceAsked",
    "EventsAsked",
    "ask_compliance",
    "ask_events",
]

MOST_KEYS = 3
MOST_NAMES = 100
"""Cameras, zones or rules in one question."""

_LONGEST_NAME = 128
_NAME = re.compile(r"[^\x00-\x1f\x7f,]+")
_PAGE = 50
MOST_EVENTS = {"json": 1000, "csv": 10_000}
"""Of one answer, by its form."""
_FORMATS = ("json", "csv")
_SPAN_KEYS = ("from", "to", "tz")

Args = Mapping[str, Sequence[str]]
"""The query: each key with all its values."""

E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class ComplianceAsked:
    """A question about compliance.

    Attributes:
        span: of whole minutes, since people are counted by the minute.
        counted: which people.
        by: what the answer is divided by, in this order.
        form: json or csv.
    """

    span: Span
    counted: Counted
    by: tuple[By, ...]
    form: str = "json"


@dataclass(frozen=True, slots=True)
class EventsAsked:
    """A question about events.

    Attributes:
        span: in which they happened.
        filter: as the store takes it.
        after: where the last page ended; None for the newest.
        limit: most rows of one answer.
        form: json or csv.
    """

    span: Span
    filter: EventFilter
    after: str | None
    limit: int
    form: str = "json"


def ask_compliance(args: Args, zone: ZoneInfo, now: datetime, *, with_today: bool = True) -> ComplianceAsked:
    """Read a question about compliance.

    Args:
        args: the query.
        zone: in which days are told when the query names none.
        now: with a time zone.
        with_today: whether today is the last day where the query names none; else it is yesterday.

    Raises:
        AskedWrong: if a part of it is wrong.
    """
    refuse_unknown(args, sorted((*_SPAN_KEYS, "camera", "zone", "by", "format")))
    given = _span(args, zone, now, with_today=with_today)
    span = Span(_to_minute(given.since), _to_minute(given.until), given.zone)
    return ComplianceAsked(
        span=span,
        counted=Counted(span.since, span.until, span.zone, _names(args, "camera"), _names(args, "zone")),
        by=_by(_parts(args, "by")),
        form=_one_of(args, "format", _FORMATS, "json"),
    )


def ask_events(args: Args, zone: ZoneInfo, now: datetime) -> EventsAsked:
    """Read a question about events; its arguments and errors are those of `ask_compliance`."""
    keys = ("camera", "zone", "kind", "rule", "severity", "after", "limit", "format")
    refuse_unknown(args, sorted((*_SPAN_KEYS, *keys)))
    span = _span(args, zone, now)
    form = _one_of(args, "format", _FORMATS, "json")
    severities = _members(args, "severity", Severity)
    return EventsAsked(
        span=span,
        filter=EventFilter(
            since=span.since,
            until=span.until,
            cameras=_names(args, "camera"),
            zones=_names(args, "zone"),
            kinds=_members(args, "kind", EventKind),
            rules=_names(args, "rule"),
            severity=severities,
        ),
        after=_single(args, "after"),
        limit=_limit(args, form),
        form=form,
    )


def _by(parts: Sequence[str]) -> tuple[By, ...]:
    """Return what an answer is divided by."""
    for part in parts:
        if part not in set(By):
            raise AskedWrong(
                f"by: expected {_listed(list(By))}, with commas between them, received {shown_received(part)}"
                f"{nearest(part, list(By))}"
            )
    if len(set(parts)) < len(parts) or len(parts) > MOST_KEYS:
        raise AskedWrong(
            f"by: expected at most {MOST_KEYS} different ones of {_listed(list(By))}, received "
            f"{shown_received(','.join(parts))}; leave some out"
        )
    return tuple(By(part) for part in parts)


def _span(args: Args, zone: ZoneInfo, now: datetime, *, with_today: bool = True) -> Span:
    name = _single(args, "tz")
    told_in = parse_zone(name) if name else zone
    return parse_span(_single(args, "from"), _single(args, "to"), told_in, now, with_today=with_today)


def _to_minute(instant: datetime) -> datetime:
    return instant - timedelta(seconds=instant.second, microseconds=instant.microsecond)


def _parts(args: Args, key: str) -> list[str]:
    """Return all values, given as key=a&key=b or key=a,b; empty ones, as forms send them, mean nothing."""
    return [part.strip() for value in args.get(key, ()) for part in value.split(",") if part.strip()]


def _single(args: Args, key: str) -> str | None:
    values = [value.strip() for value in args.get(key, ()) if value.strip()]
    if len(values) > 1:
        raise AskedWrong(f"{key}: expected one value, received {len(values)}; leave all but one out")
    return values[0] if values else None


def _one_of(args: Args, key: str, allowed: Sequence[str], default: str) -> str:
    value = _single(args, key) or default
    if value not in allowed:
        raise AskedWrong(f"{key}: expected {_listed(allowed)}, received {shown_received(value)}")
    return value


def _names(args: Args, key: str) -> tuple[str, ...]:
    def checked(text: str) -> str:
        if len(text) > _LONGEST_NAME or not _NAME.fullmatch(text):
            raise AskedWrong(
                f"{key}: expected a name of at most {_LONGEST_NAME} characters, received {shown_received(text)}"
            )
        return text

    return _several(args, key, checked)


def _members(args: Args, key: str, members: type[E]) -> tuple[E, ...]:
    def checked(text: str) -> E:
        if text not in set(members):
            raise AskedWrong(
                f"{key}: expected {_listed(list(members))}, received {shown_received(text)}"
                f"{nearest(text, list(members))}"
            )
        return members(text)

    return _several(args, key, checked)


T = TypeVar("T")


def _several(args: Args, key: str, check: Callable[[str], T]) -> tuple[T, ...]:
    found = tuple(dict.fromkeys(check(part) for part in _parts(args, key)))
    if len(found) > MOST_NAMES:
        raise AskedWrong(f"{key}: expected at most {MOST_NAMES} names, received {len(found)}; leave it out for all")
    return found


def _limit(args: Args, form: str) -> int:
    most = MOST_EVENTS[form]
    text = _single(args, "limit")
    if text is None:
        return most if form == "csv" else _PAGE
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= most):
        raise AskedWrong(
            f"limit: expected a number from 1 to {most} for {form}, received {shown_received(text)}; ask for the next "
            "page with `after`"
        )
    return int(text)


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words)
