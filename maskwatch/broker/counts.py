"""Everything that is counted per camera, read in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import redis

from maskwatch.broker import keys
from maskwatch.broker.connect import translated
from maskwatch.broker.script import run_script
from maskwatch.types import MaskLabel, Verdict

__all__ = ["CameraCounts", "Counts", "CountsSnapshot", "Distribution", "Histogram", "Totals"]


@dataclass(frozen=True, slots=True)
class Distribution:
    """How often values fell where; its owner says their unit.

    Attributes:
        bounds: upper bounds of the buckets, without the last one, which has none.
        counts: one more than bounds; not cumulative.
        sum: of all values.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float

    @property
    def cumulative(self) -> list[tuple[str, int]]:
        """Buckets as Prometheus wants them: (`le`, count up to it), the last one `+Inf`."""
        return _cumulative(self.bounds, self.counts)


_NOTHING = Distribution((), (0,), 0.0)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over frames.

    Attributes:
        captured: frames that were due.
        analysed: those with a result.
        dropped: those without, by reason.
        faces: faces seen in analysed frames, by label.
        people: closed tracks, by verdict.
        events: by kind.
    """

    captured: int
    analysed: int
    dropped: Mapping[str, int]
    faces: Mapping[str, int]
    people: Mapping[str, int]
    events: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class CameraCounts(Totals):
    """What is counted of one camera.

    Attributes:
        present: people in the newest analysed frame, by verdict.
        waiting: frames that wait, 0 or 1.
        in_flight: frames that a worker holds, 0 or 1.
        unlabelled: faces seen in analysed frames that got no label: too small, too blurred, or nobody could tell.
        label_flips: looks that said something else of a person than the look before.
        face_sizes_px: longest sides of all faces seen, in pixels of the analysed frame.
        zones: people whose track has ended, by zone they were in and verdict; zones where nobody was are missing.
    """

    present: Mapping[str, int]
    waiting: int
    in_flight: int
    unlabelled: int = 0
    label_flips: int = 0
    face_sizes_px: Distribution = _NOTHING
    zones: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def balanced(self) -> bool:
        """Whether every captured frame is accounted for."""
        return self.captured == self.analysed + sum(self.dropped.values()) + self.waiting + self.in_flight


@dataclass(frozen=True, slots=True)
class Histogram:
    """Durations.

    Attributes:
        bounds_s: upper bounds of the buckets in seconds, without the last one, which has none.
        counts: one more than bounds; not cumulative.
        sum_s: of all durations, in seconds.
    """

    bounds_s: tuple[float, ...]
    counts: tuple[int, ...]
    sum_s: float

    @property
    def count(self) -> int:
        """How many durations were observed."""
        return sum(self.counts)

    @property
    def cumulative(self) -> list[tuple[str, int]]:
        """Buckets as Prometheus wants them: (`le`, count up to it), the last one `+Inf`."""
        return _cumulative(self.bounds_s, self.counts)


@dataclass(frozen=True, slots=True)
class CountsSnapshot:
    """All counters at one moment.

    Attributes:
        cameras: by name, sorted; retiring ones too, until their tracks are closed.
        latency: capture to result.
        queue_wait: offer to take.
        removed: sums over the cameras that are gone.
        confidence: chances of the labels that faces got, by label; of all cameras, gone or not.
    """

    cameras: Mapping[str, CameraCounts]
    latency: Histogram
    queue_wait: Histogram
    removed: Totals
    confidence: Mapping[str, Distribution] = field(default_factory=dict)

    @property
    def balanced(self) -> bool:
        """Whether every captured frame of every camera, gone or not, is accounted for."""
        removed = self.removed.captured == self.removed.analysed + sum(self.removed.dropped.values())
        return removed and all(camera.balanced for camera in self.cameras.values())


class Counts:
    """Reads the counters."""

    @staticmethod
    def read(client: redis.Redis) -> CountsSnapshot:
        """Read all counters in one transaction and one round trip.

        Raises:
            BrokerDown: if Redis can't be reached.
            QueueError: if Redis answers with an error.
        """
        with translated(client, "reading the counters"):
            latency, wait, removed, confidence, cameras = run_script(client, "counts", [keys.KNOWN], [])
        return CountsSnapshot(
            cameras={name.decode(): _camera(waiting, taken, flat) for name, waiting, taken, flat in sorted(cameras)},
            latency=_histogram(latency),
            queue_wait=_histogram(wait),
            removed=Totals(**_totals(_numbers(removed))),
            confidence=_confidence(_numbers(confidence)),
        )


def _numbers(flat: Sequence[bytes]) -> dict[str, int]:
    return {field.decode(): int(number) for field, number in zip(flat[::2], flat[1::2], strict=True)}


def _family(numbers: Mapping[str, int], family: str) -> dict[str, int]:
    """Return the members of a closed set of counters, e.g. `dropped`, missing ones as 0."""
    begin = family + ":"
    return {name[len(begin) :]: numbers.get(name, 0) for name in keys.COUNTERS if name.startswith(begin)}


def _totals(numbers: Mapping[str, int]) -> dict[str, Any]:
    return {
        "captured": numbers.get(keys.CAPTURED, 0),
        "analysed": numbers.get(keys.ANALYSED, 0),
        **{family: _family(numbers, family) for family in ("dropped", "faces", "people", "events")},
    }


def _camera(waiting: int, in_flight: int, flat: Sequence[bytes]) -> CameraCounts:
    numbers = _numbers(flat)
    sizes = tuple(_family(numbers, "face_size").values())
    return CameraCounts(
        **_totals(numbers),
        present=_family(numbers, "present"),
        waiting=waiting,
        in_flight=in_flight,
        unlabelled=numbers.get(keys.UNLABELLED, 0),
        label_flips=numbers.get(keys.FLIPS, 0),
        face_sizes_px=Distribution(keys.FACE_SIZE_BUCKETS_PX, sizes, numbers.get(keys.FACE_SIZE_SUM, 0)),
        zones=_zones(numbers),
    )


def _zones(numbers: Mapping[str, int]) -> dict[str, dict[str, int]]:
    names = sorted({name.split(":")[1] for name in numbers if name.startswith("zone:")})
    return {
        zone: {verdict.value: numbers.get(keys.zone_field(zone, verdict), 0) for verdict in Verdict} for zone in names
    }


def _cumulative(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, int]]:
    names = [*(str(bound) for bound in bounds), "+Inf"]
    return list(zip(names, accumulate(counts), strict=True))


def _confidence(numbers: Mapping[str, int]) -> dict[str, Distribution]:
    bounds = keys.CONFIDENCE_BUCKETS
    return {
        label.value: Distribution(
            bounds,
            tuple(numbers.get(keys.confidence_field(label, bucket), 0) for bucket in range(len(bounds) + 1)),
            numbers.get(keys.confidence_field(label, "sum"), 0) / 1000,
        )
        for label in MaskLabel
    }


def _histogram(flat: Sequence[bytes]) -> Histogram:
    numbers = _numbers(flat)
    bounds = keys.HISTOGRAM_BUCKETS_S
    counts = tuple(numbers.get(str(bucket), 0) for bucket in range(len(bounds) + 1))
    return Histogram(bounds, counts, numbers.get("sum_ms", 0) / 1000)
