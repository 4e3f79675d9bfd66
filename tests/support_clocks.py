"""Moments around which clocks on walls are changed, for tests of everything that goes by them."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

__all__ = ["ODD_ZONES", "changes", "moments_in_zones"]

ODD_ZONES = (
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",  # winter time is the one that is put back
    "America/St_Johns",  # half an hour off
    "America/Havana",  # an hour after midnight comes twice
    "America/Santiago",  # midnight is left out
    "Asia/Beirut",  # midnight is left out, and the hour before it comes twice
    "Asia/Kathmandu",  # three quarters of an hour off
    "Africa/Casablanca",  # put back for Ramadan, whenever that is
    "Australia/Lord_Howe",  # by half an hour
    "Antarctica/Troll",  # by two hours
    "America/Nuuk",  # on the evening before
    "Pacific/Apia",  # on the other side of the date line
)


@functools.cache
def changes(zone: str) -> tuple[datetime, ...]:
    """Return the hours in UTC, from 2024 to 2027, before which a zone's clocks show another offset than after."""
    info, first = ZoneInfo(zone), datetime(2024, 1, 1, tzinfo=UTC)

    def changing(since: datetime, step: timedelta, count: int) -> list[datetime]:
        times = [since + number * step for number in range(count + 1)]
        offsets = [time.astimezone(info).utcoffset() for time in times]
        return [time for time, before, after in zip(times, offsets, offsets[1:], strict=False) if before != after]

    days = changing(first, timedelta(days=1), 4 * 365)
    return tuple(hour for day in days for hour in changing(day, timedelta(hours=1), 24))


@st.composite
def moments_in_zones(draw: st.DrawFn) -> tuple[datetime, str]:
    """Draw a moment in UTC and a zone, mostly within a day and a half of a change of its clocks."""
    zone = draw(st.sampled_from(ODD_ZONES))
    around = draw(st.sampled_from(changes(zone) or (datetime(2026, 1, 1, tzinfo=UTC),)))
    minutes = draw(st.integers(-36 * 60, 36 * 60) | st.integers(-400 * 24 * 60, 400 * 24 * 60))
    return around + timedelta(minutes=minutes), zone
