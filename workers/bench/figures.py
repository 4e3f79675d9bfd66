"""What is said of many measurements: how many, the middle, and the slow end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from maskwatch.broker.counts import Histogram

__all__ = ["Summary", "difference", "frame_figures", "histogram_quantile_s", "quantile", "summarise"]


@dataclass(frozen=True, slots=True)
class Summary:
    """Many measurements in three numbers.

    Attributes:
        n: how many there were.
        median: of them; 0 without any.
        p95: below which 95 % of them are; 0 without any.
    """

    n: int
    median: float
    p95: float


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lies, interpolated; 0 without values.

    Args:
        values: in any order.
        share: 0..1.
    """
    if not values:
        return 0.0
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def summarise(values: Sequence[float]) -> Summary:
    """Return number, median and 95th percentile, rounded."""
    return Summary(len(values), round(quantile(values, 0.5), 3), round(quantile(values, 0.95), 3))


def frame_figures(results: Sequence[Mapping[str, Any]], fps_digits: int) -> dict[str, Any]:
    """Return what processes that looked at frames beside each other measured together.

    Args:
        results: of each: frames, seconds, faces, stage_ms by stage, and frame_ms.
        fps_digits: to which frames a second are rounded.
    """
    stages = {
        name: summarise([value for result in results for value in result["stage_ms"][name]])
        for name in results[0]["stage_ms"]
    }
    frames = sum(result["frames"] for result in results)
    return {
        "frames_per_second": round(sum(result["frames"] / result["seconds"] for result in results), fps_digits),
        "ms": {name: summary.median for name, summary in stages.items()},
        "ms_p95": {name: summary.p95 for name, summary in stages.items()},
        "faces_per_frame": round(sum(result["faces"] for result in results) / frames, 3),
        "frames": frames,
        **asdict(summarise([value for result in results for value in result["frame_ms"]])),
    }


def difference(later: Histogram, earlier: Histogram) -> Histogram:
    """Return what a histogram gained between two moments; one that was flushed meanwhile counts from 0."""
    counts = tuple(max(0, new - old) for new, old in zip(later.counts, earlier.counts, strict=True))
    return Histogram(later.bounds_s, counts, max(0.0, later.sum_s - earlier.sum_s))


def histogram_quantile_s(histogram: Histogram, share: float) -> float:
    """Return the duration below which a share of the observed ones lies, interpolated within its bucket.

    Durations beyond the last bound count as the last bound. Without observations: 0.

    Args:
        histogram: of durations.
        share: 0..1.
    """
    wanted = share * histogram.count
    passed = 0
    low_s = 0.0
    for bound_s, count in zip(histogram.bounds_s, histogram.counts, strict=False):
        if count and passed + count >= wanted:
            return low_s + (bound_s - low_s) * (wanted - passed) / count
        passed += count
        low_s = bound_s
    return low_s if histogram.count else 0.0
