"""`bench broker`: how many frames a second go through one server, offered, taken and done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from maskwatch.broker.connect import connect
from maskwatch.broker.counts import Counts
from maskwatch.errors import MaskwatchError
from workers.bench.figures import quantile, summarise
from workers.bench.helpers import helpers
from workers.bench.load import camera_names
from workers.bench.servers import Stage, stage

__all__ = ["BrokerBench", "run_broker"]


@dataclass(frozen=True, slots=True)
class BrokerBench:
    """What is measured.

    Attributes:
        clients: how many producers and as many consumers, one measurement each.
        seconds: for each measurement.
        cameras: shared out among the producers.
        batch: frames taken at once.
        size_bytes: of a picture.
    """

    clients: tuple[int, ...] = (1, 2, 4, 8)
    seconds: float = 10.0
    cameras: int = 64
    batch: int = 8
    size_bytes: int = 40_000


def run_broker(bench: BrokerBench) -> dict[str, Any]:
    """Measure and return the figures; those at the top are of the row with the most frames a second.

    Raises:
        ConfigError, BrokerDown: if no server can be started.
        MaskwatchError: if a helper process fails, or the counters don't balance.
    """
    with stage() as running:
        rows = [_measure(bench, clients, running) for clients in bench.clients if not running.stop.requested]
        if running.stop.requested:
            raise MaskwatchError("bench broker: ended before it was done")
    best = max(rows, key=lambda row: float(row["frames_per_second"]))
    return {
        "frames_per_second": best["frames_per_second"],
        "round_trip_ms": best["round_trip_ms"],
        "rows": [{key: value for key, value in row.items() if key not in ("n", "median", "p95")} for row in rows],
        "of": "ms of the round trips of the best row: offers, takes, dones",
        "n": best["n"],
        "median": best["median"],
        "p95": best["p95"],
    }


def _measure(bench: BrokerBench, clients: int, running: Stage) -> dict[str, Any]:
    with connect(running.live.url) as client:
        client.flushall()
        names = camera_names(max(bench.cameras, clients))
        common = {"url": running.live.url, "seconds": bench.seconds, "batch": bench.batch}
        producers = [
            {
                "job": "produce", "ingest": f"bench-{at}", "cameras": names[at::clients], "fps": None, "folder": "",
                "size_bytes": bench.size_bytes, "profile": "accurate", **common,
            }
            for at in range(clients)
        ]  # fmt: skip
        consumers = [{"job": "consume", **common}] * clients
        with helpers([*producers, *consumers]) as processes:
            processes.go()
            results = processes.results(bench.seconds)
        if not Counts.read(client).balanced:
            raise MaskwatchError("bench broker: the queue's counters don't balance; please report this")
    return _row(bench, clients, results[:clients], results[clients:])


def _row(
    bench: BrokerBench, clients: int, produced: Sequence[Mapping[str, Any]], consumed: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    trips = {
        "offer": [ms for one in produced for ms in one["offer_ms"]],
        "take": [ms for one in consumed for ms in one["take_ms"]],
        "done": [ms for one in consumed for ms in one["done_ms"]],
    }
    return {
        "producers": clients,
        "consumers": clients,
        "offered_fps": round(sum(one["offered"] for one in produced) / bench.seconds, 1),
        "frames_per_second": round(sum(one["frames"] for one in consumed) / bench.seconds, 1),
        "round_trip_ms": {
            name: {f"p{share}": round(quantile(values, share / 100), 3) for share in (50, 95, 99)}
            for name, values in trips.items()
        },
        **asdict(summarise([ms for values in trips.values() for ms in values])),
    }
