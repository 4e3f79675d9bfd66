"""The pages of the record: forms, charts and lists that need no script."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby
from urllib.parse import urlencode

from flask import Blueprint, render_template, request

from maskwatch.errors import QueueError
from maskwatch.events import Event
from maskwatch.store import By
from maskwatch.types import EventKind, Severity
from web.answers.api import args_of_request, find_compliance, find_events, now, snapshot_url
from web.answers.asked import MOST_EVENTS, Args, ask_compliance, ask_events
from web.answers.groups import grouped
from web.answers.report import make_report, report_words
from web.answers.span import Span
from web.answers.words import (
    AGAINST,
    GROUP_WORDS,
    KIND_WORDS,
    SEVERITY_WORDS,
    WHOLE_CAMERA,
    count,
    duration,
    event_title,
    evidence,
)
from web.records import Counted
from web.site import site

__all__ = ["answers"]

answers = Blueprint("answers", __name__)

_BY = {
    "day": GROUP_WORDS[By.DAY],
    "weekday": GROUP_WORDS[By.WEEKDAY],
    "hour": GROUP_WORDS[By.HOUR],
    "camera": GROUP_WORDS[By.CAMERA],
    "camera,zone": GROUP_WORDS[By.ZONE],
    "weekday,hour": "Weekday and hour",
}
_LATE_S = 60.0
"""A recorder writes within a second; a database that is being restarted takes less than this."""

_PRESETS = (("Today", "today", "today"), ("Yesterday", "yesterday", "yesterday"), ("7 days", "-6d", "today"),
            ("30 days", "-29d", "today"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a form, or one link among several."""

    value: str
    words: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class EventView:
    """An event as the list shows it.

    Attributes:
        event: the event.
        title: what happened.
        evidence: what its verdict rests on; may be empty.
        at: when it happened, in the page's zone.
        picture: address of its snapshot, or None.
        severity: in words.
    """

    event: Event
    title: str
    evidence: str
    at: datetime
    picture: str | None
    severity: str


@answers.get("/compliance")
def compliance_page() -> str:
    """Show compliance: in a sentence, as a chart and as a table."""
    args = args_of_request()
    asked = ask_compliance(args, site().zone, now())
    by = asked.by or ((By.HOUR,) if len(asked.span.days) == 1 else (By.DAY,))
    total = find_compliance(asked.counted, ())[0]
    rows = find_compliance(asked.counted, by)
    return render_template(
        "compliance.html",
        asked=asked,
        total=total,
        groups=grouped(rows, by, asked.span),
        by_choices=_choices(_BY, ",".join(by)),
        is_empty_record=not total.people and site().records.is_empty(),
        here="/compliance",
        **_common(args, asked.span, site().settings.store.tallies_days),
    )


@answers.get("/compliance/report")
def report_page() -> str:
    """Show the report that `maskwatch report` writes, ready to be printed."""
    asked = ask_compliance(args_of_request(), site().zone, now())
    report = make_report(site().records, asked.span, asked.counted, asked.by, now())
    return render_template("report.html", **report_words(report))


@answers.get("/events")
def events_page() -> str:
    """Show events, newest first, with their pictures."""
    args = args_of_request()
    asked = ask_events(args, site().zone, now())
    page = find_events(asked)
    views = [_view(event, asked.span) for event in without_told_beginnings(page.rows)]
    return render_template(
        "events.html",
        asked=asked,
        days=[(day, list(some)) for day, some in groupby(views, key=lambda view: view.at.date())],
        older=_link("/events", args, after=page.next) if page.next else None,
        newest=_link("/events", args, after=None) if asked.after else None,
        kinds=_choices({kind.value: words for kind, words in KIND_WORDS.items()}, _joined(args, "kind"), "Everything"),
        severities=_choices(
            {severity.value: SEVERITY_WORDS[severity] for severity in Severity}, _joined(args, "severity"), "Any"
        ),
        rules=_choices({name: name for name in _rules()}, _joined(args, "rule"), "All rules"),
        is_empty_record=not page.rows and site().records.is_empty(),
        is_filtered=any(_joined(args, key) for key in ("camera", "zone", "kind", "severity", "rule")),
        most=MOST_EVENTS,
        here="/events",
        **_common(args, asked.span, site().settings.store.events_days),
    )


def without_told_beginnings(rows: Sequence[Event]) -> list[Event]:
    """Leave out the beginning of each violation whose end is among the rows, since the end tells when it began.

    Whoever puts a mask on ends a violation with one: then it tells what was wrong at first, and what that rests on.

    Args:
        rows: newest first.
    """
    ended: defaultdict[tuple[str, str, int | None, str, str], list[int]] = defaultdict(list)
    kept: list[Event] = []
    for event in rows:
        places = ended[event.camera, event.epoch, event.track_id, event.rule, event.zone]
        if event.kind is EventKind.VIOLATION_STARTED and places:
            at = places.pop()
            if kept[at].verdict not in AGAINST:
                kept[at] = replace(kept[at], verdict=event.verdict, looks=event.looks, scores=event.scores)
            continue
        if event.kind is EventKind.VIOLATION_ENDED:
            places.append(len(kept))
        kept.append(event)
    return kept


def _view(event: Event, span: Span) -> EventView:
    at = event.time_utc.astimezone(span.zone)
    return EventView(
        event=event,
        title=event_title(event),
        evidence=evidence(event),
        at=at,
        picture=snapshot_url(event),
        severity=SEVERITY_WORDS[event.severity],
    )


def _common(args: Args, span: Span, kept_days: float) -> Mapping[str, object]:
    """Return what both pages' forms and links need; what is older than `kept_days` isn't on record any more."""
    configured = site().settings.cameras
    counted = find_compliance(Counted(span.since, span.until, span.zone), (By.CAMERA, By.ZONE))
    cameras = sorted({*configured, *(row.camera for row in counted if row.camera)})
    zones = sorted(
        {zone for each in configured.values() for zone in each.zones} | {row.zone for row in counted if row.zone}
    )
    today = now().astimezone(span.zone).date()
    return {
        "span": span,
        "missing": _what_is_missing() if span.until > now() else "",
        "kept_days": kept_days if span.since < now() - timedelta(days=kept_days) else None,
        "is_running": span.until > now(),
        "cameras": _choices({name: name for name in cameras}, _joined(args, "camera"), "All cameras"),
        "zones": _choices({name: name for name in zones}, _joined(args, "zone"), "All zones"),
        "presets": [
            Choice(_link(request.path, args, **{"from": begins, "to": ends, "after": None}), words,
                   span.is_whole_days and (span.first_day, span.last_day) == _days(begins, ends, today))
            for words, begins, ends in _PRESETS
        ],
        "tz": _joined(args, "tz"),
        "link": lambda path, **changes: _link(path, args, **{"after": None, **changes}),
        "whole_camera": WHOLE_CAMERA,
    }  # fmt: skip


def _rules() -> list[str]:
    return sorted({rule.name for camera in site().settings.cameras.values() for rule in camera.rule_values})


def _what_is_missing() -> str:
    """Say what the answer can't know yet because nobody has recorded it; empty when there is nothing of that."""
    try:
        backlog = site().bus.backlog()
    except QueueError as error:
        return f"What happens now isn't recorded: {error}"
    if backlog.oldest_s < _LATE_S:
        return ""
    return (
        f"The newest {duration(backlog.oldest_s)} are missing: {count(backlog.records)} records wait for a recorder. "
        "They aren't lost; is maskwatch recorder running?"
    )


def _days(begins: str, ends: str, today: date) -> tuple[date, date]:
    ago = {"today": 0, "yesterday": 1, "-6d": 6, "-29d": 29}
    return today - timedelta(days=ago[begins]), today - timedelta(days=ago[ends])


def _choices(known: Mapping[str, str], chosen: str, all_words: str | None = None) -> list[Choice]:
    """Return the options of a form; what was asked for is among them, even where nothing of it is recorded."""
    options = dict(known) if all_words is None else {"": all_words, **known}
    if chosen not in options:
        options[chosen] = chosen.replace(",", ", ")
    return [Choice(value, words, value == chosen) for value, words in options.items()]


def _joined(args: Args, key: str) -> str:
    return ",".join(value for value in args.get(key, ()) if value)


def _link(path: str, args: Args, **changes: str | int | None) -> str:
    """Return an address with the query of this one, changed."""
    kept: Iterable[tuple[str, str]] = ((key, _joined(args, key)) for key in args if key not in changes)
    changed = ((key, value) for key, value in changes.items() if value is not None)
    query = urlencode([(key, value) for key, value in (*kept, *changed) if value])
    return f"{path}?{query}" if query else path
