"""What a report says of violations: what was wrong, not how it ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from maskwatch.events import Event
from maskwatch.types import Verdict
from tests.support_answers import BERLIN, FakeRecords, violation
from web.answers.report import Violations, make_report
from web.answers.span import Span
from web.records import Counted

MIDNIGHT = datetime.combine(date(2026, 11, 9), time(), BERLIN)
NOON = datetime(2026, 11, 9, 11, tzinfo=UTC)
SPAN = Span(MIDNIGHT, MIDNIGHT + timedelta(days=1), BERLIN)


def reported(*events: Event) -> tuple[Violations, ...]:
    counted = Counted(SPAN.since, SPAN.until, BERLIN)
    return make_report(FakeRecords(events), SPAN, counted, (), NOON + timedelta(hours=8)).violations


def put_on(number: int, verdict: Verdict, at: datetime) -> list[Event]:
    """A violation that ended because the mask was put on or right."""
    began, ended = violation(number, verdict, at, 9)
    return [began, replace(ended, verdict=Verdict.WITH_MASK)]


def test_violation_that_a_mask_ended_is_told_by_what_was_wrong() -> None:
    (row,) = reported(
        *put_on(1, Verdict.WITHOUT_MASK, NOON),
        *put_on(2, Verdict.INCORRECT_MASK, NOON + timedelta(minutes=1)),
        *violation(3, Verdict.WITHOUT_MASK, NOON + timedelta(minutes=2), 9),
    )
    assert (row.number, row.without, row.wrongly) == (3, 2, 1)


def test_violation_that_began_before_the_report_is_told_by_its_looks() -> None:
    began, ended = put_on(1, Verdict.INCORRECT_MASK, MIDNIGHT.astimezone(UTC) - timedelta(seconds=3))
    (row,) = reported(began, ended)
    assert (row.number, row.without, row.wrongly) == (1, 0, 1)


def test_violation_that_goes_on_is_not_counted_yet() -> None:
    assert reported(*violation(1, Verdict.WITHOUT_MASK, NOON, 9, is_open=True)) == ()


def test_second_violation_of_one_person_has_a_verdict_of_its_own() -> None:
    first, second = (
        put_on(1, Verdict.WITHOUT_MASK, NOON),
        put_on(1, Verdict.INCORRECT_MASK, NOON + timedelta(minutes=5)),
    )
    (row,) = reported(*first, *second)
    assert (row.number, row.without, row.wrongly) == (2, 1, 1)
