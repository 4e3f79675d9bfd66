from __future__ import annotations

from pathlib import Path

import pytest

from maskwatch.embedded import EmbeddedServer, find_server, plan_servers
from maskwatch.errors import ConfigError

GIB = 1 << 30


def options(server: EmbeddedServer) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in server.config_text.splitlines())


def test_live_keeps_nothing_and_evicts_nothing(tmp_path: Path) -> None:
    live, _durable = plan_servers(tmp_path, 4 * GIB)
    config = options(live)
    assert config["save"] == '""'
    assert config["appendonly"] == "no"
    assert config["maxmemory-policy"] == "noeviction"
    assert config["maxmemory"] == str(GIB // 2)


def test_durable_writes_every_change(tmp_path: Path) -> None:
    _live, durable = plan_servers(tmp_path, 4 * GIB)
    config = options(durable)
    assert (config["appendonly"], config["appendfsync"]) == ("yes", "always")
    assert config["maxmemory-policy"] == "noeviction"
    assert config["dir"] == f'"{tmp_path / "redis-durable"}"'


def test_both_listen_on_loopback_with_a_password(tmp_path: Path) -> None:
    servers = plan_servers(tmp_path, GIB)
    for server in servers:
        assert options(server)["bind"] == "127.0.0.1"
        assert len(options(server)["requirepass"]) == 32
    assert servers[0].password != servers[1].password
    assert servers[0].port != servers[1].port


@pytest.mark.parametrize(("ram", "mib"), [(GIB // 4, 128), (2 * GIB, 256), (64 * GIB, 1024)])
def test_memory_of_live_follows_the_machine_within_bounds(tmp_path: Path, ram: int, mib: int) -> None:
    assert plan_servers(tmp_path, ram)[0].maxmemory_bytes == mib << 20


def test_password_is_in_neither_command_line_nor_repr(tmp_path: Path) -> None:
    server, _durable = plan_servers(tmp_path, GIB)
    spec = server.spec(Path("/bin/valkey-server"), {"PATH": "/bin", "MASKWATCH_X": "1"}, 4)
    assert server.password not in " ".join(spec.argv)
    assert server.password not in f"{server!r} {spec!r}"
    assert server.password.encode() in spec.stdin
    assert dict(spec.environ) == {"PATH": "/bin"}


def test_folders_are_private(tmp_path: Path) -> None:
    for server in plan_servers(tmp_path / "state", GIB):
        assert server.folder.stat().st_mode & 0o077 == 0


def test_folder_that_cant_be_made_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(ConfigError, match="can't make redis-live"):
        plan_servers(tmp_path / "state", GIB)


def test_folder_whose_name_would_break_the_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="quotes"):
        plan_servers(tmp_path / 'a"b', GIB)


def test_server_program_is_found() -> None:
    assert find_server().name == "valkey-server"


def test_missing_server_program_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "sparc")
    with pytest.raises(ConfigError, match=r"no embedded Redis server for Linux sparc.*configure one"):
        find_server()
