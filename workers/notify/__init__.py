"""Telling people: what is in the record's outbox goes to its receivers, at least once each, however they fare."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maskwatch.settings import Settings
    from workers.notify.drain import Drained

__all__ = ["deliver", "due"]

# Imported when they are called: the process that speaks with a receiver is in this package too, needs no database, and
# is to be ready soon.


def deliver(settings: Settings, receiver: str) -> Drained:
    """Tell a receiver what is due; see `workers.notify.rounds.deliver`."""
    from workers.notify import rounds

    return rounds.deliver(settings, receiver)


def due(settings: Settings) -> list[str]:
    """Return the receivers that something is due for; see `workers.notify.rounds.due`."""
    from workers.notify import rounds

    return rounds.due(settings)
