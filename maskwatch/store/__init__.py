"""The record in SQL: events and tallies, for years; SQLite on one machine, PostgreSQL beyond."""

from maskwatch.store.outbox import Delivery, DeliveryState, Outbox, ReceiverView
from maskwatch.store.store import Store
from maskwatch.store.values import (
    FEW,
    By,
    ComplianceRow,
    EventFilter,
    EventPage,
    Purged,
    Recorded,
    Rejected,
    Retention,
    Tally,
    wilson,
)

__all__ = [
    "FEW",
    "By",
    "ComplianceRow",
    "Delivery",
    "DeliveryState",
    "EventFilter",
    "EventPage",
    "Outbox",
    "Purged",
    "ReceiverView",
    "Recorded",
    "Rejected",
    "Retention",
    "Store",
    "Tally",
    "wilson",
]
