"""Whether a rule holds at a moment, by the clocks on the walls of its time zone; pure, time comes in as UTC."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from maskwatch.zones import Schedule

__all__ = ["is_on"]


def is_on(schedule: Schedule | None, time_utc: datetime) -> bool:
    """Tell whether a schedule holds.

    Where the clocks are put back, the hour that comes twice counts twice; where they are put forward, what would begin
    in the hour that is left out begins after it.

    Args:
        schedule: None always holds.
        time_utc: the moment, with a time zone.
    """
    if schedule is None:
        return True
    local = time_utc.astimezone(ZoneInfo(schedule.timezone))
    minute, day = local.hour * 60 + local.minute, local.weekday()
    if schedule.start_min < schedule.end_min:
        return day in schedule.days and schedule.start_min <= minute < schedule.end_min
    yesterday = (day - 1) % 7
    return (day in schedule.days and minute >= schedule.start_min) or (
        yesterday in schedule.days and minute < schedule.end_min
    )
