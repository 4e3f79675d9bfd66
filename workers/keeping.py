"""Records and pictures on their way to the recorders, before the turns that they come from are finished."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

import structlog

from maskwatch.broker.happened import Happened
from maskwatch.broker.messages import Taken
from maskwatch.errors import QueueError
from maskwatch.events import Event, PersonClosed, Record
from maskwatch.types import EventKind, Verdict
from workers.items import PipelineOutput
from workers.snapshots import snapshot

__all__ = ["Forwarder", "Keeper", "PictureSink", "RecordSink", "event_kinds", "left_zones"]

_PICTURE_TTL_S = 3600.0
"""For how long a recorder may be away before an event is kept without its picture."""

_FORWARD_EVERY_S = 1.0


class RecordSink(Protocol):
    """Where records go; a `maskwatch.broker.events.EventLog` in production."""

    def add(self, records: Sequence[Record]) -> None:
        """Add records, all or none, or raise a `QueueError`."""
        ...


class PictureSink(Protocol):
    """Where pictures go; `maskwatch.broker.events.Snapshots` in production."""

    def put(self, key: str, jpeg: bytes, ttl_s: float) -> None:
        """Leave a picture for the recorder or raise a `QueueError`."""
        ...


class Keeper:
    """Hands over what is to be kept of a batch: pictures first, so that a record's picture is there when it is read.

    Args:
        records: where records go.
        pictures: where pictures go; one that can't be left there is done without.
    """

    def __init__(self, records: RecordSink, pictures: PictureSink) -> None:
        self._records = records
        self._pictures = pictures
        self._log = structlog.get_logger()

    def keep(self, taken: Sequence[Taken], outputs: Sequence[PipelineOutput]) -> None:
        """Hand over everything; repeating it is harmless.

        Raises:
            QueueError: if the records aren't safe, so that the turns must not be finished.
        """
        for turn, output in zip(taken, outputs, strict=True):
            for wish in output.wishes:
                jpeg = snapshot(output, wish.track_id, turn.info.snapshots)
                if jpeg is not None:
                    self._leave(turn.camera, wish.key, jpeg)
        records = [record for output in outputs for record in output.records]
        if records:
            self._records.add(records)

    def _leave(self, camera: str, key: str, jpeg: bytes) -> None:
        try:
            self._pictures.put(key, jpeg, _PICTURE_TTL_S)
        except QueueError as error:
            self._log.warning("snapshot.lost", camera=camera, error=str(error))


class Forwarder:
    """Moves what happened to cameras to the recorders, about once a second; what can't be moved waits.

    Args:
        happened: where it is.
        records: where it goes.
    """

    def __init__(self, happened: Happened, records: RecordSink) -> None:
        self._happened = happened
        self._records = records
        self._next_s = 0.0
        self._is_refused = False
        self._log = structlog.get_logger()

    def step(self) -> None:
        """Move what there is, when it is time."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + _FORWARD_EVERY_S
        try:
            self._happened.move(self._records.add)
            self._is_refused = False
        except QueueError as error:
            if not self._is_refused:
                self._log.warning("events.waiting", error=str(error))
            self._is_refused = True


def event_kinds(records: Sequence[Record]) -> tuple[EventKind, ...]:
    """Return the kinds of the events among records, to be counted with their turn."""
    return tuple(record.kind for record in records if isinstance(record, Event))


def left_zones(records: Sequence[Record]) -> tuple[tuple[str, Verdict], ...]:
    """Return zone and final verdict of people among records who have gone, to be counted with their turn."""
    return tuple((one.zone, one.verdict) for one in records if isinstance(one, PersonClosed) and one.zone)
