"""From when to when: what people write, and the two instants that it means."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from web.asked import AskedWrong, shown_received

__all__ = ["MOST_DAYS", "Span", "machine_zone", "parse_span", "parse_zone", "site_zone"]

MOST_DAYS = 1100
"""Three years and a bit: a question about more is a mistake, and would keep the database busy for nothing."""

_DEFAULT_DAYS = 7
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DAYS_AGO = re.compile(r"-(\d{1,4})d")
_EXPECTED = (
    "a day such as 2026-11-09, today, yesterday or -6d (six days ago), or a time such as 2026-11-09T08:00 or "
    "2026-11-09T08:00+01:00"
)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, and the time zone in which it is looked at.

    Attributes:
        since: its first instant, in `zone`.
        until: the first instant after it, in `zone`.
        zone: in which hours and days are told.
    """

    since: datetime
    until: datetime
    zone: ZoneInfo

    @property
    def first_day(self) -> date:
        """The local day on which it begins."""
        return self.since.date()

    @property
    def last_day(self) -> date:
        """The local day on which it ends."""
        return (self.until - timedelta(microseconds=1)).date()

    @property
    def days(self) -> list[date]:
        """All local days that it touches."""
        count = (self.last_day - self.first_day).days + 1
        return [self.first_day + timedelta(days=number) for number in range(count)]

    @property
    def is_whole_days(self) -> bool:
        """Whether it begins and ends at a local midnight."""
        midnight = time()
        return self.since.time() == midnight and self.until.time() == midnight


def parse_zone(text: str, where: str = "tz") -> ZoneInfo:
    """Return a time zone by its name.

    Args:
        text: such as Europe/Berlin.
        where: it was written; for the message.

    Raises:
        AskedWrong: if there is none of that name.
    """
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise AskedWrong(
            f"{where}: expected the name of a time zone such as Europe/Berlin or UTC, received {shown_received(text)}; "
            "names are those of the IANA database"
        ) from None


def machine_zone() -> ZoneInfo:
    """Return the time zone that this machine is set to, by TZ or /etc/localtime; UTC where neither names one."""
    link = Path("/etc/localtime")
    names = [os.environ.get("TZ", "").removeprefix(":")]
    if link.is_symlink():
        names.append(str(link.resolve()).rpartition("/zoneinfo/")[2])
    for name in names:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return ZoneInfo("UTC")


def site_zone(name: str | None) -> ZoneInfo:
    """Return the time zone of `web.timezone`, or the machine's where it is empty."""
    return machine_zone() if name is None else parse_zone(name, "web.timezone")


def parse_span(since: str | None, until: str | None, zone: ZoneInfo, now: datetime, *, with_today: bool = True) -> Span:
    """Return what two texts mean together.

    A text is a day (its first instant as a beginning, its end as an end), a time in `zone`, or one with an offset of
    its own. Without a beginning it is seven days; without an end it ends with today.

    Args:
        since: where it begins, or None.
        until: where it ends, or None.
        zone: of days and of times that name none.
        now: with a time zone.
        with_today: whether today is the last day when `until` is None; else it is yesterday.

    Raises:
        AskedWrong: if a text means nothing, the end isn't after the beginning, or there are too many days between.
    """
    today = now.astimezone(zone).date()
    ends = _instant("to", until or ("today" if with_today else "yesterday"), zone, today, is_end=True)
    if since:
        begins = _instant("from", since, zone, today, is_end=False)
    else:
        last = (ends - timedelta(microseconds=1)).date()
        begins = datetime.combine(last - timedelta(days=_DEFAULT_DAYS - 1), time(), zone)
    # Two times of one zone would be compared by their wall clocks, which run backwards once a year.
    length = ends.astimezone(UTC) - begins.astimezone(UTC)
    if length <= timedelta(0):
        raise AskedWrong(
            f"to: expected a time after from, which is {begins.isoformat()}, received {ends.isoformat()}; "
            "exchange the two, or leave `to` out for today"
        )
    if length > timedelta(days=MOST_DAYS):
        raise AskedWrong(
            f"from: expected at most {MOST_DAYS} days before `to`, received {length.days}; ask for parts of it"
        )
    return Span(begins, ends, zone)


def _instant(where: str, text: str, zone: ZoneInfo, today: date, *, is_end: bool) -> datetime:
    day = _day(where, text, today)
    try:
        if day is not None:
            found = datetime.combine(day + timedelta(days=1) if is_end else day, time(), zone)
        else:
            found = datetime.fromisoformat(text)
            found = found.replace(tzinfo=zone) if found.tzinfo is None else found.astimezone(zone)
        found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _wrong(where, text) from None
    return found


def _day(where: str, text: str, today: date) -> date | None:
    if text == "today":
        return today
    try:
        if text == "yesterday":
            return today - timedelta(days=1)
        if ago := _DAYS_AGO.fullmatch(text):
            return today - timedelta(days=int(ago[1]))
        return date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except (ValueError, OverflowError):
        raise _wrong(where, text) from None


def _wrong(where: str, text: str) -> AskedWrong:
    hint = "; write + as %2B in an address" if re.search(r"\d \d\d:?\d\d$", text) else ""
    return AskedWrong(f"{where}: expected {_EXPECTED}, received {shown_received(text)}{hint}")
