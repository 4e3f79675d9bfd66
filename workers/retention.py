"""Removes from the record and from the kept pictures what is older than the configuration allows."""

from __future__ import annotations

from datetime import datetime

import structlog

from maskwatch.blobs import BlobStore
from maskwatch.settings import StoreSettings
from maskwatch.store import Purged, Retention, Store

__all__ = ["SNAPSHOT_PREFIX", "apply_retention"]

SNAPSHOT_PREFIX = "event-"
"""How the names of kept pictures of events begin; the folder holds other files too, with times of their own."""

_DAY_S = 86_400.0


def apply_retention(
    store: Store, blobs: BlobStore, kept: StoreSettings, now_utc: datetime, *, budget_s: float = 60.0
) -> Purged:
    """Remove what is too old; what is left because time was up is the next call's.

    Args:
        store: the record.
        blobs: where its pictures are.
        kept: for how long.
        now_utc: the time, with a time zone.
        budget_s: seconds for the record; its pictures are removed in any case.

    Raises:
        StoreError: if the record can't be changed.
        BlobError: if the pictures can't be reached.
    """
    retention = Retention(kept.events_days, kept.snapshots_days, kept.tallies_days)
    purged = store.purge(retention, now_utc, budget_s=budget_s)
    for key in purged.snapshots:
        blobs.delete(key)
    # Pictures whose event was never recorded, and those that couldn't be deleted when their event let go of them.
    strays = blobs.purge(kept.snapshots_days * _DAY_S, SNAPSHOT_PREFIX)
    if purged.events or purged.tallies or purged.rejected or purged.snapshots or strays:
        structlog.get_logger().info(
            "retention.removed", events=purged.events, tallies=purged.tallies, rejected=purged.rejected,
            snapshots=len(purged.snapshots), strays=strays, is_all=purged.is_all,
        )  # fmt: skip
    return purged
