"""`maskwatch jobs` as a process: it starts a worker for each queue, keeps them running, and looks after the jobs."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, Gauge

from maskwatch.broker.connect import connect, translated
from maskwatch.broker.messages import ProcessInfo
from maskwatch.broker.processes import ProcessBook
from maskwatch.children import ChildSpec
from maskwatch.errors import QueueError
from maskwatch.jobs.records import JobRecords
from maskwatch.metrics import ProcessMetrics
from maskwatch.service import Stop, stacks_on_signal
from maskwatch.settings import Settings
from maskwatch.supervisor import Supervisor
from workers.jobs.entry import CONFIG_VARIABLE
from workers.jobs.rq_workers import make_worker
from workers.jobs.steward import Steward, take_over
from workers.registration import Registration

__all__ = ["run", "run_queue"]

_TICK_S = 0.1
_COUNT_EVERY_S = 5.0
_STOP_BUDGET_S = 7.0
"""For a film's newest part to be finished and its place written down; otherwise some seconds of work are lost."""


def run(settings: Settings, config: Path | None, queues: Sequence[str], name: str, stop: Stop) -> None:
    """Do jobs until `stop` is requested.

    Args:
        settings: of this process.
        config: the file they come from, for the processes that are started here.
        queues: for each of them a worker is started.
        name: unique among the processes that do jobs.
        stop: the request to end.

    Raises:
        ConfigError: if there is no Redis in the settings, a worker refuses them, or the metrics' address is taken.
    """
    log = structlog.get_logger()
    redis = settings.require_redis()
    metrics = ProcessMetrics("jobs")
    environ = dict(os.environ) | ({CONFIG_VARIABLE: str(config.resolve())} if config else {})
    supervisor = Supervisor()
    with connect(redis.live.get_secret_value()) as live, connect(redis.durable.get_secret_value()) as durable:
        info = ProcessInfo("jobs", name, metrics.serve(settings.metrics), socket.gethostname())
        registration = Registration(ProcessBook(live), info)
        steward, counts = Steward(settings, durable), _Counts(JobRecords(durable), metrics.registry)
        try:
            for queue in queues:
                words = ("jobs", "--queue", queue, "--name", f"{name}-{queue}", "--one")
                argv = (sys.executable, "-P", "-m", "maskwatch", *words)
                supervisor.add(ChildSpec(f"jobs-{queue}", argv, environ, stop_rank=0))
            log.info("jobs.ready", name=name, queues=list(queues), metrics=info.address)
            while not stop.wait(_TICK_S):
                metrics.pulse.beat()
                supervisor.tick()
                steward.tick()
                with suppress(QueueError):
                    registration.beat()
                    counts.show()
        finally:
            supervisor.stop(budget_s=_STOP_BUDGET_S)
            steward.leave()
            registration.leave()
    log.info("jobs.stopped", name=name)


def run_queue(settings: Settings, queue: str, name: str) -> None:
    """Be the worker of one queue until SIGTERM.

    Args:
        settings: of this process.
        queue: `quick` or `long`.
        name: unique among the workers; one that was called so before is dead.

    Raises:
        ConfigError: if there is no Redis in the settings.
        QueueError: if Redis can't be reached.
    """
    stacks_on_signal()
    with connect(settings.require_redis().durable.get_secret_value(), blocking=True) as client:
        with translated(client, "beginning to work"):
            take_over(client, name)
            worker = make_worker(queue, name, client)
        worker.work(logging_level="WARNING")


class _Counts:
    """How many jobs are in which state, as a metric."""

    def __init__(self, records: JobRecords, registry: CollectorRegistry) -> None:
        self._records = records
        self._gauge = Gauge("maskwatch_jobs", "Jobs", ["queue", "state"], registry=registry)
        self._next_s = 0.0

    def show(self) -> None:
        """Count anew when it is time.

        Raises:
            QueueError: if Redis can't be asked.
        """
        if time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + _COUNT_EVERY_S
        for (queue, state), count in self._records.counts().items():
            self._gauge.labels(queue, state.value).set(count)
