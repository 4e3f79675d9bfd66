from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from maskwatch.demo.cameras import DEMO_CAMERAS
from maskwatch.machine import Demo, Plan, Rank, Wishes, child_environment, services, welcome, worker_count
from maskwatch.settings import WorkerSettings, parse_settings


def plan(text: str = "", *, config: Path | None = None, demo: Demo | None = None) -> Plan:
    return Plan(parse_settings(text, {}), config, Path("/state"), 2, demo)


def test_embedded_addresses_go_to_the_children_by_environment_only() -> None:
    environ = child_environment(plan(), {"PATH": "/bin"}, ("redis://:hunter2@h/0", "redis://:hunter3@h/0"))
    assert environ["MASKWATCH_REDIS__LIVE"] == "redis://:hunter2@h/0"
    assert environ["MASKWATCH_REDIS__DURABLE"] == "redis://:hunter3@h/0"
    assert environ["PATH"] == "/bin"
    assert not any("hunter" in word for spec in services(plan(), environ) for word in spec.argv)


def test_configured_redis_is_left_to_the_configuration() -> None:
    assert not [key for key in child_environment(plan(), {}, None) if key.startswith("MASKWATCH_REDIS")]


def test_decisions_of_the_command_line_win_over_the_environment() -> None:
    environ = child_environment(plan("web: {port: 9000}"), {"MASKWATCH_WEB__PORT": "1", "MASKWATCH_CONFIG": "x"}, None)
    assert environ["MASKWATCH_WEB__PORT"] == "9000"
    assert environ["MASKWATCH_STATE_DIR"] == "/state"
    assert "MASKWATCH_CONFIG" not in environ


def test_children_get_settings_that_can_be_read() -> None:
    environ = child_environment(plan("web: {host: 0.0.0.0, insecure: true}"), {}, ("redis://a", "redis://b"))
    settings = parse_settings("metrics: {port: 9100}", environ)
    assert settings.web.host == "0.0.0.0"
    assert settings.metrics.port == 0
    assert settings.require_redis().live.get_secret_value() == "redis://a"


def test_every_service_reads_the_same_configuration() -> None:
    specs = services(plan(config=Path("/etc/cameras.yaml")), {})
    assert [spec.name for spec in specs] == ["ingest", "worker-1", "worker-2", "recorder", "jobs", "web"]
    for spec in specs:
        assert spec.argv[spec.argv.index("--config") + 1] == "/etc/cameras.yaml"


def test_workers_have_names_of_their_own() -> None:
    names = [spec.argv[-1] for spec in services(plan(), {}) if spec.name.startswith("worker")]
    assert len(set(names)) == 2


def test_order_of_ending_is_ingest_workers_recorder_site_then_redis() -> None:
    specs = {spec.name: spec for spec in services(plan(demo=Demo(Path("/state/demo"), 1234)), {})}
    ranks = [specs[name].stop_rank for name in ("ingest", "worker-1", "recorder", "web")]
    assert ranks == sorted(set(ranks))
    assert ranks[-1] < Rank.REDIS
    assert specs["demo"].stop_rank == Rank.CAMERAS


def test_modules_in_the_current_folder_are_not_imported() -> None:
    assert all("-P" in spec.argv for spec in services(plan(demo=Demo(Path("/state/demo"), 1234)), {}))


def test_one_core_is_left_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maskwatch.machine._GPU_DEVICE", Path("/nowhere"))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)))
    assert worker_count(WorkerSettings()) == 7
    assert worker_count(WorkerSettings(processes=3)) == 3
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0})
    assert worker_count(WorkerSettings()) == 1


def test_one_worker_is_enough_for_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)))
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: object())
    monkeypatch.setattr("maskwatch.machine._GPU_DEVICE", Path("/"))
    assert worker_count(WorkerSettings()) == 1
    assert worker_count(WorkerSettings(engine="litert")) == 7
    assert worker_count(WorkerSettings(engine="keras")) == 1


def test_welcome_gives_address_and_what_each_demo_camera_shows() -> None:
    text = welcome(plan("web: {port: 9000}", demo=Demo(Path("/state/demo"), 1234)))
    assert text.startswith("Maskwatch is at http://127.0.0.1:9000/\n")
    for camera in DEMO_CAMERAS:
        assert camera.name in text
        assert camera.shows in text


def test_welcome_counts_cameras_and_writes_ipv6_in_brackets() -> None:
    text = "web: {host: '::1'}\ncameras: {a: {source: 'webcam:0'}, b: {source: 'webcam:1', enabled: false}}"
    shown = welcome(plan(text, config=Path("/etc/cameras.yaml")))
    assert "http://[::1]:8080/" in shown
    assert "1 camera;" in shown
    assert "no camera" in welcome(plan())


def test_second_signal_is_a_hurry() -> None:
    now = [10.0]
    wishes = Wishes(lambda: now[0])
    assert not wishes.pause(0)
    wishes.on_signal(signal.SIGINT, None)
    assert wishes.pause(0)
    assert not wishes.in_a_hurry
    now[0] += 1
    wishes.on_signal(signal.SIGINT, None)
    assert wishes.in_a_hurry


def test_signal_that_comes_twice_at_once_is_one_wish() -> None:
    wishes = Wishes(lambda: 10.0)
    wishes.on_signal(signal.SIGTERM, None)
    wishes.on_signal(signal.SIGTERM, None)
    assert not wishes.in_a_hurry
