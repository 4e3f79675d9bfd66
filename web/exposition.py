"""Counters of all cameras in Prometheus' form; the site alone exports them, so nothing is counted twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from maskwatch.broker.counts import CameraCounts, CountsSnapshot
from maskwatch.broker.messages import CameraView, ProcessInfo
from maskwatch.errors import QueueError
from maskwatch.types import CameraState, Verdict
from web.bus import Bus
from web.hub import Hub
from web.sight import sight_of
from web.streams import StreamSlots

__all__ = ["SiteCollector"]

_SERVICES = ("ingest", "worker", "recorder", "jobs", "web")


class SiteCollector(Collector):
    """Reads all counters once per scrape; a server of Redis that is away is said to be, and hides what it knows.

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
        live, durable = self._live(), self._durable()
        answered = GaugeMetricFamily("maskwatch_redis_up", "Whether Redis answered this scrape", labels=["server"])
        answered.add_metric(["live"], float(live is not None))
        answered.add_metric(["durable"], float(durable is not None))
        yield answered
        yield from durable or ()
        yield from live or ()

    def _live(self) -> list[Metric] | None:
        """Return what the live server knows; None while it doesn't answer."""
        try:
            counts, views, shedding = self._bus.counts(), self._bus.overview(), self._bus.shedding()
            processes = self._bus.processes()
        except QueueError:
            return None
        level = GaugeMetricFamily(
            "maskwatch_shedding_level",
            f"What gives way because the workers can't keep up: 0 nothing, {shedding.MOST} all that may",
            shedding.level,
        )
        return [level, _alive(processes), *_sights(views), *_counters(counts.cameras, views), *_histograms(counts)]

    def _durable(self) -> list[Metric] | None:
        """Return what waits on the durable server; None while it doesn't answer."""
        try:
            backlog = self._bus.backlog()
        except QueueError:
            return None
        return [
            GaugeMetricFamily("maskwatch_records_waiting", "Records that wait for a recorder", backlog.records),
            GaugeMetricFamily(
                "maskwatch_records_waiting_seconds", "For how long the oldest of them has waited", backlog.oldest_s
            ),
            GaugeMetricFamily("maskwatch_records_max", "Records at which workers stop and wait", backlog.most),
        ]


def _alive(processes: Iterable[ProcessInfo]) -> Metric:
    family = GaugeMetricFamily("maskwatch_processes", "Processes that are alive", labels=["service"])
    numbers = Counter(process.kind for process in processes)
    for service in _SERVICES:
        family.add_metric([service], numbers[service])
    return family


def _sights(views: Iterable[CameraView]) -> Iterator[Metric]:
    up = GaugeMetricFamily("maskwatch_camera_up", "Whether packets of a camera arrive", labels=["camera"])
    state = GaugeMetricFamily(
        "maskwatch_camera_state", "1, under the state that a camera is in now", labels=["camera", "state"]
    )
    age = GaugeMetricFamily(
        "maskwatch_camera_frame_age_seconds", "Since the capture of the newest analysed frame", labels=["camera"]
    )
    for view in views:
        seen = sight_of(view).state
        state.add_metric([view.info.name, seen.value], 1)
        if view.info.enabled:
            up.add_metric([view.info.name], float(seen is CameraState.LIVE))
        if view.info.enabled and view.frame_age_s is not None:
            age.add_metric([view.info.name], view.frame_age_s)
    yield from (up, state, age)


def _counters(cameras: Mapping[str, CameraCounts], views: Iterable[CameraView]) -> Iterator[Metric]:
    yield _plain(cameras, "maskwatch_frames_captured", "Frames that were due", lambda counts: counts.captured)
    yield _plain(cameras, "maskwatch_frames_analysed", "Frames with a result", lambda counts: counts.analysed)
    yield _plain(
        cameras,
        "maskwatch_faces_unlabelled",
        "Faces in analysed frames that got no label: too small, too blurred, or nobody could tell",
        lambda counts: counts.unlabelled,
    )
    yield _plain(
        cameras,
        "maskwatch_label_flips",
        "Looks that said something else of a person than the look before",
        lambda counts: counts.label_flips,
    )
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
    yield _zones(cameras, views)


def _zones(cameras: Mapping[str, CameraCounts], views: Iterable[CameraView]) -> Metric:
    """Return people by zone: of the zones that are configured now, those where nobody was included."""
    family = CounterMetricFamily(
        "maskwatch_zone_people",
        "People whose track has ended, by zone they were in and final verdict; who was in two counts in both",
        labels=["camera", "zone", "verdict"],
    )
    for view in views:
        counts = cameras.get(view.info.name)
        if counts is None:
            continue
        for zone in view.info.zones:
            if not zone.is_ignored:
                numbers = counts.zones.get(zone.name, {})
                for verdict in Verdict:
                    family.add_metric([view.info.name, zone.name, verdict.value], numbers.get(verdict.value, 0))
    return family


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
    sizes = HistogramMetricFamily(
        "maskwatch_face_size_pixels",
        "Longest sides of faces, in pixels of the analysed frame",
        labels=["camera"],
    )
    for camera, counted in counts.cameras.items():
        sizes.add_metric([camera], counted.face_sizes_px.cumulative, counted.face_sizes_px.sum)
    yield sizes
    confidence = HistogramMetricFamily(
        "maskwatch_face_confidence", "Chances of the labels that faces got, of all cameras", labels=["label"]
    )
    for label, chances in counts.confidence.items():
        confidence.add_metric([label], chances.cumulative, chances.sum)
    yield confidence
