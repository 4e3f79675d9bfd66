"""The recorder: takes records from the stream, keeps their pictures, writes them to the record, then acknowledges.

In this order a death at any point loses nothing, and what is done again then is done once: pictures have names, records
have ids.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid5

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from maskwatch.backoff import Backoff
from maskwatch.blobs import BlobStore
from maskwatch.broker.events import Entry, EventLog, Snapshots
from maskwatch.errors import BlobError, QueueError, RecordRefused, StoreError, WireError
from maskwatch.events import Event, Record, unpack_record
from maskwatch.service import Stop
from maskwatch.store import Recorded, Rejected, Store
from workers.retention import SNAPSHOT_PREFIX

__all__ = ["Recorder", "RecorderMetrics"]

_BATCH = 500
"""One transaction costs a disk's flush, whatever is in it."""
_WAIT_S = 1.0
_MOST_REJECTED_BYTES = 65_536
_NAMESPACE = UUID("b7c0a1de-58a2-5c5e-9d0b-3f5a4e1c2d77")
_LOOK_EVERY_S = 1.0


class RecorderMetrics:
    """What a recorder tells Prometheus.

    Args:
        registry: of the process.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.lag = Gauge("maskwatch_recorder_lag", "Records that wait to be recorded", registry=registry)
        self.lag_s = Gauge(
            "maskwatch_recorder_lag_seconds", "For how long the oldest of them has waited", registry=registry
        )
        self._records = Counter(
            "maskwatch_recorder_records", "Records taken from the stream", ["outcome"], registry=registry
        )
        self._pictures = Counter(
            "maskwatch_recorder_snapshots", "Pictures that events came with", ["outcome"], registry=registry
        )
        for outcome in ("recorded", "repeated", "rejected"):
            self._records.labels(outcome)
        for outcome in ("kept", "missing", "failed"):
            self._pictures.labels(outcome)

    def recorded(self, done: Recorded, rejected: int) -> None:
        """Count a batch that is on disk."""
        self._records.labels("recorded").inc(done.events + done.people)
        self._records.labels("repeated").inc(done.repeated)
        self._records.labels("rejected").inc(rejected)

    def picture(self, outcome: str) -> None:
        """Count a picture: kept, missing or failed."""
        self._pictures.labels(outcome).inc()


class Recorder:
    """Records until it is asked to stop; a batch that was begun is finished first.

    Args:
        log: the stream.
        store: the record, its tables made.
        blobs: where pictures are kept.
        snapshots: where pictures come from.
        metrics: of this process.
        stop: the request to end.
        name: unique among the recorders.
        beat: called before each batch; says that this process is alive.
        tell: called after each batch that somebody is to be told of, with the receivers' names.
    """

    def __init__(
        self,
        log: EventLog,
        store: Store,
        blobs: BlobStore,
        snapshots: Snapshots,
        metrics: RecorderMetrics,
        stop: Stop,
        *,
        name: str,
        beat: Callable[[], None] = lambda: None,
        tell: Callable[[Collection[str]], None] = lambda _receivers: None,
    ) -> None:
        self._stream = log
        self._store = store
        self._blobs = blobs
        self._snapshots = snapshots
        self._metrics = metrics
        self._stop = stop
        self._name = name
        self._beat = beat
        self._tell = tell
        self._backoff = Backoff(0.1, 5.0)
        self._look_at_s = 0.0
        self._log = structlog.get_logger()

    def run(self) -> None:
        """Work until the end is requested."""
        while not self._stop.requested:
            try:
                self._beat()
                self.step(_WAIT_S)
                self._backoff.reset()
            except (QueueError, StoreError, BlobError) as error:
                self._stream.read_again(self._name)
                wait_s = self._backoff.next_s()
                event = "recorder.record_refused" if isinstance(error, StoreError) else "recorder.waiting"
                self._log.warning(event, error=str(error), again_in_s=round(wait_s, 2))
                self._stop.wait(wait_s)

    def step(self, wait_s: float) -> int:
        """Record one batch and return how many entries it had.

        Args:
            wait_s: how long to wait for one.

        Raises:
            QueueError: if Redis can't be asked; nothing is acknowledged that isn't on disk.
            StoreError: if the record can't be written.
        """
        self._look()
        entries = self._stream.read(self._name, _BATCH, wait_s)
        if entries:
            receivers = self._record(entries)
            self._stream.ack([entry.id for entry in entries])
            if receivers:
                self._tell(receivers)
        return len(entries)

    def _record(self, entries: Sequence[Entry]) -> frozenset[str]:
        """Write entries to the record and return who is to be told of them."""
        records: list[Record] = []
        rejected: list[Rejected] = []
        for entry in entries:
            try:
                records.append(unpack_record(entry.data))
            except WireError as error:
                rejected.append(_rejected(entry.id, entry.data, str(error)))
        records = self._with_pictures(records)
        try:
            done = self._store.record(records, rejected)
        except RecordRefused:
            done, refused = self._one_by_one(records)
            rejected += refused
            self._store.record([], rejected)
        self._metrics.recorded(done, len(rejected))
        for one in rejected:
            self._log.warning("record.rejected", reason=one.reason)
        return done.receivers

    def _one_by_one(self, records: Sequence[Record]) -> tuple[Recorded, list[Rejected]]:
        """Record what can be recorded of a batch in which something can't, and return that."""
        events = people = repeated = 0
        new: set[UUID] = set()
        receivers: set[str] = set()
        refused: list[Rejected] = []
        for record in records:
            try:
                done = self._store.record([record])
            except RecordRefused as error:
                refused.append(_rejected(str(record.id), repr(record).encode("utf-8", "replace"), str(error)))
                continue
            events, people, repeated = events + done.events, people + done.people, repeated + done.repeated
            new |= done.new_events
            receivers |= done.receivers
        return Recorded(events, people, repeated, frozenset(new), frozenset(receivers)), refused

    def _with_pictures(self, records: Sequence[Record]) -> list[Record]:
        """Keep the pictures that events name and return the records with the names they are kept under."""
        names = {record.snapshot for record in records if isinstance(record, Event) and record.snapshot is not None}
        if not names:
            return list(records)
        try:
            found = self._snapshots.get(sorted(names))
        except QueueError as error:
            # That server is the disposable one: an event without its picture is better than one that waits for it.
            self._log.warning("snapshot.unreachable", error=str(error))
            found = {}
        kept = {name: self._keep(name, found.get(name)) for name in sorted(names)}
        return [
            replace(record, snapshot=kept[record.snapshot])
            if isinstance(record, Event) and record.snapshot is not None
            else record
            for record in records
        ]

    def _keep(self, name: str, jpeg: bytes | None) -> str | None:
        """Keep a picture and return its name in the folder, or None when there is none."""
        key = f"{SNAPSHOT_PREFIX}{name}.jpg"
        try:
            if jpeg is None:
                # It may have been kept before a death, and be gone from where it came from since.
                is_here = self._blobs.has(key)
                self._metrics.picture("kept" if is_here else "missing")
                return key if is_here else None
            self._blobs.put(key, jpeg)
        except BlobError as error:
            self._metrics.picture("failed")
            self._log.warning("snapshot.not_kept", error=str(error))
            return None
        self._metrics.picture("kept")
        return key

    def _look(self) -> None:
        """Measure the backlog once a second."""
        if time.monotonic() >= self._look_at_s:
            self._look_at_s = time.monotonic() + _LOOK_EVERY_S
            backlog = self._stream.backlog()
            self._metrics.lag.set(backlog.records)
            self._metrics.lag_s.set(backlog.oldest_s)


def _rejected(about: str, data: bytes, reason: str) -> Rejected:
    """Return what is set aside, under an id that is the same when it comes again."""
    id_ = uuid5(_NAMESPACE, f"{about} {data.hex()}")
    return Rejected(id_, datetime.now(UTC), reason[:4096], data[:_MOST_REJECTED_BYTES])
