"""The embedded servers as they run: real processes, real sockets, real files."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from maskwatch.embedded import EmbeddedServer, plan_servers, start_servers
from maskwatch.supervisor import Supervisor
from tests.support import wait_for


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    supervisor = Supervisor()
    yield supervisor
    supervisor.stop()


def start(supervisor: Supervisor, folder: Path) -> tuple[EmbeddedServer, EmbeddedServer]:
    return start_servers(supervisor, folder, os.environ, 4, lambda seconds: wait(seconds))


def wait(seconds: float) -> bool:
    signal.sigtimedwait([], seconds)
    return False


def client(server: EmbeddedServer, password: str | None = None) -> redis.Redis:
    return redis.Redis(
        port=server.port,
        password=server.password if password is None else password,
        socket_timeout=30,
        socket_connect_timeout=30,
        retry=Retry(NoBackoff(), 0),
    )


def setting(server: EmbeddedServer, name: str) -> str:
    with client(server) as connection:
        return str(connection.config_get(name)[name])


def test_both_servers_have_the_settings_they_need(supervisor: Supervisor, tmp_path: Path) -> None:
    live, durable = start(supervisor, tmp_path)
    assert setting(live, "appendonly") == "no"
    assert setting(live, "save") == ""
    assert setting(durable, "appendonly") == "yes"
    assert setting(durable, "appendfsync") == "always"
    for server in (live, durable):
        assert setting(server, "maxmemory-policy") == "noeviction"
        assert int(setting(server, "maxmemory")) == server.maxmemory_bytes
        assert setting(server, "bind") == "127.0.0.1"


def test_password_is_asked_for(supervisor: Supervisor, tmp_path: Path) -> None:
    live, _durable = start(supervisor, tmp_path)
    with client(live, "") as anonymous, pytest.raises(redis.AuthenticationError):
        anonymous.ping()
    with client(live, "wrong") as wrong, pytest.raises(redis.AuthenticationError):
        wrong.ping()


def test_password_is_in_no_command_line_and_no_file(supervisor: Supervisor, tmp_path: Path) -> None:
    servers = start(supervisor, tmp_path)
    written = b"".join(content(path) for path in tmp_path.rglob("*"))
    shown = b"".join(content(path) for path in Path("/proc").glob("[0-9]*/cmdline"))
    for server in servers:
        assert server.password.encode() not in written + shown


def content(path: Path) -> bytes:
    """Return what is in a file; processes end, and servers give their files other names, while one looks."""
    try:
        return path.read_bytes()
    except (IsADirectoryError, FileNotFoundError, ProcessLookupError):
        return b""


def test_folder_may_have_spaces_and_umlauts(supervisor: Supervisor, tmp_path: Path) -> None:
    folder = tmp_path / "Büro 2, 'vorne' #1"
    _live, durable = start(supervisor, folder)
    assert setting(durable, "dir") == str(folder / "redis-durable")


def test_durable_data_survives_a_restart_and_live_data_does_not(tmp_path: Path) -> None:
    first = Supervisor()
    for server in start(first, tmp_path):
        with client(server) as connection:
            connection.set("event", "kept")
    first.stop()
    second = Supervisor()
    try:
        live, durable = start(second, tmp_path)
        with client(live) as of_live, client(durable) as of_durable:
            assert of_live.get("event") is None
            assert of_durable.get("event") == b"kept"
    finally:
        second.stop()


def test_durable_data_survives_sigkill(supervisor: Supervisor, tmp_path: Path) -> None:
    _live, durable = start(supervisor, tmp_path)
    with client(durable) as connection:
        connection.set("event", "kept")
        pid = int(connection.info("server")["process_id"])
    os.kill(pid, signal.SIGKILL)

    def value() -> bytes | None:
        supervisor.tick()
        try:
            with client(durable) as again:
                found = again.get("event")
                return found if isinstance(found, bytes) else None
        except redis.ConnectionError:
            return None

    assert wait_for(value, 60, "the server is back at its old address") == b"kept"


def test_ports_are_free_again_after_the_stop(tmp_path: Path) -> None:
    supervisor = Supervisor()
    servers = start(supervisor, tmp_path)
    supervisor.stop()
    for server in servers:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", server.port))


def test_port_taken_meanwhile_is_replaced(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        bad_port = taken.getsockname()[1]
        plans = [0]

        def plan(state_dir: Path) -> tuple[EmbeddedServer, EmbeddedServer]:
            plans[0] += 1
            if plans[0] == 1:
                monkeypatch.setattr("maskwatch.embedded.free_port", lambda: bad_port)
                servers = plan_servers(state_dir)
                monkeypatch.undo()
                return servers
            return plan_servers(state_dir)

        monkeypatch.setattr("maskwatch.embedded.plan_servers", plan)
        live, durable = start(supervisor, tmp_path)
    assert bad_port not in (live.port, durable.port)
