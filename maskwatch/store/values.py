"""What is asked of the record and what it answers; no database in here."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from maskwatch.events import Event
from maskwatch.types import EventKind, Severity, Verdict

__all__ = [
    "FEW",
    "By",
    "ComplianceRow",
    "EventFilter",
    "EventPage",
    "Purged",
    "Recorded",
    "Rejected",
    "Retention",
    "Tally",
    "wilson",
]

FEW = 20
"""With fewer people whose verdict is known, the 95 % interval of a half is wider than 20 points to either side
(Wilson, n = 20: 30 to 70 %), and no share is put in front of people as if it were a finding."""

_Z_95 = 1.959963984540054
"""The normal distribution's 97.5 % quantile: 95 % lie within so many standard deviations."""


class By(StrEnum):
    """What compliance can be told apart by."""

    CAMERA = "camera"
    ZONE = "zone"
    HOUR = "hour"
    WEEKDAY = "weekday"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are wanted; an empty field asks for all.

    Attributes:
        since: not before this, with a time zone.
        until: before this, with a time zone.
        cameras: names of cameras.
        zones: names of zones, "" for events of a whole camera.
        kinds: what happened.
        rules: names of rules, "" for events of the camera itself.
        severity: how much they matter.
    """

    since: datetime | None = None
    until: datetime | None = None
    cameras: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    kinds: tuple[EventKind, ...] = ()
    rules: tuple[str, ...] = ()
    severity: tuple[Severity, ...] = ()


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events, newest first.

    Attributes:
        rows: the events.
        next: where the next page begins, for `after`; None when this is the last one.
    """

    rows: tuple[Event, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Tally:
    """People who went within one minute.

    Attributes:
        minute_utc: when the minute began.
        camera: where.
        zone: name of the zone, "" for the whole camera.
        verdict: their last verdict.
        people: how many.
    """

    minute_utc: datetime
    camera: str
    zone: str
    verdict: Verdict
    people: int


@dataclass(frozen=True, slots=True)
class ComplianceRow:
    """How many people wore a mask properly, out of how many.

    Attributes:
        with_mask: people with this last verdict; the next three alike.
        without_mask: without any.
        incorrect_mask: with one that was worn wrongly.
        unknown: those who couldn't be told.
        camera: whose row this is, or None when cameras are summed up; the next four alike.
        zone: name of the zone, "" for the whole camera.
        hour: of the day, 0 to 23, in the time zone that was asked for.
        weekday: 0 is Monday.
        day: of the calendar.
    """

    with_mask: int
    without_mask: int
    incorrect_mask: int
    unknown: int
    camera: str | None = None
    zone: str | None = None
    hour: int | None = None
    weekday: int | None = None
    day: date | None = None

    @property
    def known(self) -> int:
        """People with a known verdict."""
        return self.with_mask + self.without_mask + self.incorrect_mask

    @property
    def people(self) -> int:
        """All of them."""
        return self.known + self.unknown

    @property
    def compliance(self) -> float | None:
        """With a proper mask among those with a known verdict, 0..1; None when there is none."""
        return self.with_mask / self.known if self.known else None

    @property
    def low(self) -> float | None:
        """Lower end of compliance's 95 % interval (Wilson), None when nobody is known."""
        return wilson(self.with_mask, self.known)[0] if self.known else None

    @property
    def high(self) -> float | None:
        """Upper end of compliance's 95 % interval (Wilson), None when nobody is known."""
        return wilson(self.with_mask, self.known)[1] if self.known else None

    @property
    def unknown_share(self) -> float | None:
        """Those who couldn't be told among all, 0..1; None when there is nobody."""
        return self.unknown / self.people if self.people else None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something in the stream that is no record, kept so that nothing is lost silently.

    Attributes:
        id: made from its place in the stream and its bytes, so that it is kept once.
        time_utc: when it was set aside.
        reason: what is wrong with it.
        data: the bytes, their beginning at least.
    """

    id: UUID
    time_utc: datetime
    reason: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a batch of records.

    Attributes:
        events: events that are new.
        people: closed people who are new.
        repeated: records that were there already.
        new_events: ids of the new events, in no order.
        receivers: who is to be told of any of them.
    """

    events: int
    people: int
    repeated: int
    new_events: frozenset[UUID] = frozenset()
    receivers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many days things are kept.

    Attributes:
        events_days: events, and what was set aside.
        snapshots_days: the pictures of events.
        tallies_days: numbers of people per minute, which say nothing of anybody.
    """

    events_days: float
    snapshots_days: float
    tallies_days: float


@dataclass(frozen=True, slots=True)
class Purged:
    """What was removed because of its age.

    Attributes:
        events: how many events.
        tallies: how many tallies.
        rejected: how many things that had been set aside.
        snapshots: keys of pictures that no event names any more.
        is_all: whether nothing that is too old was left because time was up.
    """

    events: int
    tallies: int
    rejected: int
    snapshots: tuple[str, ...]
    is_all: bool


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, which stays within 0..1 and is honest for small numbers.

    Args:
        hits: how many did.
        of: out of how many, at least 1.

    Source: Wilson, E. B., "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    share, z2 = hits / of, _Z_95**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z_95 * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    return max(0.0, middle - half), min(1.0, middle + half)
