"""What the jobs call: tell one receiver what is due, and say for whom something is due."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

import structlog

from maskwatch.blobs import BlobStore
from maskwatch.errors import BlobError
from maskwatch.events import Event
from maskwatch.settings import Settings
from maskwatch.settings.notify import ReceiverSettings
from maskwatch.store import Store
from workers.notify.drain import Drained, drain
from workers.notify.message import Message, message_of
from workers.notify.sending import Sending

__all__ = ["composer", "deliver", "due"]

_MB = 1_000_000
_NOBODY = "no receiver of this name is configured any more"


def deliver(settings: Settings, receiver: str) -> Drained:
    """Tell a receiver what is due, for some 20 s; it takes 60 s at the very most.

    Nothing happens when another process does so already, or the receiver is left alone because it failed lately.

    Args:
        settings: of this installation.
        receiver: name of one of `notify.receivers`; of another nothing is told.

    Raises:
        StoreError: if the record can't be asked.
    """
    found = settings.notify.receivers.get(receiver)
    with Store(settings.record_url) as store:
        if found is None:
            return Drained(given_up=store.outbox.give_up(receiver, 0.0, _NOBODY))
        return drain(store.outbox, receiver, found.cooldown_s, composer(settings, found), lambda: Sending(found))


def due(settings: Settings) -> list[str]:
    """Return the receivers that something is due for now, sorted; what waits for one that is gone is given up.

    Raises:
        StoreError: if the record can't be asked.
    """
    with Store(settings.record_url) as store:
        names = store.outbox.due()
        for name in names:
            if name not in settings.notify.receivers:
                count = store.outbox.give_up(name, 0.0, _NOBODY)
                structlog.get_logger().warning("notify.receiver_gone", receiver=name, deliveries=count)
    return [name for name in names if name in settings.notify.receivers]


def composer(settings: Settings, receiver: ReceiverSettings) -> Callable[[Event], Message]:
    """Return what makes the message of an event for a receiver."""
    blobs = BlobStore(settings.blobs_folder, settings.blobs.most_mb * _MB)
    zone = None if settings.web.timezone is None else ZoneInfo(settings.web.timezone)

    def compose(event: Event) -> Message:
        jpeg = None
        if receiver.snapshot and event.snapshot is not None:
            try:
                jpeg = blobs.get(event.snapshot)
            except BlobError as error:
                structlog.get_logger().warning("notify.no_picture", event_id=str(event.id), error=str(error))
        return message_of(event, zone, jpeg)

    return compose
