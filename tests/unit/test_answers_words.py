from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from maskwatch.store import By, ComplianceRow, wilson
from maskwatch.types import EventKind, Severity, Verdict
from tests.support_answers import BERLIN, violation
from web.answers.span import parse_span
from web.answers.words import (
    FEW,
    duration,
    event_title,
    evidence,
    headline,
    interval,
    key_words,
    percent,
    span_words,
    too_few,
)

AT = datetime(2026, 11, 9, 8, 0, tzinfo=UTC)


def words(row: ComplianceRow) -> str:
    return headline(row).replace("\u202f", " ")


def test_few_people_are_no_share() -> None:
    assert words(ComplianceRow(12, 2, 1, 9)) == "too few people to say: 12 of 15 people wore a mask properly"
    assert words(ComplianceRow(1, 0, 0, 0)) == "too few people to say: 1 of 1 person wore a mask properly"
    assert words(ComplianceRow(0, 0, 0, 3)) == "nobody with a known verdict"
    assert words(ComplianceRow(0, 0, 0, 0)) == "nobody seen"
    assert words(ComplianceRow(1200, 34, 0, 5)) == "97 % of 1 234 people wore a mask properly"


def test_below_the_threshold_a_half_may_be_20_points_off_to_either_side() -> None:
    low, high = wilson(FEW // 2, FEW)
    assert high - low == pytest.approx(0.40, abs=0.01)
    assert too_few(ComplianceRow(FEW - 1, 0, 0, 99))
    assert not too_few(ComplianceRow(FEW, 0, 0, 0))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (ComplianceRow(2250, 0, 0, 0), "99 to 100"),
        (ComplianceRow(0, 2250, 0, 0), "0 to 1"),
        (ComplianceRow(1351, 115, 66, 0), "86 to 90"),
        (ComplianceRow(0, 0, 0, 5), None),
    ],
)
def test_interval_never_says_that_chance_is_out_of_the_question(row: ComplianceRow, expected: str | None) -> None:
    assert interval(row) == ("\u2013" if expected is None else f"{expected}\u202f%")


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, "0"), (0.0001, "1"), (0.5, "50"), (0.994, "99"), (0.9999, "99"), (1.0, "100")],
)
def test_almost_all_is_never_all(share: float, expected: str) -> None:
    assert percent(share) == f"{expected}\u202f%"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.2, "0 s"), (119.4, "119 s"), (125, "2 min 5 s"), (1830, "30 min"), (7260, "2 h 1 min")],
)
def test_durations_are_as_long_as_needed(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


def test_rows_say_what_they_are_about() -> None:
    row = ComplianceRow(1, 0, 0, 0, camera="lobby", zone="", weekday=0, hour=23)
    assert key_words(row, (By.CAMERA, By.ZONE, By.WEEKDAY)) == ("lobby", "whole picture", "Monday")
    assert key_words(row, (By.HOUR,)) == ("23:00\u201300:00",)


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("2026-11-09", "2026-11-09", "Monday 9 November 2026"),
        ("2026-11-09", "2026-11-15", "Monday 9 November to Sunday 15 November 2026"),
        ("2026-12-28", "2027-01-03", "Monday 28 December 2026 to Sunday 3 January 2027"),
        ("2026-11-09T08:00", "2026-11-09T18:30", "Mon 9 Nov 2026, 08:00 to Mon 9 Nov 2026, 18:30"),
    ],
)
def test_spans_are_said_in_days_where_they_are_days(since: str, until: str, expected: str) -> None:
    assert span_words(parse_span(since, until, BERLIN, AT)) == expected


def test_events_say_what_happened_and_what_it_rests_on() -> None:
    began, ended = violation(3, Verdict.WITHOUT_MASK, AT, 34.4)
    assert event_title(began) == "No mask: began"
    assert event_title(ended) == "No mask for 34 s"
    assert evidence(ended) == "7 looks at the face, 94\u202f% sure on average"
    assert event_title(replace(ended, verdict=Verdict.INCORRECT_MASK)) == "Mask worn wrongly for 34 s"
    assert event_title(replace(ended, verdict=None, duration_s=None)) == "No proper mask"
    assert evidence(replace(ended, looks=1, scores=())) == "1 look at the face"
    assert evidence(replace(ended, looks=0)) == ""
    crowd = replace(began, kind=EventKind.CROWD, people=12, severity=Severity.INFO)
    assert event_title(crowd) == "12 people at once"
    assert event_title(replace(crowd, kind=EventKind.CAMERA_OFFLINE)) == "Camera lost"
    assert event_title(replace(crowd, kind=EventKind.CAMERA_ONLINE)) == "Camera live"
