"""The stream of records on the durable Redis: what is in it stays until a recorder has it on disk.

A worker adds records before it commits the frame they come from. The recorders are one consumer group; an entry that
is acknowledged is removed at once, so the stream holds exactly what isn't recorded yet.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis
from redis.exceptions import ResponseError

from maskwatch.blobs import KEY_PATTERN
from maskwatch.broker import keys
from maskwatch.broker.connect import LONGEST_WAIT_S, address_of, translated
from maskwatch.broker.script import run_script
from maskwatch.errors import QueueError, StreamFull
from maskwatch.events import Record, pack_record

__all__ = ["Backlog", "Entry", "EventLog", "Snapshots"]

_GROUP = "recorder"
_CLAIM_AFTER_S = 30.0
"""What a recorder has held so long is given to another one too. It may be alive and slow: a record counts once."""
_FORGET_AFTER_S = 3600.0
_FULL_FROM = 0.95
_MOST_AT_ONCE = 1000
"""Of one script or read, so that nobody else waits long for the server."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something in the stream.

    Attributes:
        id: its place, for `EventLog.ack`.
        data: a record as `maskwatch.events.pack_record` wrote it, or whatever somebody else put there.
    """

    id: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Backlog:
    """What isn't recorded yet.

    Attributes:
        records: how many.
        oldest_s: for how long the first of them has waited, by the server's clock; 0 when there is none.
        most: at how many the workers stop committing.
    """

    records: int
    oldest_s: float
    most: int

    @property
    def is_full(self) -> bool:
        """Whether there is hardly room left: the records of one batch are taken together or not at all."""
        return self.records >= _FULL_FROM * self.most


class EventLog:
    """Records on their way from the workers to the recorders.

    Every method raises `BrokerDown` when Redis can't be reached and `QueueError` when it answers with an error.

    Args:
        client: of the durable server, as `connect` makes it; blocking for `read`.
        most: records in the stream; further ones are refused.
        claim_after_s: what a recorder has held so long is given to another.
    """

    def __init__(self, client: redis.Redis, most: int = 100_000, *, claim_after_s: float = _CLAIM_AFTER_S) -> None:
        self._client = client
        self._most = most
        self._claim_after_s = claim_after_s
        self._asked: set[str] = set()
        self._claim_at_s = 0.0

    def add(self, records: Sequence[Record]) -> None:
        """Add records, all or none; when this returns they are on the server's disk, if that is set up as it should be.

        Adding again after a `BrokerDown` is right: a record that is there twice counts once.

        Raises:
            StreamFull: if there is no room for them; the caller must not commit what they come from.
            WireError: if one holds what no reader would take.
        """
        if not records:
            return
        packed = [pack_record(record) for record in records]
        with translated(self._client, "adding records"):
            length = run_script(self._client, "append", [keys.RECORDS], [self._most, *packed])
        if length < 0:
            raise StreamFull(
                f"the stream of records at {address_of(self._client)} is at its limit of {self._most}: nobody records; "
                "start `maskwatch recorder`, or see in its log what keeps it"
            )

    def read(self, consumer: str, count: int, block_s: float) -> list[Entry]:
        """Return entries that are this recorder's to record.

        First those it was given before and hasn't acknowledged, once after `read_again` and at its start; then those
        that a dead recorder holds; then new ones.

        Args:
            consumer: name of the recorder, unique among those alive.
            count: most entries.
            block_s: how long to wait for new ones.
        """
        count = max(1, min(count, _MOST_AT_ONCE))
        try:
            return self._read(consumer, count, block_s)
        except QueueError as error:
            if "NOGROUP" not in str(error):
                raise
        self._make_group()
        return self._read(consumer, count, block_s)

    def read_again(self, consumer: str) -> None:
        """Have `read` begin with what this recorder was given and didn't acknowledge."""
        self._asked.discard(consumer)

    def ack(self, ids: Sequence[str]) -> None:
        """Say that entries are on disk; they are removed from the stream."""
        if not ids:
            return
        with translated(self._client, "acknowledging records"), self._client.pipeline(transaction=True) as batch:
            batch.xack(keys.RECORDS, _GROUP, *ids)
            batch.xdel(keys.RECORDS, *ids)
            batch.execute()

    def leave(self, consumer: str) -> None:
        """Forget a recorder that ends; what it owes stays for the others."""
        with translated(self._client, "taking leave"):
            names = [words["name"].decode() for words in self._consumers() if words["pending"] == 0]
            if consumer in names:
                self._client.xgroup_delconsumer(keys.RECORDS, _GROUP, consumer)

    def backlog(self) -> Backlog:
        """Return how much isn't recorded yet, and since when."""
        with translated(self._client, "reading the backlog"), self._client.pipeline(transaction=True) as batch:
            batch.time()
            batch.xlen(keys.RECORDS)
            batch.xrange(keys.RECORDS, count=1)
            (seconds, micros), length, first = batch.execute()
        age_s = 0.0
        if first:
            age_s = max(0.0, seconds + micros / 1e6 - int(first[0][0].partition(b"-")[0]) / 1000)
        return Backlog(length, age_s, self._most)

    def _read(self, consumer: str, count: int, block_s: float) -> list[Entry]:
        with translated(self._client, "reading records"):
            if consumer not in self._asked:
                owed = self._group_read(consumer, count, "0", None)
                if owed:
                    return owed
                self._asked.add(consumer)
            if time.monotonic() >= self._claim_at_s:
                claimed = self._claim(consumer, count)
                if claimed:
                    return claimed
            return self._group_read(consumer, count, ">", round(min(block_s, LONGEST_WAIT_S) * 1000))

    def _group_read(self, consumer: str, count: int, after: str, block_ms: int | None) -> list[Entry]:
        # 0 would mean for ever.
        block_ms = block_ms or None
        answer: Any = self._client.xreadgroup(_GROUP, consumer, {keys.RECORDS: after}, count=count, block=block_ms)
        return [_entry(id_, fields) for _stream, entries in answer or [] for id_, fields in entries]

    def _claim(self, consumer: str, count: int) -> list[Entry]:
        """Take over what others have held for too long; look again later when there is none."""
        idle_ms = round(self._claim_after_s * 1000)
        answer: Any = self._client.xautoclaim(keys.RECORDS, _GROUP, consumer, idle_ms, "0-0", count=count)
        entries = [_entry(id_, fields) for id_, fields in answer[1]]
        if not entries:
            self._claim_at_s = time.monotonic() + self._claim_after_s / 2
            forget_ms = round(_FORGET_AFTER_S * 1000)
            run_script(self._client, "tidy_consumers", [keys.RECORDS], [_GROUP, forget_ms])
        return entries

    def _make_group(self) -> None:
        with translated(self._client, "making the recorders' group"):
            try:
                # From the beginning: what was added before anybody recorded counts like the rest.
                self._client.xgroup_create(keys.RECORDS, _GROUP, "0", mkstream=True)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):  # another recorder was quicker
                    raise

    def _consumers(self) -> list[Any]:
        try:
            return list(self._client.xinfo_consumers(keys.RECORDS, _GROUP))
        except ResponseError:  # no stream, no group: nobody to forget
            return []


class Snapshots:
    """Pictures on their way from a worker to the recorder, on the live server: no picture is in an append-only file.

    Every method raises `BrokerDown` when Redis can't be reached and `QueueError` when it answers with an error.

    Args:
        client: of the live server, as `connect` makes it.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def put(self, key: str, jpeg: bytes, ttl_s: float) -> None:
        """Leave a picture for the recorder, which may take it as often as it likes until `ttl_s` seconds have passed.

        Raises:
            QueueError: if the key isn't safe as a file's name.
        """
        if KEY_PATTERN.fullmatch(key) is None:
            raise QueueError(f"snapshot {key[:60]!r}: expected letters, digits, -, _ and . as a name, at most 128")
        with translated(self._client, "leaving a snapshot"):
            self._client.set(keys.snapshot_key(key), jpeg, px=max(1, round(ttl_s * 1000)))

    def get(self, names: Sequence[str]) -> dict[str, bytes]:
        """Return those pictures that are still there."""
        if not names:
            return {}
        with translated(self._client, "reading snapshots"):
            found: Any = self._client.mget([keys.snapshot_key(name) for name in names])
        return {name: jpeg for name, jpeg in zip(names, found, strict=True) if jpeg is not None}


def _entry(id_: bytes, fields: dict[bytes, bytes] | None) -> Entry:
    """Return an entry; one whose bytes are gone (removed by somebody else) is empty, and then refused as no record."""
    return Entry(id_.decode(), (fields or {}).get(b"r", b""))
