from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from maskwatch.store import By
from maskwatch.types import EventKind, Severity
from tests.support_answers import BERLIN
from web.answers.asked import ask_compliance, ask_events
from web.asked import AskedWrong

NOW = datetime(2026, 11, 21, 17, 30, 12, tzinfo=UTC)


def args(**values: str | list[str]) -> Any:
    return {key.replace("since", "from"): [value] if isinstance(value, str) else value for key, value in values.items()}


def test_lists_are_given_with_commas_or_by_repeating() -> None:
    asked = ask_compliance(args(camera=["lobby,yard", "gate", "lobby"], by="weekday,hour"), BERLIN, NOW)
    assert asked.counted.cameras == ("lobby", "yard", "gate")
    assert asked.by == (By.WEEKDAY, By.HOUR)


def test_empty_values_as_forms_send_them_mean_nothing() -> None:
    asked = ask_events(args(camera="", zone=" ", kind=["", "crowd"], severity="", after="", limit=""), BERLIN, NOW)
    assert asked.filter.cameras == asked.filter.zones == ()
    assert asked.filter.kinds == (EventKind.CROWD,)
    assert asked.after is None
    assert asked.limit == 50


def test_events_are_asked_with_all_filters() -> None:
    query = args(since="2026-11-09", to="2026-11-09", severity="critical", rule="door", after="c", limit="1000")
    asked = ask_events(query, BERLIN, NOW)
    assert asked.filter.severity == (Severity.CRITICAL,)
    assert asked.filter.rules == ("door",)
    assert asked.filter.since == datetime(2026, 11, 8, 23, tzinfo=UTC)
    assert asked.filter.until == datetime(2026, 11, 9, 23, tzinfo=UTC)
    assert (asked.after, asked.limit) == ("c", 1000)


def test_people_are_counted_by_whole_minutes() -> None:
    asked = ask_compliance(args(since="2026-11-09T08:00:40", to="2026-11-09T09:30:59.5"), BERLIN, NOW)
    assert asked.counted.since == datetime(2026, 11, 9, 7, 0, tzinfo=UTC)
    assert asked.counted.until == datetime(2026, 11, 9, 8, 30, tzinfo=UTC)


def test_zone_of_the_question_wins() -> None:
    assert ask_compliance(args(tz="Asia/Kolkata"), BERLIN, NOW).counted.zone.key == "Asia/Kolkata"


def test_csv_may_be_longer() -> None:
    assert ask_events(args(format="csv"), BERLIN, NOW).limit == 10_000


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (args(frm="today"), "^'frm' can't be asked here; expected .*; did you mean from\\?"),
        (args(by="camra"), "^by: expected camera, .* received 'camra'; did you mean camera\\?"),
        (args(by="day,day"), "^by: expected at most 3 different ones of .* received 'day,day'; leave some out"),
        (args(by="camera,zone,day,hour"), "^by: expected at most 3 different"),
        (args(since=["today", "yesterday"]), "^from: expected one value, received 2"),
        (args(format="xml"), "^format: expected json, csv, received 'xml'"),
        (args(camera="a\x00b"), "^camera: expected a name of at most 128 characters"),
        (args(zone="x" * 129), "^zone: expected a name of at most 128 characters"),
        (args(camera=",".join(f"c{n}" for n in range(101))), "^camera: expected at most 100 names, received 101"),
    ],
)
def test_wrong_part_of_a_question_about_compliance_is_named(query: Any, said: str) -> None:
    with pytest.raises(AskedWrong, match=said):
        ask_compliance(query, BERLIN, NOW)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (args(by="day"), "^'by' can't be asked here"),
        (args(kind="violation_end"), "^kind: expected .* received 'violation_end'; did you mean violation_ended\\?"),
        (args(severity="fatal"), "^severity: expected info, warning, critical, received 'fatal'"),
        (args(limit="0"), "^limit: expected a number from 1 to 1000 for json, received '0'; ask for the next page"),
        (args(limit="1001"), "^limit: expected a number from 1 to 1000"),
        (args(limit="\u0663"), "^limit: expected a number"),
        (args(limit="9" * 5000), "^limit: expected a number"),
        (args(limit="10001", format="csv"), "^limit: expected a number from 1 to 10000 for csv"),
    ],
)
def test_wrong_part_of_a_question_about_events_is_named(query: Any, said: str) -> None:
    with pytest.raises(AskedWrong, match=said):
        ask_events(query, BERLIN, NOW)
