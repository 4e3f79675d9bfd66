"""What has been recorded, as the site and its answers ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from maskwatch.events import Event
from maskwatch.store import By, ComplianceRow, EventFilter, EventPage

__all__ = ["Counted", "Records"]


class Records(Protocol):
    """What was recorded; each method raises `StoreError` when the database can't answer."""

    def events(self, wanted: EventFilter, after: str | None, limit: int) -> EventPage:
        """Return events, newest first; raises `WireError` if `after` isn't `next` of an earlier page."""

    def event(self, id_: UUID) -> Event | None:
        """Return one event, or None when there is none of that id."""

    def compliance(self, asked: Counted, by: Sequence[By]) -> list[ComplianceRow]:
        """Return people by verdict, a row for each group with people in it."""

    def is_empty(self) -> bool:
        """Tell whether nothing has ever been recorded."""

    def picture(self, key: str) -> bytes | None:
        """Return the JPEG kept under a key, or None when it isn't kept any longer."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Which people are counted.

    Attributes:
        since: gone not before this, with a time zone.
        until: gone before this.
        zone: in which days and hours are told.
        cameras: empty for all.
        zones: empty for whole pictures, or for all of them where an answer is divided by zone.
    """

    since: datetime
    until: datetime
    zone: ZoneInfo
    cameras: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
