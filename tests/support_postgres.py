"""A real PostgreSQL for tests: Debian's, in a folder of its own, run by a user who isn't root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import free_port, postgres_programs, requires_debian, wait_for

__all__ = ["Postgres", "each_record_url", "postgres", "postgres_server", "record_url_in"]


class Postgres:
    """A server that can be killed and started again over its data.

    Args:
        folder: of its data and log; made by `postgres_server`.
        programs: where initdb and postgres are.
        user: who runs it, or None for whoever runs the tests.
    """

    def __init__(self, folder: Path, programs: Path, user: str | None) -> None:
        self._data = folder / "data"
        self._log = folder / "log"
        self._programs = programs
        self._as = {} if user is None else _identity(user)
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        initdb = [str(programs / "initdb"), "-D", str(self._data), "-U", "maskwatch", "-A", "trust", "--no-sync"]
        initdb += ["-E", "UTF8", "--locale", "C"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=folder, **self._as)

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database."""
        return f"postgresql://maskwatch@127.0.0.1:{self._port}/{database}"

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        import psycopg

        command = [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self._port)]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self._data, start_new_session=True, **self._as
            )

        def answers() -> bool:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
            except psycopg.OperationalError:
                return False
            return True

        wait_for(answers, 60, f"PostgreSQL to take connections; see {self._log}")

    def kill(self) -> None:
        """End it with all its processes, as a power cut would."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def restart(self) -> None:
        """Kill it and start it again."""
        self.kill()
        self.start()

    def make_database(self, name: str, encoding: str = "UTF8") -> str:
        """Make an empty database and return its address."""
        import psycopg

        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE \"{name}\" ENCODING '{encoding}' TEMPLATE template0".encode())
        return self.url(name)


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Run a server on a free loopback port, or skip where Debian's isn't installed."""
    requires_debian("postgresql")
    programs = postgres_programs()
    assert programs is not None
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="maskwatch-postgres-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        server = Postgres(folder, programs, user)
        server.start()
        try:
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server that lasts for the whole session."""
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def each_record_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty record in each kind of database that is supported."""
    return record_url_in(request, tmp_path / "state")


def record_url_in(request: pytest.FixtureRequest, folder: Path) -> str:
    """Return the address of an empty record, of the kind that a fixture's parameter names.

    Args:
        request: of the fixture.
        folder: where SQLite's file is to be.
    """
    if request.param == "sqlite":
        return f"sqlite:///{folder / 'record.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.make_database(f"test-{uuid4().hex}")


def _identity(user: str) -> dict[str, Any]:
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
