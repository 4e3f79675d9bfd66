"""A real Prometheus beside a real run with two workers and two sites: every query of every panel and rule has data,
everything counts once, and what is killed or removed leaves the counters as they should be."""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from maskwatch.jobs.types import JobState
from maskwatch.types import CameraState, DropReason, EventKind, MaskLabel, Verdict
from tests.support import free_port, requires_debian, wait_for
from tests.support_media import write_film
from tests.support_prometheus import DASHBOARDS, Prometheus, asked, rules, started_prometheus
from tests.support_up import GENEROUS_S, Up, environ_of, started_up
from tests.support_worker import moving_face

pytestmark = pytest.mark.timeout(10 * GENEROUS_S)

CAMERAS = """
notify:
  receivers:
    nobody: {{webhook: "http://127.0.0.1:9/", secret: not a secret at all}}
defaults: {{fps: 5, loop: true}}
cameras:
  lobby:
    source: {film}
    zones:
      door: {{polygon: [[0, 0], [1, 0], [1, 1], [0, 1]], require_mask: true}}
  ward: {{source: {film}}}
"""
SPARE = "  spare: {{source: {film}}}\n"


@dataclass
class Run:
    """Everything that runs.

    Attributes:
        up: ingest, two workers, recorder and a site.
        other_port: of the second site.
        other: that site.
        prometheus: which scrapes all of it.
        config: file of the cameras.
        film: that they show.
    """

    up: Up
    other_port: int
    other: subprocess.Popen[bytes]
    prometheus: Prometheus
    config: Path
    film: Path


def counted(port: int, name: str) -> dict[str, float]:
    """Return what a site says of a counter, by camera."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return {sample.labels["camera"]: sample.value for sample in samples}


def has_data(prometheus: Prometheus, expr: str) -> bool:
    """Tell whether an expression gives numbers."""
    return any(not math.isnan(value) for _, value in prometheus.query(expr))


def wait_for_data(prometheus: Prometheus, queries: dict[str, str]) -> None:
    """Wait until each query has given data; fail with those that haven't."""
    left = dict(queries)

    def is_full() -> bool:
        for title in [title for title, expr in left.items() if has_data(prometheus, expr)]:
            del left[title]
        return not left

    try:
        wait_for(is_full, GENEROUS_S, "data", 0.5)
    except AssertionError:
        pytest.fail("without data: " + "; ".join(f"{title}: {expr}" for title, expr in left.items()))


def second_site(up: Up) -> tuple[int, subprocess.Popen[bytes]]:
    """Start another site on the same Redis servers."""
    port = free_port()
    environ = environ_of(min(up.pids("web"))) | {"MASKWATCH_WEB__PORT": str(port)}
    with (up.home.parent / "other.log").open("wb") as log:
        command = [sys.executable, "-m", "maskwatch", "web", "--port", str(port)]
        return port, subprocess.Popen(command, env=environ, cwd=up.home, stdout=log, stderr=log)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    requires_debian("prometheus")
    folder = tmp_path_factory.mktemp("monitoring")
    film = write_film(folder / "walk.mp4", 25, size_wh=(640, 360), fps=5, draw=moving_face)
    config = folder / "cameras.yaml"
    config.write_text((CAMERAS + SPARE).format(film=film))
    words, environ = ["--config", str(config), "--workers", "2"], {"MASKWATCH_WORKER__STALE_AFTER_S": "30"}
    with started_up(folder / "home", *words, environ=environ) as up:
        wait_for(lambda: up.get("/healthz"), GENEROUS_S, f"the site answers; it logs to {up.log}")
        port, other = second_site(up)
        try:
            with started_prometheus(folder, up.port) as prometheus:
                yield Run(up, port, other, prometheus, config, film)
        finally:
            other.kill()
            other.wait(10)


def test_every_replica_of_every_kind_is_found(run: Run) -> None:
    def found() -> dict[str, float]:
        return {
            labels["service"]: value for labels, value in run.prometheus.query('sum by (service) (up{job="maskwatch"})')
        }

    expected = {"ingest": 1, "recorder": 1, "jobs": 1, "web": 2, "worker": 2}
    wait_for(lambda: expected.items() <= found().items(), GENEROUS_S, "all processes are scraped")


def test_every_rule_is_evaluated(run: Run) -> None:
    def wrong() -> list[str]:
        groups = run.prometheus.ask("rules")["groups"]
        found = [rule for group in groups for rule in group["rules"]]
        assert {rule["name"] for rule in found} == {
            *(rule["record"] for rule in rules("record")),
            *(rule["alert"] for rule in rules("alert")),
        }
        return [rule["name"] for rule in found if rule["health"] != "ok"]

    wait_for(lambda: not wrong(), GENEROUS_S, "all rules are healthy")


def test_everything_that_is_recorded_has_data(run: Run) -> None:
    wait_for_data(run.prometheus, {rule["record"]: rule["record"] for rule in rules("record")})


def test_every_alert_looks_at_something_that_is_there(run: Run) -> None:
    # Its limit taken away, an alert is about everything that it watches.
    limit = re.compile(r"(==|!=|<=|>=|<|>) *[\d.]+")
    watched = {
        rule["alert"]: limit.sub(">= -Inf", rule["expr"]).replace("absent(", "count(") for rule in rules("alert")
    }
    wait_for_data(run.prometheus, watched)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_query_of_every_panel_has_data(name: str, run: Run) -> None:
    wait_for_data(run.prometheus, {f"{number} {title}": expr for number, (title, expr) in enumerate(asked(name))})


def test_chosen_cameras_and_zones_are_found(run: Run) -> None:
    def found() -> tuple[set[str], set[str]]:
        return set(run.prometheus.ask("label/camera/values")), set(run.prometheus.ask("label/zone/values"))

    wait_for(lambda: found() == ({"lobby", "ward", "spare"}, {"door"}), GENEROUS_S, "all cameras and zones")


@pytest.mark.parametrize(
    ("label", "values"),
    [
        ("verdict", set(Verdict)), ("reason", set(DropReason)), ("kind", {*EventKind, "classifier", "detector"}),
        ("state", {*CameraState, *JobState}), ("service", {"ingest", "worker", "recorder", "jobs", "web"}),
        ("label", set(MaskLabel)), ("server", {"live", "durable"}), ("outcome", {
            "recorded", "repeated", "rejected", "kept", "missing", "failed", "sent", "quiet", "given_up"
        }),
    ],
)  # fmt: skip
def test_values_of_labels_are_closed_sets(label: str, values: set[str], run: Run) -> None:
    def found() -> set[str]:
        return {labels[label] for labels, _ in run.prometheus.query(f'{{__name__=~"maskwatch_.+", {label}!=""}}')}

    assert wait_for(found, GENEROUS_S, f"a value of {label}", 0.2) <= values


def counts_once(run: Run, record: str, name: str) -> bool:
    """Tell whether a rule says what a site says, though several workers count and several sites show it.

    What the rule says lies between what the site said before and what it says after.
    """
    before = counted(run.up.port, name)
    wait_for(lambda: run.prometheus.value(f'{record}{{camera="lobby"}}') is not None, GENEROUS_S, "a value", 0.2)
    now = wait_for(
        lambda: [v for v in [run.prometheus.value(f'{record}{{camera="lobby"}}')] if v and v >= before["lobby"]],
        GENEROUS_S, "what was counted before is scraped", 0.2,
    )  # fmt: skip
    return now[0] <= counted(run.up.port, name)["lobby"]


def test_nothing_counts_twice(run: Run) -> None:
    wait_for(lambda: counted(run.up.port, "maskwatch_frames_analysed_total").get("lobby", 0) > 20, GENEROUS_S, "frames")
    assert counts_once(run, "camera:maskwatch_frames_captured:max", "maskwatch_frames_captured_total")
    assert counts_once(run, "camera:maskwatch_frames_analysed:max", "maskwatch_frames_analysed_total")


def test_families_of_faces_have_the_same_sum(run: Run) -> None:
    def sums() -> tuple[float | None, float | None, float | None, float | None]:
        labelled = "sum(maskwatch_faces_total) by (instance)"
        queries = (
            f"max({labelled})",
            "max(sum by (instance) (maskwatch_face_confidence_count))",
            f"max({labelled} + sum(maskwatch_faces_unlabelled_total) by (instance))",
            "max(sum by (instance) (maskwatch_face_size_pixels_count))",
        )
        labelled_now, chances, faces, sizes = (run.prometheus.value(query) for query in queries)
        return labelled_now, chances, faces, sizes

    def agree() -> bool:
        # Four questions may be asked of two scrapes.
        labelled, chances, faces, sizes = sums()
        return bool(labelled) and (labelled, faces) == (chances, sizes)

    wait_for(agree, GENEROUS_S, "as many chances as labels and as many sizes as faces", 0.1)


def test_killed_worker_takes_no_count_with_it(run: Run) -> None:
    workers = run.up.pids("worker")
    killed = min(workers)
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: run.up.pids("worker") - workers, GENEROUS_S, "another worker is started")
    frames = 'camera:maskwatch_frames_analysed:max{camera="lobby"}'
    before = wait_for(lambda: run.prometheus.value(frames), GENEROUS_S, "a count of frames")

    def goes_on() -> bool:
        return (run.prometheus.value(frames) or 0) > before + 10

    wait_for(goes_on, GENEROUS_S, "frames are analysed", 0.5)
    assert resets(run) == 0
    assert counts_once(run, "camera:maskwatch_frames_analysed:max", "maskwatch_frames_analysed_total")


def resets(run: Run) -> float:
    """Return how often any counter seemed to begin anew."""
    names = [rule["record"] for rule in rules("record") if rule["record"].endswith(":max")]
    return sum(run.prometheus.value(f"sum(resets({name}[30m]))") or 0 for name in names)


def test_site_that_ends_leaves_the_counters_as_they_were(run: Run) -> None:
    run.other.kill()
    run.other.wait(10)
    sites = 'count(up{job="maskwatch", service="web"} == 1)'
    wait_for(lambda: run.prometheus.value(sites) == 1, GENEROUS_S, "one site is left", 0.5)
    before = run.prometheus.value("sum(camera:maskwatch_frames_captured:max)") or 0

    def goes_on() -> bool:
        return (run.prometheus.value("sum(camera:maskwatch_frames_captured:max)") or 0) > before + 10

    wait_for(goes_on, GENEROUS_S, "frames are captured", 0.5)
    assert resets(run) == 0


def test_removed_camera_s_series_disappear(run: Run) -> None:
    everything = partial(run.prometheus.query, '{camera="spare"}')
    wait_for(everything, GENEROUS_S, "something is said of the camera", 0.5)
    run.config.write_text(CAMERAS.format(film=run.film))
    wait_for(lambda: not everything(), GENEROUS_S, "nothing is said of the removed camera", 0.5)
    assert run.prometheus.query('{camera="ward"}')
