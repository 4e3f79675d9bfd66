from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings

from maskwatch.errors import ConfigError
from tests.support_clocks import moments_in_zones
from web.answers.span import machine_zone, parse_span, parse_zone, site_zone
from web.asked import AskedWrong

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 21, 17, 30, tzinfo=UTC)


def span(since: str | None, until: str | None, zone: ZoneInfo = BERLIN, now: datetime = NOW) -> tuple[str, str]:
    found = parse_span(since, until, zone, now)
    return found.since.isoformat(), found.until.isoformat()


def test_days_are_whole_and_local_the_last_one_included() -> None:
    assert span("2026-11-09", "2026-11-15") == ("2026-11-09T00:00:00+01:00", "2026-11-16T00:00:00+01:00")


def test_nothing_asked_is_the_last_seven_days_with_today() -> None:
    assert span(None, None) == ("2026-11-15T00:00:00+01:00", "2026-11-22T00:00:00+01:00")


def test_nothing_asked_of_a_report_is_the_last_seven_days_that_are_over() -> None:
    found = parse_span(None, None, BERLIN, NOW, with_today=False)
    assert (found.first_day.isoformat(), found.last_day.isoformat()) == ("2026-11-14", "2026-11-20")


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("today", "today", ("2026-11-21T00:00:00+01:00", "2026-11-22T00:00:00+01:00")),
        ("yesterday", "yesterday", ("2026-11-20T00:00:00+01:00", "2026-11-21T00:00:00+01:00")),
        ("-6d", "today", ("2026-11-15T00:00:00+01:00", "2026-11-22T00:00:00+01:00")),
        ("2026-11-09T08:00", "2026-11-09T18:00", ("2026-11-09T08:00:00+01:00", "2026-11-09T18:00:00+01:00")),
        ("2026-11-09T08:00Z", "2026-11-09T10:00+02:00", None),
        ("2026-11-09T08:00Z", "2026-11-09T12:00+01:00", ("2026-11-09T09:00:00+01:00", "2026-11-09T12:00:00+01:00")),
    ],
)
def test_words_times_and_offsets_are_understood(since: str, until: str, expected: tuple[str, str] | None) -> None:
    if expected is None:
        with pytest.raises(AskedWrong, match="expected a time after from"):
            span(since, until)
    else:
        assert span(since, until) == expected


def test_today_is_that_of_the_zone() -> None:
    late = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
    assert span("today", "today", now=late)[0] == "2026-11-22T00:00:00+01:00"
    assert span("today", "today", ZoneInfo("America/New_York"), late)[0] == "2026-11-21T00:00:00-05:00"


def test_days_of_a_clock_change_have_23_and_25_hours() -> None:
    for day, hours in (("2026-03-29", 23), ("2026-10-25", 25)):
        found = parse_span(day, day, BERLIN, NOW)
        assert (found.until.astimezone(UTC) - found.since.astimezone(UTC)).total_seconds() == hours * 3600
        assert found.is_whole_days
        assert len(found.days) == 1


def test_a_time_in_the_repeated_hour_may_lie_before_one_with_the_same_clock() -> None:
    found = parse_span("2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00", BERLIN, NOW)
    assert (found.until.astimezone(UTC) - found.since.astimezone(UTC)).total_seconds() == 3600


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("2026-13-01", None, r"^from: expected a day such as .* received '2026-13-01'$"),
        ("last week", None, "^from: expected a day"),
        (None, "2026-11-09T25:00", "^to: expected a day"),
        ("2026-11-15", "2026-11-09", "^to: expected a time after from, which is 2026-11-15.*exchange the two"),
        ("2020-01-01", "2026-11-09", "^from: expected at most 1100 days before `to`, received 2505; ask for parts"),
        ("2026-11-09T08:00:00 01:00", None, "write \\+ as %2B"),
        ("9999-12-31", "9999-12-31", "^to: expected a day"),
        ("0001-01-01T00:00+14:00", None, "^from: expected"),
        ("0001-01-01", "0001-01-02", "^from: expected a day"),
        ("-9999d", None, "^from: expected at most 1100 days"),
        ("\x00\x1b[2J" + "x" * 500, None, r"received '\\x00\\x1b\[2Jx+\.\.\.'$"),
    ],
)
def test_what_means_nothing_is_told_with_what_is_expected(since: str | None, until: str | None, said: str) -> None:
    with pytest.raises(AskedWrong, match=said):
        span(since, until)


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "/etc/passwd", "Europe", "x" * 999, "a\x00b"])
def test_zone_that_is_none_is_told(name: str) -> None:
    with pytest.raises(
        AskedWrong, match=r"^tz: expected the name of a time zone such as Europe/Berlin or UTC, received"
    ):
        parse_zone(name)


def test_configured_zone_wins_over_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    assert site_zone("Europe/Berlin").key == "Europe/Berlin"
    assert site_zone(None).key == "America/New_York"
    monkeypatch.setenv("TZ", ":Asia/Tokyo")
    assert machine_zone().key == "Asia/Tokyo"


def test_machine_that_names_no_zone_is_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "nonsense")
    monkeypatch.setattr(Path, "is_symlink", lambda self: False)
    assert machine_zone().key == "UTC"


def test_wrong_question_is_an_error_of_who_asks() -> None:
    assert issubclass(AskedWrong, ConfigError)


@settings(deadline=None, max_examples=150)
@given(moments_in_zones())
def test_every_moment_is_in_the_day_that_its_clock_shows_and_in_no_other(moment_in_zone: tuple[datetime, str]) -> None:
    moment, name = moment_in_zone
    zone = ZoneInfo(name)
    day = moment.astimezone(zone).date()
    for days_off in (-1, 0, 1):
        asked = (day + timedelta(days=days_off)).isoformat()
        found = parse_span(asked, asked, zone, moment)
        is_in = found.since.astimezone(UTC) <= moment < found.until.astimezone(UTC)
        assert is_in == (days_off == 0)
        assert found.first_day.isoformat() == found.last_day.isoformat() == asked
    following = parse_span((day + timedelta(days=1)).isoformat(), "today", zone, moment + timedelta(days=3))
    today = parse_span(day.isoformat(), day.isoformat(), zone, moment)
    assert today.until.astimezone(UTC) == following.since.astimezone(UTC)
