"""docker-compose.yml, read by Docker Compose itself, and what has to hold of every service in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from maskwatch.settings import load_settings
from tests.support import ROOT
from tests.support_compose import compose, compose_config, image_environment, instructions

PROFILES = ("demo", "gpu", "postgres")
OURS = ("ingest", "worker", "worker-gpu", "recorder", "jobs", "web", "demo")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return compose_config(*PROFILES)


def test_every_combination_of_profiles_is_valid() -> None:
    for profiles in ((), ("demo",), ("gpu",), ("postgres",), ("demo", "postgres"), PROFILES):
        services = compose_config(*profiles)["services"]
        assert set(profiles) == {one for service in services.values() for one in service.get("profiles", [])}


def test_mistake_is_refused(tmp_path: Path) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    broken = tmp_path / "compose.yml"
    broken.write_text(text.replace("stop_grace_period:", "stop_grace:"))
    assert "stop_grace" in compose("-f", str(broken), "config", "--quiet").stderr


def test_webcam_is_passed_through() -> None:
    ingest = compose_config(files=["docker-compose.yml", "deploy/docker/webcam.yml"])["services"]["ingest"]
    assert ingest["devices"] == ["/dev/video0:/dev/video0"]
    assert ingest["command"] == ["ingest", "--name", "front-pc"]
    assert ingest["deploy"]["replicas"] == 1


def test_every_service_is_locked_in_watched_over_limited_and_started_again(project: dict[str, Any]) -> None:
    for name, service in project["services"].items():
        assert int(service["user"].split(":")[0]) > 0, name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["restart"] == "unless-stopped", name
        assert service["healthcheck"]["test"], name
        assert service["deploy"]["resources"]["limits"].keys() >= {"cpus", "memory"}, name
        assert re.search(r":[^:]*\d", service["image"]), f"{name}: an image without a version changes by itself"
        assert not service.get("privileged"), name
        assert service["logging"]["options"], name


def test_start_waits_for_health(project: dict[str, Any]) -> None:
    for name in OURS[:-1]:
        after = project["services"][name]["depends_on"]
        assert {"redis-live", "redis-durable"} <= after.keys(), name
        assert all(one["condition"] == "service_healthy" for one in after.values()), name
        # Parts that are switched off hold nobody up.
        assert all(after[one]["required"] is False for one in ("demo", "postgres") if one in after), name


def test_no_password_stands_in_the_project(project: dict[str, Any]) -> None:
    for name, service in project["services"].items():
        for key, value in service.get("environment", {}).items():
            if re.search("password|secret|token", key, re.IGNORECASE):
                assert str(value).startswith("/run/secrets/") or key == "MASKWATCH_SECRETS", f"{name}: {key}"
        for secret in service.get("secrets", []):
            assert secret["source"] in project["secrets"], name


def test_redis_and_the_database_are_out_of_reach(project: dict[str, Any]) -> None:
    for name in ("redis-live", "redis-durable", "postgres"):
        assert list(project["services"][name]["networks"]) == ["inside"]
        assert "ports" not in project["services"][name]
    assert project["networks"]["inside"]["internal"] is True


def test_nothing_is_published_beyond_this_machine_unless_it_is_asked_for(project: dict[str, Any]) -> None:
    for name, service in project["services"].items():
        assert all(port["host_ip"] == "127.0.0.1" for port in service.get("ports", [])), name


def test_every_variable_is_a_setting(project: dict[str, Any], tmp_path: Path) -> None:
    for secret in project["secrets"]:
        (tmp_path / secret).write_text("x" * 48)
    for name in OURS:
        service = project["services"][name]
        dockerfile = (ROOT / service["build"]["dockerfile"]).read_text()
        environ = {**image_environment(dockerfile), **service["environment"], "MASKWATCH_SECRETS": str(tmp_path)}
        settings = load_settings(None, environ)
        assert name == "demo" or settings.redis is not None


def test_example_of_the_environment_says_what_is_used_without_it(tmp_path: Path) -> None:
    text = (ROOT / ".env.example").read_text()
    used = set(re.findall(r"\$\{(\w+):-", (ROOT / "docker-compose.yml").read_text()))
    given = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
    assert used == given.keys() - {"COMPOSE_PROFILES"}
    (tmp_path / "env").write_text(text)
    done = compose("--env-file", str(tmp_path / "env"), "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert done.stdout == compose("--env-file", "/dev/null", "config", "--format", "json").stdout


def test_numbers_of_replicas_come_from_the_environment() -> None:
    services = compose_config(environ={"INGESTS": "3", "WORKERS": "0"})["services"]
    assert services["ingest"]["deploy"]["replicas"] == 3
    assert services["worker"]["deploy"]["replicas"] == 0


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_images_run_as_nobody_in_particular_and_hear_signals(kind: str) -> None:
    found = instructions((ROOT / "deploy" / "docker" / f"{kind}.Dockerfile").read_text())
    by_word: dict[str, str] = {word: rest for word, rest in found}
    assert by_word["USER"] == "10001:10001"
    assert by_word["ENTRYPOINT"] == '["tini", "--", "maskwatch"]'
    assert "org.opencontainers.image.version" in by_word["LABEL"]
    assert any("tini" in rest for word, rest in found if word == "RUN")


def test_images_differ_in_what_they_need_alone() -> None:
    cpu, gpu = (
        (ROOT / "deploy" / "docker" / f"{kind}.Dockerfile").read_text().split("COPY . .")[1] for kind in ("cpu", "gpu")
    )
    added = [line for line in gpu.splitlines() if line not in cpu.splitlines()]
    assert all(re.match(r"    (NVIDIA|TF)_|    MASKWATCH_MODELS__DIR|LABEL", line) for line in added), added
