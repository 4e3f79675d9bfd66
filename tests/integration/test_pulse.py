from __future__ import annotations

import http.client
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, Gauge

from maskwatch.errors import ConfigError
from maskwatch.metrics import ProcessMetrics
from maskwatch.pulse import STUCK_S, Pulse, serve
from maskwatch.settings import MetricsSettings


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_process_is_starting_until_its_loop_goes_round_and_stuck_when_that_is_long_ago() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    assert pulse.problem() == "starting"
    pulse.beat()
    assert pulse.problem() is None
    clock.now_s += STUCK_S
    assert pulse.problem() is None
    clock.now_s += 1
    assert pulse.problem() == "stuck: the last sign of life is 61 s old"
    pulse.beat()
    assert pulse.problem() is None


def test_health_is_answered_beside_the_metrics() -> None:
    registry, pulse = CollectorRegistry(), Pulse()
    Gauge("answer", "of all", registry=registry).set(42)
    port = serve("127.0.0.1", 0, registry, pulse)
    assert get(port, "/healthz") == (503, "starting\n")
    pulse.beat()
    assert get(port, "/healthz") == (200, "ok\n")
    status, text = get(port, "/metrics")
    assert status == 200
    assert "answer 42.0" in text


def test_processes_serve_both_and_say_when_the_address_is_taken() -> None:
    metrics = ProcessMetrics("worker")
    address = metrics.serve(MetricsSettings())
    metrics.pulse.beat()
    with urllib.request.urlopen(f"http://{address}/healthz", timeout=10) as answer:
        assert answer.status == 200
    port = int(address.rpartition(":")[2])
    with pytest.raises(ConfigError, match="another metrics"):
        ProcessMetrics("worker").serve(MetricsSettings(port=port))
