"""When reports and retention are due."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from maskwatch.jobs import JobKind
from maskwatch.settings import Settings
from workers.jobs.recurring import due_next, report_spec


def settings(**report: Any) -> Settings:
    return Settings.model_validate({"report": report, "web": {"timezone": "Europe/Berlin"}})


def next_report(of: Settings, now: datetime) -> tuple[str, datetime]:
    (due,) = [due for due in due_next(of, now) if due.kind is JobKind.REPORT]
    return due.job_id, due.at.astimezone(UTC)


def test_retention_is_due_at_the_next_full_hour_and_no_report_unless_wanted() -> None:
    (due,) = due_next(settings(), datetime(2026, 11, 21, 20, 59, 59, tzinfo=UTC))
    assert (due.job_id, due.at) == ("retention-20261121-21", datetime(2026, 11, 21, 21, tzinfo=UTC))


def test_daily_report_comes_by_the_clock_on_the_wall_also_when_it_was_put_forward() -> None:
    daily = settings(every="daily", at="06:00")
    # In Berlin, 2027-03-28 is the day that has no 02:30.
    assert next_report(daily, datetime(2027, 3, 27, 5, 30, tzinfo=UTC)) == (
        "report-20270328-daily",
        datetime(2027, 3, 28, 4, tzinfo=UTC),
    )
    assert next_report(daily, datetime(2027, 3, 27, 4, 30, tzinfo=UTC))[0] == "report-20270327-daily"


def test_weekly_report_comes_on_mondays() -> None:
    found = next_report(settings(every="weekly", at="07:15"), datetime(2026, 11, 21, 12, tzinfo=UTC))
    assert found == ("report-20261123-weekly", datetime(2026, 11, 23, 6, 15, tzinfo=UTC))


def test_report_is_about_the_days_before() -> None:
    assert report_spec("20260301", "daily", "hour") == {"from": "2026-02-28", "to": "2026-02-28", "by": "hour"}
    assert report_spec("20261123", "weekly", "day") == {"from": "2026-11-16", "to": "2026-11-22", "by": "day"}


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["daily", "weekly"]),
)
def test_next_report_is_always_ahead_and_within_its_time(now: datetime, every: str) -> None:
    _, at = next_report(settings(every=every, at="02:30"), now)
    assert 0 < (at - now).total_seconds() <= (8 if every == "weekly" else 2) * 86_400
