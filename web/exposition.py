"""Counters of all cameras in Prometheus' form; the site alone exports them, so nothing is counted twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from maskwatch.broker.counts import CameraCounts, CountsSnapshot
from maskwatch.broker.messages import CameraView
from maskwatch.errors import QueueError
from maskwatch.types import CameraState
from web.bus import Bus
from web.hub import Hub
from web.sight import sight_of
from web.streams import StreamSlots

__all__ = ["SiteCollector"]


class SiteCollector(Collector):
    """Reads all counters once per scrape; while Redis is away it says that, and nothing else.

    Args:
        bus: where the counters are read.
        slots: of streams.
        hub: of streams.
    """

    def __init__(self, bus: Bus, slots: StreamSlots, hub: Hub) -> None:
        self._bus = bus
        self._slots = slots
        self._hub = hub

    def describe(self) -> list[Metric]:
        """Return nothing, so that registering this doesn't ask Redis."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        yield GaugeMetricFamily("maskwatch_streams_open", "Streams that this site serves now", self._slots.open)
        yield GaugeMetricFamily("maskwatch_streams_max", "Streams that it may serve", self._slots.most)
        try:
            counts, views, shedding = self._bus.counts(), self._bus.overview(), self._bus.shedding()
        except QueueError:
            yield GaugeMetricFamily("maskwatch_redis_up", "Whether Redis answered this scrape", 0)
            return
        yield GaugeMetricFamily("maskwatch_redis_up", "Whether Redis answered this scrape", 1)
        yield GaugeMetricFamily(
            "maskwatch_shedding_level",
            f"What gives way because the workers can't keep up: 0 nothing, {shedding.MOST} all that may",
            shedding.level,
        )
        yield _camera_up(views)
        yield from _counters(counts.cameras)
        yield from _histograms(counts)


def _camera_up(views: list[CameraView]) -> Metric:
    family = GaugeMetricFamily("maskwatch_camera_up", "Whether packets of a camera arrive", labels=["camera"])
    for view in views:
        if view.info.enabled:
            family.add_metric([view.info.name], float(sight_of(view).state is CameraState.LIVE))
    return family


def _counters(cameras: Mapping[str, CameraCounts]) -> Iterator[Metric]:
    yield _plain(cameras, "maskwatch_frames_captured", "Frames that were due", lambda counts: counts.captured)
    yield _plain(cameras, "maskwatch_frames_analysed", "Frames with a result", lambda counts: counts.analysed)
    for name, text, label, read in (
        ("frames_dropped", "Frames without a result", "reason", lambda counts: counts.dropped),
        ("faces", "Faces in analysed frames, by this frame's label", "label", lambda counts: counts.faces),
        ("people", "People whose track has ended, by final verdict", "verdict", lambda counts: counts.people),
        ("events", "What happened", "kind", lambda counts: counts.events),
    ):
        family = CounterMetricFamily(f"maskwatch_{name}", text, labels=["camera", label])
        _fill(family, cameras, read)
        yield family
    present = GaugeMetricFamily(
        "maskwatch_people_present", "People in the newest analysed frame", labels=["camera", "verdict"]
    )
    _fill(present, cameras, lambda counts: counts.present)
    yield present


def _plain(cameras: Mapping[str, CameraCounts], name: str, text: str, read: Callable[[CameraCounts], int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=["camera"])
    for camera, counts in cameras.items():
        family.add_metric([camera], read(counts))
    return family


def _fill(
    family: CounterMetricFamily | GaugeMetricFamily,
    cameras: Mapping[str, CameraCounts],
    read: Callable[[CameraCounts], Mapping[str, int]],
) -> None:
    for camera, counts in cameras.items():
        for value, number in read(counts).items():
            family.add_metric([camera, value], number)


def _histograms(counts: CountsSnapshot) -> Iterator[Metric]:
    for name, text, histogram in (
        ("maskwatch_frame_latency_seconds", "From a frame's capture to its result", counts.latency),
        ("maskwatch_queue_wait_seconds", "From a frame's offer to a worker's taking it", counts.queue_wait),
    ):
        yield HistogramMetricFamily(name, text, buckets=histogram.cumulative, sum_value=histogram.sum_s)
