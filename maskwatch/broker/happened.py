"""What scripts on the live server saw happen to cameras, on its way to the record.

A script counts that a camera went offline and notes it in the same step; whoever moves notes to the durable server
removes one only after it is there, and an event's id is the same however often it is moved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import msgpack
import redis
import structlog

from maskwatch.broker import keys
from maskwatch.broker.connect import translated
from maskwatch.events import Event, Record, event_id
from maskwatch.types import EventKind, Severity

__all__ = ["Happened"]

_AT_ONCE = 500
_LONGEST_NOTE = 500
_SEVERITIES = {EventKind.CAMERA_OFFLINE: Severity.WARNING, EventKind.CAMERA_ONLINE: Severity.INFO}


class Happened:
    """Events of cameras themselves.

    Args:
        client: of the live server, as `connect` makes it.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._log = structlog.get_logger()

    def move(self, add: Callable[[Sequence[Record]], None]) -> int:
        """Hand over what has happened, oldest first; several processes may do so at once.

        Args:
            add: makes records safe, or raises.

        Returns:
            How many notes were handed over; there may be more when it is 500.

        Raises:
            BrokerDown: if Redis can't be reached.
            QueueError: if Redis answers with an error, or `add` does.
        """
        with translated(self._client, "reading what happened to cameras"):
            notes = cast(list[bytes], self._client.lrange(keys.HAPPENED, 0, _AT_ONCE - 1))
        if not notes:
            return 0
        events = [event for event in map(self._event, notes) if event is not None]
        if events:
            add(events)
        with translated(self._client, "removing what is recorded"), self._client.pipeline(transaction=True) as batch:
            for note in notes:
                batch.lrem(keys.HAPPENED, 1, note)  # type: ignore[arg-type]  # bytes are as good as text
            batch.execute()
        return len(notes)

    def _event(self, note: bytes) -> Event | None:
        try:
            camera, kind, epoch, ordinal, at_ms, reason = cast(list[Any], msgpack.unpackb(note))
            return Event(
                id=event_id(epoch, None, "", EventKind(kind), ordinal),
                kind=EventKind(kind),
                camera=camera,
                epoch=epoch,
                zone="",
                rule="",
                severity=_SEVERITIES.get(EventKind(kind), Severity.INFO),
                time_utc=datetime.fromtimestamp(at_ms / 1000, UTC),
                note=reason[:_LONGEST_NOTE],
            )
        except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
            self._log.error("event.unreadable", error=str(error), size_bytes=len(note))
            return None
