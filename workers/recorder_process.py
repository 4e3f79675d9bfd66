"""A recorder as a process: `maskwatch recorder`."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

import structlog

from maskwatch.backoff import Backoff
from maskwatch.blobs import BlobStore
from maskwatch.broker.connect import connect
from maskwatch.broker.events import EventLog, Snapshots
from maskwatch.broker.messages import ProcessInfo
from maskwatch.broker.processes import ProcessBook
from maskwatch.errors import QueueError, StoreDown
from maskwatch.jobs import JobBook
from maskwatch.metrics import ProcessMetrics
from maskwatch.pulse import Pulse
from maskwatch.service import Stop
from maskwatch.settings import Settings
from maskwatch.store import Store
from workers.notify.asking import ask_for
from workers.recorder import Recorder, RecorderMetrics
from workers.registration import Registration

__all__ = ["run"]

_MB = 1_000_000


def run(settings: Settings, name: str, stop: Stop) -> None:
    """Be a recorder until `stop` is requested.

    Args:
        settings: of this process.
        name: unique among the recorders.
        stop: the request to end.

    Raises:
        ConfigError: if there is no Redis in the settings, the record's address is none, or the metrics' is taken.
        StoreError: if the record was made by a newer version.
    """
    log = structlog.get_logger()
    redis = settings.require_redis()
    metrics = ProcessMetrics("recorder")
    shown = RecorderMetrics(metrics.registry)
    blobs = BlobStore(settings.blobs_folder, settings.blobs.most_mb * _MB)
    live_url, durable_url = redis.live.get_secret_value(), redis.durable.get_secret_value()
    with (
        Store(settings.record_url, settings.notify.audience) as store,
        connect(live_url) as live,
        connect(durable_url, blocking=True) as durable,
    ):
        info = ProcessInfo("recorder", name, metrics.serve(settings.metrics), socket.gethostname())
        registration = Registration(ProcessBook(live), info)
        if not _make_tables(store, stop):
            return
        stream = EventLog(durable)
        book = JobBook(durable)
        recorder = Recorder(
            stream, store, blobs, Snapshots(live), shown, stop,
            name=name, beat=_quietly(registration.beat, metrics.pulse),
            tell=lambda receivers: ask_for(book, receivers),
        )  # fmt: skip
        log.info(
            "recorder.ready", name=name, record=store.place, pictures=str(settings.blobs_folder), metrics=info.address
        )
        try:
            recorder.run()
        finally:
            registration.leave()
            with suppress(QueueError):
                stream.leave(name)
    log.info("recorder.stopped", name=name)


def _make_tables(store: Store, stop: Stop) -> bool:
    """Bring the record to this version's form, waiting for a database that isn't up yet; False when the end came first.

    Raises:
        StoreError: if a newer version made it.
    """
    backoff = Backoff(0.2, 5.0)
    while not stop.requested:
        try:
            store.upgrade()
            return True
        except StoreDown as error:
            wait_s = backoff.next_s()
            structlog.get_logger().warning("recorder.record_refused", error=str(error), again_in_s=round(wait_s, 2))
            stop.wait(wait_s)
    return False


def _quietly(beat: Callable[[], None], pulse: Pulse) -> Callable[[], None]:
    """Return a beat for which a live server that is away is no reason not to record."""

    def without_error() -> None:
        pulse.beat()
        with suppress(QueueError):
            beat()

    return without_error
