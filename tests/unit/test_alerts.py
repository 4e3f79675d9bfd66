"""Rules against each other, their tests, the dashboards and the documents."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.support import ROOT
from tests.support_prometheus import DASHBOARDS, PROMETHEUS, asked, rules

DOCUMENT = (ROOT / "docs" / "monitoring.md").read_text()
ALERTS = rules("alert")
RECORDED = {rule["record"] for rule in rules("record")}
ASKED = [expr for name in DASHBOARDS for _, expr in asked(name)]


def checks() -> list[dict[str, Any]]:
    """Return what the tests of alerts look at."""
    tests = yaml.safe_load((PROMETHEUS / "tests" / "alerts.test.yml").read_text())["tests"]
    return [check for test in tests for check in test["alert_rule_test"]]


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not(rule: dict[str, Any]) -> None:
    ours = [bool(check["exp_alerts"]) for check in checks() if check["alertname"] == rule["alert"]]
    assert True in ours
    assert False in ours


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_alert_says_how_much_it_matters_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["alert"].startswith("Maskwatch")
    assert rule["labels"]["severity"] in ("info", "warning", "critical")
    assert set(rule["annotations"]) == {"summary", "description"}
    assert all(text.strip() for text in rule["annotations"].values())
    assert f"| `{rule['alert']}` |" in DOCUMENT


def test_names_are_unique() -> None:
    names = [rule["alert"] for rule in ALERTS]
    assert len(names) == len(set(names))
    assert len(RECORDED) == len(rules("record"))


@pytest.mark.parametrize("expr", [*ASKED, *(rule["expr"] for rule in ALERTS)])
def test_recorded_series_that_are_asked_for_are_recorded(expr: str) -> None:
    assert set(re.findall(r"\b[a-z_]+:[a-z_]+:[a-z0-9_]+\b", expr)) <= RECORDED


def test_what_is_recorded_is_asked_for() -> None:
    everything = " ".join([*ASKED, *(rule["expr"] for rule in [*ALERTS, *rules("record")])])
    assert {name for name in RECORDED if name not in everything} == set()
