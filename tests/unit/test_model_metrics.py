from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from maskwatch.metrics import ModelMetrics


def lines(registry: CollectorRegistry, name: str) -> list[str]:
    return [line for line in generate_latest(registry).decode().splitlines() if line.startswith(name)]


def test_models_that_speak_are_shown_and_those_before_are_not() -> None:
    registry = CollectorRegistry()
    metrics = ModelMetrics(registry, ["classifier", "detector"])
    metrics.show([("classifier", "old-mask 1.0.0"), ("detector", "some-face 1.0.0")], "litert")
    metrics.show([("classifier", "new-mask 2.0.0"), ("detector", "some-face 1.0.0")], "litert")
    assert sorted(lines(registry, "maskwatch_model_info{")) == [
        'maskwatch_model_info{engine="litert",kind="classifier",name="new-mask",version="2.0.0"} 1.0',
        'maskwatch_model_info{engine="litert",kind="detector",name="some-face",version="1.0.0"} 1.0',
    ]


def test_refusals_begin_at_zero_for_every_kind() -> None:
    registry = CollectorRegistry()
    metrics = ModelMetrics(registry, ["classifier", "detector"])
    metrics.refused("detector")
    assert lines(registry, "maskwatch_model_refused_total{") == [
        'maskwatch_model_refused_total{kind="classifier"} 0.0',
        'maskwatch_model_refused_total{kind="detector"} 1.0',
    ]
