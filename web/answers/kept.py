"""The record of this installation: its database, and the pictures that are kept with events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from maskwatch.blobs import BlobStore
from maskwatch.events import Event
from maskwatch.settings import Settings
from maskwatch.store import By, ComplianceRow, EventFilter, EventPage, Store
from web.records import Counted

__all__ = ["KeptRecords", "kept_records"]

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_END = datetime(9999, 1, 1, tzinfo=UTC)


class KeptRecords:
    """Reads what a recorder has written; safe for several threads.

    Args:
        store: the database.
        pictures: those kept with events.
    """

    def __init__(self, store: Store, pictures: BlobStore) -> None:
        self._store = store
        self._pictures = pictures

    def events(self, wanted: EventFilter, after: str | None, limit: int) -> EventPage:
        """Return events, newest first."""
        return self._store.events(wanted, after=after, limit=limit)

    def event(self, id_: UUID) -> Event | None:
        """Return one event, or None when there is none of that id."""
        return self._store.event(id_)

    def compliance(self, asked: Counted, by: Sequence[By]) -> list[ComplianceRow]:
        """Return people by verdict, a row for each group with people in it."""
        return self._store.compliance(asked.since, asked.until, asked.cameras, asked.zones or None, by, asked.zone)

    def is_empty(self) -> bool:
        """Tell whether nothing has ever been recorded."""
        return not self._store.events(limit=1).rows and not self._store.tallies(_BEGINNING, _END, limit=1)

    def picture(self, key: str) -> bytes | None:
        """Return the JPEG kept under a key, or None when it isn't kept any longer."""
        return self._pictures.get(key)

    def close(self) -> None:
        """Close the connections to the database; asked again, it opens others."""
        self._store.close()


def kept_records(settings: Settings) -> KeptRecords:
    """Return the record that the settings name; nothing is opened before it is asked.

    Raises:
        ConfigError: if the database's address is none.
    """
    return KeptRecords(Store(settings.record_url), BlobStore(settings.blobs_folder, settings.blobs.most_mb << 20))
