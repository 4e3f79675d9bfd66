"""From looks at the counters to what `bench system` says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from maskwatch.broker.counts import CountsSnapshot, Histogram
from workers.bench.figures import difference, histogram_quantile_s
from workers.bench.watch import Costs

__all__ = ["Look", "figures"]


@dataclass(frozen=True, slots=True)
class Look:
    """The counters at one moment.

    Attributes:
        at_s: monotonic seconds.
        counts: all of them.
        level: of shedding.
    """

    at_s: float
    counts: CountsSnapshot
    level: int = 0


def figures(looks: Sequence[Look], costs: Costs, cameras: int) -> dict[str, Any]:
    """Return what happened between the first and the last look.

    Args:
        looks: two at least, in order.
        costs: of the processes, over the same time.
        cameras: how many there should be.
    """
    first, last = looks[0], looks[-1]
    seconds = last.at_s - first.at_s
    analysed = _analysed(first.counts, last.counts)
    total = sum(analysed)
    latency = difference(last.counts.latency, first.counts.latency)
    waits = difference(last.counts.queue_wait, first.counts.queue_wait)
    cpu_s = costs.cpu_s()
    per_frame = {kind: round(used_s * 1000 / max(1, total), 3) for kind, used_s in cpu_s.items()}
    latency_ms = _quantiles_ms(latency)
    return {
        "offered_fps": round(_captured(first.counts, last.counts) / seconds, 2),
        "analysed_fps": round(total / seconds, 2),
        "dropped": _dropped(first.counts, last.counts),
        "latency_ms": {
            **latency_ms,
            "mean": round(latency.sum_s * 1000 / max(1, latency.count), 1),
            "p95_by_time": [
                _ms(difference(after.counts.latency, before.counts.latency), 0.95) for before, after in pairwise(looks)
            ],
        },
        "queue_wait_ms": _quantiles_ms(waits),
        "share": _share(analysed, cameras),
        "shedding_level_by_time": [look.level for look in looks[1:]],
        "cpu_ms_per_frame": round(sum(per_frame.values()), 3),
        "cpu_ms_per_frame_by_kind": per_frame,
        "cpu_cores_used": round(sum(cpu_s.values()) / seconds, 3),
        "peak_rss_mb": dict(costs.peak_mb),
        "rss_mb_by_time": dict(costs.rss_mb),
        "faces": _faces(first.counts, last.counts),
        "balanced": all(look.counts.balanced for look in looks),
        "of": "ms from capture to result",
        "n": latency.count,
        "median": latency_ms["p50"],
        "p95": latency_ms["p95"],
    }


def _analysed(first: CountsSnapshot, last: CountsSnapshot) -> list[int]:
    """Return the frames of each camera that were analysed in between."""
    before = {name: camera.analysed for name, camera in first.cameras.items()}
    return [camera.analysed - before.get(name, 0) for name, camera in sorted(last.cameras.items())]


def _captured(first: CountsSnapshot, last: CountsSnapshot) -> int:
    return sum(one.captured for one in last.cameras.values()) - sum(one.captured for one in first.cameras.values())


def _dropped(first: CountsSnapshot, last: CountsSnapshot) -> dict[str, int]:
    totals: dict[str, int] = {}
    for sign, snapshot in ((1, last), (-1, first)):
        for camera in snapshot.cameras.values():
            for reason, number in camera.dropped.items():
                totals[reason] = totals.get(reason, 0) + sign * number
    return totals


def _faces(first: CountsSnapshot, last: CountsSnapshot) -> int:
    sums = [sum(sum(camera.faces.values()) for camera in one.cameras.values()) for one in (first, last)]
    return sums[1] - sums[0]


def _share(analysed: Sequence[int], cameras: int) -> dict[str, float]:
    """Return the least and most served camera relative to the mean."""
    mean = sum(analysed) / max(1, cameras)
    if mean == 0:
        return {"min": 0.0, "max": 0.0}
    least = min(analysed) if len(analysed) >= cameras else 0
    return {"min": round(least / mean, 3), "max": round(max(analysed) / mean, 3)}


def _quantiles_ms(histogram: Histogram) -> dict[str, float]:
    return {f"p{share}": _ms(histogram, share / 100) for share in (50, 95, 99)}


def _ms(histogram: Histogram, share: float) -> float:
    return round(histogram_quantile_s(histogram, share) * 1000, 1)
