"""`bench broker`: how many frames a second go through one server, offered, taken and done."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import redis

from maskwatch.broker.connect import connect
from maskwatch.broker.counts import Counts
from maskwatch.errors import MaskwatchError
from workers.bench.figures import quantile, summarise
from workers.bench.helpers import helpers
from workers.bench.load import camera_names
from workers.bench.servers import Stage, stage

__all__ = ["BrokerBench", "run_broker"]

_PLAIN_FRAMES = 1000


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
        plain = _plain(bench.size_bytes, running)
        rows = [_measure(bench, clients, running) for clients in bench.clients if not running.stop.requested]
        if running.stop.requested:
            raise MaskwatchError("bench broker: ended before it was done")
    best = max(rows, key=lambda row: float(row["frames_per_second"]))
    return {
        "frames_per_second": best["frames_per_second"],
        "round_trip_ms": best["round_trip_ms"],
        "cpu_us_per_frame": best["cpu_us_per_frame"],
        "plain_cpu_us_per_frame": plain,
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
                "gives_way": False, "size_bytes": bench.size_bytes, "most_ready": len(names) // 2,
                "profile": "accurate", **common,
            }
            for at in range(clients)
        ]  # fmt: skip
        consumers = [{"job": "consume", **common}] * clients
        with helpers([*producers, *consumers]) as processes:
            before_s = _server_cpu_s(client)
            processes.go()
            results = processes.results(bench.seconds)
            server_s = _server_cpu_s(client) - before_s
        if not Counts.read(client).balanced:
            raise MaskwatchError("bench broker: the queue's counters don't balance; please report this")
    return _row(bench, results[:clients], results[clients:], server_s)


def _plain(size_bytes: int, running: Stage) -> dict[str, float]:
    """Measure what SET and GET of as many bytes cost by the client library alone, as a scale for this machine."""
    jpeg = b"\xff\xd8".ljust(size_bytes, b".")
    with connect(running.live.url) as client:
        client.ping()
        before_s, server_s = time.process_time(), _server_cpu_s(client)
        for number in range(_PLAIN_FRAMES):
            client.set(f"bench:{number % 64}", jpeg)
            client.get(f"bench:{number % 64}")
        spent_s = time.process_time() - before_s, _server_cpu_s(client) - server_s
    return {"client": _us(spent_s[0], _PLAIN_FRAMES), "server": _us(spent_s[1], _PLAIN_FRAMES)}


def _server_cpu_s(client: redis.Redis) -> float:
    """Return the processor time that the server has used."""
    info = client.info("cpu")
    return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


def _us(seconds: float, frames: int) -> float:
    return round(seconds / max(1, frames) * 1e6, 1)


def _row(
    bench: BrokerBench, produced: Sequence[Mapping[str, Any]], consumed: Sequence[Mapping[str, Any]], server_s: float
) -> dict[str, Any]:
    offered = sum(one["offered"] for one in produced)
    frames = sum(one["frames"] for one in consumed)
    trips = {
        "offer": [ms for one in produced for ms in one["offer_ms"]],
        "take": [ms for one in consumed for ms in one["take_ms"]],
        "done": [ms for one in consumed for ms in one["done_ms"]],
    }
    return {
        "producers": len(produced),
        "consumers": len(consumed),
        "offered_fps": round(offered / bench.seconds, 1),
        "frames_per_second": round(frames / bench.seconds, 1),
        "cpu_us_per_frame": {
            "producers": _us(sum(one["cpu_s"] for one in produced), offered),
            "server": _us(server_s, frames),
            "consumers": _us(sum(one["cpu_s"] for one in consumed), frames),
        },
        "round_trip_ms": {
            name: {f"p{share}": round(quantile(values, share / 100), 3) for share in (50, 95, 99)}
            for name, values in trips.items()
        },
        **asdict(summarise([ms for values in trips.values() for ms in values])),
    }
