"""A report: one page about a stretch of time, for paper, for a mailbox and for who has no access to the site."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from statistics import median

from jinja2 import Environment, PackageLoader, select_autoescape

from maskwatch import __version__
from maskwatch.events import Event
from maskwatch.store import By, ComplianceRow, EventFilter
from maskwatch.types import EventKind, Verdict
from web.answers.groups import Grouped, grouped
from web.answers.look import install_words
from web.answers.span import Span
from web.answers.words import WHOLE_CAMERA
from web.records import Counted, Records

__all__ = ["MOST_EVENTS", "Report", "Violations", "make_report", "report_file", "report_words"]

MOST_EVENTS = 50_000
"""Events that one report reads; with more it says that it stopped there."""

_PAGE = 1000
_STYLES = ("report.css", "chart.css")
_STATIC = Path(__file__).resolve().parent.parent / "static"
NOBODY = ComplianceRow(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Violations:
    """Violations of one rule at one place that have ended.

    Attributes:
        camera: where.
        zone: in words.
        rule: its name.
        without: how many without a mask.
        wrongly: how many with one that was worn wrongly.
        number: all of them.
        median_s: of how long they lasted; None where nobody said.
        longest_s: the longest; None likewise.
    """

    camera: str
    zone: str
    rule: str
    without: int
    wrongly: int
    number: int
    median_s: float | None
    longest_s: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says.

    Attributes:
        span: of days.
        counted: which people.
        made_at: with a time zone.
        total: all of them.
        groups: the parts, each a heading's worth.
        violations: of rules, most first.
        outages: how often each camera was lost.
        is_cut: whether there were more than `MOST_EVENTS` events.
    """

    span: Span
    counted: Counted
    made_at: datetime
    total: ComplianceRow
    groups: tuple[Grouped, ...]
    violations: tuple[Violations, ...]
    outages: tuple[tuple[str, int], ...]
    is_cut: bool

    @property
    def is_running(self) -> bool:
        """Whether its time isn't over yet."""
        return self.span.until > self.made_at


def make_report(records: Records, span: Span, counted: Counted, by: tuple[By, ...], made_at: datetime) -> Report:
    """Ask the record for everything that a report says.

    Args:
        records: the record.
        span: of the report.
        counted: which people.
        by: what the first part is divided by; empty for days, or hours of a single day.
        made_at: now, with a time zone.

    Raises:
        StoreError: if the record can't be read.
    """
    first = by or ((By.HOUR,) if len(span.days) == 1 else (By.DAY,))
    parts = [first, (By.CAMERA, By.ZONE), (By.HOUR,), (By.WEEKDAY,)]
    if len(span.days) < 7:
        parts.remove((By.WEEKDAY,))
    total = next(iter(records.compliance(counted, ())), NOBODY)
    # Nobody anywhere means nothing to divide.
    wanted = dict.fromkeys(parts) if total.people else ()
    groups = tuple(grouped(records.compliance(counted, part), part, span) for part in wanted)
    events, is_cut = _events(records, span, counted)
    return Report(span, counted, made_at, total, groups, _violations(events), _outages(events), is_cut)


def report_file(report: Report) -> str:
    """Return a report as one HTML file that needs nothing beside it."""
    env = Environment(loader=PackageLoader("web"), autoescape=select_autoescape())
    install_words(env)
    styles = "\n".join((_STATIC / name).read_text(encoding="utf-8") for name in _STYLES)
    return env.get_template("report.html").render(**report_words(report), styles=styles)


def report_words(report: Report) -> Mapping[str, object]:
    """Return what the template of a report needs."""
    return {
        "report": report,
        "total": report.total,
        "version": __version__,
        "whole_camera": WHOLE_CAMERA,
        "most": MOST_EVENTS,
        "on_paper": True,
    }


def _events(records: Records, span: Span, counted: Counted) -> tuple[list[Event], bool]:
    wanted = EventFilter(
        since=span.since,
        until=span.until,
        cameras=counted.cameras,
        kinds=(EventKind.VIOLATION_STARTED, EventKind.VIOLATION_ENDED, EventKind.CAMERA_OFFLINE),
    )
    found: list[Event] = []
    after: str | None = None
    while len(found) < MOST_EVENTS:
        page = records.events(wanted, after, _PAGE)
        found += page.rows
        after = page.next
        if after is None:
            break
    is_ours = [event for event in found if event.kind is EventKind.CAMERA_OFFLINE or _is_in(event, counted)]
    return is_ours, after is not None


def _is_in(event: Event, counted: Counted) -> bool:
    return not counted.zones or event.zone in counted.zones


def _violations(events: list[Event]) -> tuple[Violations, ...]:
    by_place: defaultdict[tuple[str, str, str], list[Event]] = defaultdict(list)
    began: dict[tuple[str, int | None, str], Verdict | None] = {}
    for event in reversed(events):
        key = event.epoch, event.track_id, event.rule
        if event.kind is EventKind.VIOLATION_STARTED:
            began[key] = event.verdict
        elif event.kind is EventKind.VIOLATION_ENDED:
            # Whoever puts a mask on ends it with one: what was wrong was said when it began.
            by_place[event.camera, event.zone, event.rule].append(
                replace(event, verdict=began.pop(key, _against(event)))
            )
    rows = []
    for (camera, zone, rule), some in by_place.items():
        lasted = [event.duration_s for event in some if event.duration_s is not None]
        rows.append(
            Violations(
                camera=camera,
                zone=zone or WHOLE_CAMERA,
                rule=rule,
                without=sum(event.verdict is Verdict.WITHOUT_MASK for event in some),
                wrongly=sum(event.verdict is Verdict.INCORRECT_MASK for event in some),
                number=len(some),
                median_s=median(lasted) if lasted else None,
                longest_s=max(lasted, default=None),
            )
        )
    return tuple(sorted(rows, key=lambda row: (-row.number, row.camera, row.zone, row.rule)))


def _against(event: Event) -> Verdict | None:
    """Return what was wrong with a violation that began before the report's time."""
    if event.verdict in (Verdict.WITHOUT_MASK, Verdict.INCORRECT_MASK) or not event.scores:
        return event.verdict
    _, without, wrongly = event.scores
    return Verdict.WITHOUT_MASK if without >= wrongly else Verdict.INCORRECT_MASK


def _outages(events: list[Event]) -> tuple[tuple[str, int], ...]:
    lost: defaultdict[str, int] = defaultdict(int)
    for event in events:
        if event.kind is EventKind.CAMERA_OFFLINE:
            lost[event.camera] += 1
    return tuple(sorted(lost.items()))
