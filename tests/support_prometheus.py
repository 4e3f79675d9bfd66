"""Debian's Prometheus for tests, and the queries that dashboards and rules ask it."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.support import ROOT, free_port, wait_for

__all__ = ["DASHBOARDS", "GRAFANA", "PROMETHEUS", "Prometheus", "asked", "dashboard", "rules", "started_prometheus"]

PROMETHEUS = ROOT / "deploy" / "prometheus"
GRAFANA = ROOT / "deploy" / "grafana"
DASHBOARDS = ("compliance", "cameras", "pipeline", "models")

_LASTS = {"$__rate_interval": "20s", "$__range": "5m", "$__interval": "5s"}


class Prometheus:
    """A server that runs.

    Args:
        port: where it listens.
    """

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, path: str, **query: str) -> Any:
        """Return the data of an answer of its API, or fail with what it says is wrong."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                return json.loads(answer.read())["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{query}: {error.read().decode()}") from error

    def query(self, expr: str) -> list[tuple[dict[str, str], float]]:
        """Return labels and value of each series that an expression has now."""
        found = self.ask("query", query=expr)["result"]
        return [(one["metric"], float(one["value"][1])) for one in found]

    def value(self, expr: str) -> float | None:
        """Return the value of an expression that has at most one series."""
        found = self.query(expr)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    def is_ready(self) -> bool:
        """Tell whether it answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@contextmanager
def started_prometheus(folder: Path, site_port: int, *, every_s: int = 1) -> Iterator[Prometheus]:
    """Run a server as deploy/prometheus/local.yml has it, asking more often.

    Args:
        folder: for its data and its log.
        site_port: of the site that lists what is to be scraped.
        every_s: seconds between two scrapes, two evaluations and two looks at the list.
    """
    port = free_port()
    config = yaml.safe_load((PROMETHEUS / "local.yml").read_text())
    config["global"] = {"scrape_interval": f"{every_s}s", "evaluation_interval": f"{every_s}s"}
    config["rule_files"] = [str(PROMETHEUS / "rules" / "*.rules.yml")]
    (ours,) = [job for job in config["scrape_configs"] if job["job_name"] == "maskwatch"]
    config["scrape_configs"] = [ours]
    ours["http_sd_configs"] = [
        {"url": f"http://127.0.0.1:{site_port}/api/v1/discovery", "refresh_interval": f"{every_s}s"}
    ]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus", f"--config.file={path}", f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log, stderr=log,
        )  # fmt: skip
    server = Prometheus(port)
    try:
        wait_for(server.is_ready, 120, f"Prometheus answers; it logs to {folder / 'prometheus.log'}")
        yield server
    finally:
        process.kill()
        process.wait(10)


def rules(kind: str) -> list[dict[str, Any]]:
    """Return all rules of a kind, `record` or `alert`."""
    files = sorted((PROMETHEUS / "rules").glob("*.rules.yml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


def dashboard(name: str) -> Any:
    """Return a dashboard as Grafana reads it."""
    return json.loads((GRAFANA / "dashboards" / f"{name}.json").read_text())


def asked(name: str) -> list[tuple[str, str]]:
    """Return title and expression of each query of a dashboard, as Grafana sends it when everything is chosen."""
    found = []
    for panel in dashboard(name)["panels"]:
        for target in panel.get("targets", []):
            expr = re.sub(r"\$(camera|zone)\b", ".*", target["expr"])
            for word, lasts in _LASTS.items():
                expr = expr.replace(word, lasts)
            assert "$" not in expr, f"{panel['title']}: a variable that Grafana wouldn't know in {target['expr']}"
            found.append((panel["title"], expr))
    return found
