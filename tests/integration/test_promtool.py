"""Prometheus' own tool on our configuration, rules and their tests."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support import requires_debian
from tests.support_prometheus import PROMETHEUS

RULES = sorted((PROMETHEUS / "rules").glob("*.rules.yml"))
TESTS = sorted((PROMETHEUS / "tests").glob("*.test.yml"))


@pytest.fixture(autouse=True)
def _tool() -> None:
    requires_debian("prometheus")


def promtool(*words: object) -> str:
    """Run it and return what it says; fail where it isn't content."""
    done = subprocess.run(["promtool", *map(str, words)], capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_there_are_rules_and_tests() -> None:
    assert [path.name for path in RULES] == ["alerts.rules.yml", "recording.rules.yml"]
    assert [path.name for path in TESTS] == ["alerts.test.yml", "recording.test.yml"]


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_rules_are_right(path: Path) -> None:
    assert "SUCCESS" in promtool("check", "rules", "--lint-fatal", path)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_rules_do_what_they_should(path: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", path)


def test_configuration_without_login_is_right() -> None:
    assert "SUCCESS" in promtool("check", "config", PROMETHEUS / "local.yml")


def test_configuration_of_compose_is_right_where_its_secret_is(tmp_path: Path) -> None:
    text = (PROMETHEUS / "prometheus.yml").read_text()
    secret = tmp_path / "metrics_token"
    secret.write_text("secret")
    assert text.count("/run/secrets/metrics_token") == 2
    (tmp_path / "rules").symlink_to(PROMETHEUS / "rules")
    (tmp_path / "prometheus.yml").write_text(text.replace("/run/secrets/metrics_token", str(secret)))
    assert "SUCCESS" in promtool("check", "config", tmp_path / "prometheus.yml")


def test_configurations_differ_in_where_the_site_is_and_its_token_only() -> None:
    compose, local = (yaml.safe_load((PROMETHEUS / f"{name}.yml").read_text()) for name in ("prometheus", "local"))
    for config in (compose, local):
        job = config["scrape_configs"][0]
        job.pop("authorization", None)
        job["http_sd_configs"][0].pop("authorization", None)
        del job["http_sd_configs"][0]["url"], config["scrape_configs"][1]["static_configs"]
    assert compose == local


def test_rules_are_evaluated_no_more_often_than_targets_are_scraped() -> None:
    # Otherwise the greatest counter of several sites may seem to fall when one of them ends.
    for name in ("prometheus", "local"):
        times = yaml.safe_load((PROMETHEUS / f"{name}.yml").read_text())["global"]
        assert times["evaluation_interval"] == times["scrape_interval"]
