"""Schedules go by the clocks on the walls of their time zone, when those are changed too."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwatch.zones import Schedule
from tests.support_clocks import ODD_ZONES, changes, moments_in_zones
from workers.schedule import is_on

BERLIN = ZoneInfo("Europe/Berlin")
ALL = tuple(range(7))
WEEKDAYS = (0, 1, 2, 3, 4)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def minutes_on(schedule: Schedule, first: str, last: str) -> int:
    """Return for how many minutes a schedule holds between two moments in UTC."""
    count = int((utc(last) - utc(first)) / timedelta(minutes=1))
    return sum(is_on(schedule, utc(first) + timedelta(minutes=at)) for at in range(count))


def test_no_schedule_always_holds() -> None:
    assert is_on(None, utc("2026-01-01T00:00"))


@pytest.mark.parametrize(
    ("moment", "on"),
    [
        ("2026-01-05T06:59", False),
        ("2026-01-05T07:00", True),
        ("2026-01-05T16:59:59", True),
        ("2026-01-05T17:00", False),
        ("2026-01-04T10:00", False),
        ("2026-07-06T06:00", True),
        ("2026-07-06T05:59", False),
        ("2026-07-06T16:00", False),
    ],
)
def test_office_hours_in_berlin_in_winter_and_summer(moment: str, on: bool) -> None:
    assert is_on(Schedule(WEEKDAYS, 8 * 60, 18 * 60, "Europe/Berlin"), utc(moment)) is on


@pytest.mark.parametrize(
    ("moment", "on"),
    [("2026-01-09T21:59", False), ("2026-01-09T22:00", True), ("2026-01-10T05:59", True), ("2026-01-10T06:00", False),
     ("2026-01-10T22:00", False), ("2026-01-09T05:00", False)],
)  # fmt: skip
def test_night_belongs_to_the_day_on_which_it_begins(moment: str, on: bool) -> None:
    friday = Schedule((4,), 22 * 60, 6 * 60, "UTC")
    assert is_on(friday, utc(moment)) is on


def test_day_of_another_continent_is_its_own() -> None:
    monday = Schedule((0,), 0, 1440, "Pacific/Auckland")
    assert is_on(monday, utc("2026-01-04T11:00"))
    assert not is_on(monday, utc("2026-01-05T11:00"))


def test_hour_that_comes_twice_counts_twice() -> None:
    assert minutes_on(Schedule(ALL, 120, 180, "Europe/Berlin"), "2026-10-24T22:00", "2026-10-25T23:00") == 120


def test_hour_that_is_left_out_never_comes() -> None:
    assert minutes_on(Schedule(ALL, 120, 180, "Europe/Berlin"), "2026-03-28T23:00", "2026-03-29T22:00") == 0
    assert minutes_on(Schedule(ALL, 150, 240, "Europe/Berlin"), "2026-03-28T23:00", "2026-03-29T22:00") == 60


def test_night_is_an_hour_shorter_or_longer_when_clocks_change() -> None:
    night = Schedule(ALL, 22 * 60, 6 * 60, "Europe/Berlin")
    assert minutes_on(night, "2026-03-28T12:00", "2026-03-29T12:00") == 7 * 60
    assert minutes_on(night, "2026-10-24T12:00", "2026-10-25T12:00") == 9 * 60


@settings(deadline=None, max_examples=100)
@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),
    st.integers(0, 1439),
    st.integers(0, 1440),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe"]),
)
def test_one_half_of_the_day_or_the_other_holds(time: datetime, start: int, end: int, zone: str) -> None:
    if start % 1440 == end % 1440:
        return
    moment = time.replace(tzinfo=UTC)
    one, other = Schedule(ALL, start, end, zone), Schedule(ALL, end % 1440, start, zone)
    assert is_on(one, moment) != is_on(other, moment)


def test_clocks_of_the_odd_zones_are_changed() -> None:
    fixed = {"UTC", "Asia/Kathmandu", "Pacific/Apia"}
    assert {zone for zone in ODD_ZONES if not changes(zone)} == fixed
    assert len(changes("Europe/Berlin")) == 8


@settings(deadline=None, max_examples=200)
@given(
    moments_in_zones(), st.sets(st.integers(0, 6), min_size=1), st.integers(0, 1439), st.integers(1, 1440),
)  # fmt: skip
def test_it_holds_when_a_watch_set_by_the_clock_on_the_wall_says_so(
    moment_in_zone: tuple[datetime, str], days: set[int], start: int, end: int
) -> None:
    """Somebody there with a calendar and a watch that is put forward and back, who knows nothing of UTC."""
    if start == end % 1440:
        return
    moment, zone = moment_in_zone
    watch = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)
    lasts = timedelta(minutes=(end - start) % 1440 or 1440)
    spans = []
    for ago in (0, 1):
        day = (watch - timedelta(days=ago)).date()
        begins = datetime.combine(day, time()) + timedelta(minutes=start)
        if day.weekday() in days:
            spans.append((begins, begins + lasts))
    schedule = Schedule(tuple(sorted(days)), start, end, zone)
    assert is_on(schedule, moment) == any(begins <= watch < ends for begins, ends in spans)


@pytest.mark.parametrize("zone", ODD_ZONES)
def test_every_day_is_on_as_long_as_it_lasts(zone: str) -> None:
    """Two days around a change: seven schedules, a day of the week each, share all of the time among them."""
    for change in changes(zone)[:4] or (datetime(2026, 1, 1, tzinfo=UTC),):
        for number in range(-24 * 4, 24 * 4):
            moment = change + timedelta(minutes=15 * number)
            on = [day for day in range(7) if is_on(Schedule((day,), 0, 1440, zone), moment)]
            assert on == [moment.astimezone(ZoneInfo(zone)).weekday()]
