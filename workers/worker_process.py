"""The worker's process: its connections, its models, what others see of it, and the live worker in their midst."""

from __future__ import annotations

import socket
import time
from contextlib import suppress

import structlog

from maskwatch.broker.connect import connect
from maskwatch.broker.events import EventLog, Snapshots
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.happened import Happened
from maskwatch.broker.messages import ProcessInfo
from maskwatch.broker.processes import ProcessBook
from maskwatch.broker.shedding import SheddingBook
from maskwatch.errors import QueueError
from maskwatch.metrics import ModelMetrics, ProcessMetrics
from maskwatch.service import Stop
from maskwatch.settings import Settings
from maskwatch.shedding import Shedding
from maskwatch.types import Profile
from models.manifest import ModelKind
from models.store import ModelStore
from workers.batching import BatchPlan, LoadMeter
from workers.keeping import Forwarder, Keeper
from workers.live import LiveWorker
from workers.models import WorkerModels, load_models
from workers.pipeline import PipelineOptions
from workers.registration import Registration
from workers.relook import RelookOptions
from workers.steering import Steering
from workers.swap import ModelSwap

__all__ = ["run"]


def run(settings: Settings, name: str, stop: Stop) -> None:
    """Be a worker until `stop` is requested.

    Args:
        settings: of this process.
        name: unique among the workers.
        stop: the request to end.

    Raises:
        ConfigError: if there is no Redis in the settings or the metrics' address is taken.
        ModelError: if a model can't be used; the queue isn't touched then.
    """
    log = structlog.get_logger()
    began_s = time.monotonic()
    redis = settings.require_redis()
    url = redis.live.get_secret_value()
    metrics = ProcessMetrics("worker")
    shown = ModelMetrics(metrics.registry, ModelKind)
    address = metrics.serve(settings.metrics)
    models = _load(settings, shown)
    swap = ModelSwap(models, shown.refused)
    info = ProcessInfo("worker", name, address, socket.gethostname(), models.engine.value)
    durable = connect(redis.durable.get_secret_value())
    with connect(url, blocking=True) as client, connect(url) as other, durable:
        registration = Registration(ProcessBook(other), info)
        records = EventLog(durable)
        forwarder = Forwarder(Happened(other), records)
        meter = LoadMeter()
        metrics.follow(
            "maskwatch_worker_busy_seconds", "Time that this worker worked; the rest it waited", meter.busy_s
        )
        steering = Steering(SheddingBook(other), name, meter) if settings.shedding.enabled else None

        def beat() -> None:
            metrics.pulse.beat()
            spoken = models.spoken()
            shown.show(spoken, models.engine.value)
            registration.beat([label for _, label in spoken])
            forwarder.step()

        worker = LiveWorker(
            FrameQueue(client, stale_ms=round(settings.worker.stale_after_s * 1000)), models, metrics, stop,
            plan=BatchPlan(settings.worker.batch, settings.worker.batch_within_s, settings.worker.gather_s),
            options=_options(settings), beat=beat, meter=meter, steer=steering.step if steering else Shedding,
            swap=swap, keeper=Keeper(records, Snapshots(other)),
        )  # fmt: skip
        log.info(
            "worker.ready", name=name, engine=models.engine.value, models=[label for _, label in models.spoken()],
            metrics=address, batch=settings.worker.batch, after_s=round(time.monotonic() - began_s, 2),
        )  # fmt: skip
        try:
            worker.run()
        finally:
            registration.leave()
            if steering is not None:
                with suppress(QueueError):
                    steering.leave()
            swap.close()
    log.info("worker.stopped", name=name)


def _options(settings: Settings) -> PipelineOptions:
    return PipelineOptions(min_face_px=settings.worker.min_face_px, relook=RelookOptions.of(settings.worker.relook))


def _load(settings: Settings, shown: ModelMetrics) -> WorkerModels:
    """Load what the configured cameras need.

    Raises:
        ModelError: if a model can't be used.
    """
    cameras = [camera for camera in settings.cameras.values() if camera.enabled]
    profiles = {camera.profile for camera in cameras} or {Profile.ACCURATE}
    if settings.shedding.enabled:
        # The moment at which the workers can't keep up is the wrong one for compiling a network.
        profiles.add(Profile.FAST)
    return load_models(
        settings.worker.engine,
        settings.worker.engine_fallback,
        threads=settings.worker.threads,
        batch=settings.worker.batch,
        detectors={camera.detector for camera in cameras},
        profiles=profiles,
        store=ModelStore(settings.models_folder),
        refused=shown.refused,
    )
