"""A process' own facts for Prometheus: stages, batches, memory. Counts about cameras come from the site alone."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from maskwatch import __version__, pulse
from maskwatch.errors import ConfigError
from maskwatch.settings.model import MetricsSettings, is_loopback

__all__ = ["ModelMetrics", "ProcessMetrics"]

_STAGE_BUCKETS_S = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0, 2.0)
_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)


class ProcessMetrics:
    """The metrics of one process, in a registry of its own.

    Args:
        service: ingest, worker, web, ...; a label of `maskwatch_build_info`.
    """

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        self.pulse = pulse.Pulse()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        Gauge("maskwatch_build_info", "Version of this process", ["version", "service"], registry=self.registry).labels(
            __version__, service
        ).set(1)
        self._stage = Histogram(
            "maskwatch_stage_seconds",
            "Time of one call of a stage",
            ["stage"],
            buckets=_STAGE_BUCKETS_S,
            registry=self.registry,
        )
        self.batch_size = Histogram(
            "maskwatch_batch_size", "Frames in one batch", buckets=_BATCH_BUCKETS, registry=self.registry
        )

    def observe(self, stage: str, seconds: float) -> None:
        """Record one call of a stage that took `seconds`."""
        self._stage.labels(stage).observe(seconds)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the body as one call of the stage `name`."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.observe(name, time.monotonic() - began)

    def follow(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Show a number that is kept elsewhere and only grows: it is read when somebody asks, and costs nothing else.

        Args:
            name: of the counter, without `_total`.
            text: what it is.
            read: gives it; called by another thread.
        """
        self.registry.register(_Followed(name, text, read))

    def serve(self, settings: MetricsSettings) -> str:
        """Start answering `/metrics`, and `/healthz` by `pulse`, in a daemon thread.

        Returns:
            HOST:PORT under which Prometheus reaches it.

        Raises:
            ConfigError: if the address can't be listened on.
        """
        try:
            port = pulse.serve(settings.host, settings.port, self.registry, self.pulse)
        except OSError as error:
            raise ConfigError(
                f"metrics: can't listen on {settings.host}:{settings.port}: {error.strerror}; "
                "give another metrics.port, or 0 for a free one"
            ) from error
        advertised = settings.advertise or (settings.host if is_loopback(settings.host) else socket.getfqdn())
        return advertised if ":" in advertised else f"{advertised}:{port}"


class _Followed(Collector):
    """A counter that is kept elsewhere."""

    def __init__(self, name: str, text: str, read: Callable[[], float]) -> None:
        self._name, self._text, self._read = name, text, read

    def collect(self) -> Iterator[Metric]:
        yield CounterMetricFamily(self._name, self._text, self._read())


class ModelMetrics:
    """Which models speak in a process, and how many it refused.

    Args:
        registry: of the process.
        kinds: all there are.
    """

    def __init__(self, registry: CollectorRegistry, kinds: Iterable[str]) -> None:
        self._info = Gauge(
            "maskwatch_model_info", "Models that speak", ["kind", "name", "version", "engine"], registry=registry
        )
        self._refused = Counter(
            "maskwatch_model_refused", "Activated models that couldn't be used", ["kind"], registry=registry
        )
        for kind in kinds:
            self._refused.labels(kind)
        self._shown: frozenset[tuple[str, str, str, str]] = frozenset()

    def refused(self, kind: str) -> None:
        """Count a model that couldn't be used."""
        self._refused.labels(kind).inc()

    def show(self, models: Iterable[tuple[str, str]], engine: str) -> None:
        """Show these models and no others.

        Args:
            models: kind and label, which is name and version with a space between them.
            engine: what runs the networks.
        """
        wanted = frozenset((kind, *label.partition(" ")[::2], engine) for kind, label in models)
        for values in wanted - self._shown:
            self._info.labels(*values).set(1)
        for values in self._shown - wanted:
            self._info.remove(*values)
        self._shown = wanted
