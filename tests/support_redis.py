"""Real Redis servers for tests: Valkey from its Python package, and Debian's Redis 7.0, the oldest supported.

The fixtures are at hand in tests/integration (see its conftest.py); other tiers import them in theirs.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from maskwatch.broker.connect import connect
from maskwatch.embedded import find_server
from tests.support import free_port, requires_debian, wait_for

__all__ = ["each_redis", "each_redis_url", "redis_client", "redis_server", "redis_url"]


@contextmanager
def redis_server(binary: str | None = None, *options: str, port: int | None = None) -> Iterator[str]:
    """Run a server on a free loopback port, without persistence, and give its URL.

    Args:
        binary: of the server; Valkey's when empty.
        options: further ones for its command line.
        port: to listen on; a free one when empty.
    """
    folder = tempfile.mkdtemp(prefix="maskwatch-redis-")
    port = port or free_port()
    command = [binary or str(find_server()), "--port", str(port), "--bind", "127.0.0.1", "--dir", folder]
    command += ["--save", "", "--appendonly", "no", "--logfile", str(Path(folder) / "log"), *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"
    try:
        with connect(url) as probe:
            wait_for(lambda: _answers(process, probe), 60, f"an answer of {command[0]}")
        yield url
    finally:
        process.kill()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """URL of a Valkey server that lasts for the whole session."""
    with redis_server() as url:
        yield url


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    """A client of that server, which is empty before and after."""
    yield from _flushed(redis_url)


@pytest.fixture(scope="session", params=["valkey", "redis-7.0"])
def each_redis_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of each kind of server that is supported."""
    if request.param == "valkey":
        yield request.getfixturevalue("redis_url")
    else:
        requires_debian("redis-server")
        with redis_server(shutil.which("redis-server")) as url:
            yield url


@pytest.fixture
def each_redis(each_redis_url: str) -> Iterator[redis.Redis]:
    """A client of each kind of server, which is empty before and after."""
    yield from _flushed(each_redis_url)


def _flushed(url: str) -> Iterator[redis.Redis]:
    with connect(url, blocking=True) as client:
        client.flushall()
        client.script_flush()
        yield client
        client.flushall()


def _answers(process: subprocess.Popen[bytes], probe: redis.Redis) -> bool:
    assert process.poll() is None, f"the server ended with {process.returncode}"  # another one may answer
    try:
        return bool(probe.ping())
    except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
        return False
