"""What several tests need: where things are, what this machine has, and waiting with a deadline."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from functools import cache
from itertools import repeat
from pathlib import Path
from typing import TypeVar

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

APT = {
    "rtsp": "apt-get install -y gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly "
    "gstreamer1.0-plugins-bad gstreamer1.0-libav python3-gi",
    "chromium": "apt-get install -y chromium",
    "curl": "apt-get install -y curl",
    "ffmpeg": "apt-get install -y ffmpeg",
    "redis-server": "apt-get install -y redis-server",
    "postgresql": "apt-get install -y postgresql",
    "prometheus": "apt-get install -y prometheus",
    "mosquitto": "apt-get install -y mosquitto",
}

_FIRST_PORT = 12_000
"""Browsers refuse some of those below."""
_WORKERS = 8

T = TypeVar("T")

_FIRST_PORT, _PORTS, _PORTS_OF_ONE = 15_000, 17_000, 499
_port_numbers = itertools.count()


def requires_debian(what: str) -> None:
    """Skip the test, saying what to install, when a Debian package is missing; fail under MASKWATCH_REQUIRE_ALL=1."""
    if what == "rtsp":
        present = any(Path("/usr/lib").glob("*/girepository-1.0/GstRtspServer-1.0.typelib")) and bool(
            shutil.which("python3", path="/usr/bin")
        )
    elif what == "postgresql":
        present = postgres_programs() is not None
    else:
        present = shutil.which(what) is not None or shutil.which(what, path="/usr/sbin") is not None
    if present:
        return
    message = f"needs Debian's {what}: {APT[what]}"
    if os.environ.get("MASKWATCH_REQUIRE_ALL") == "1":
        pytest.fail(message)
    pytest.skip(message)


def postgres_programs() -> Path | None:
    """Return the folder of Debian's newest PostgreSQL server, which isn't in PATH, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def shared_path(relative: str) -> Path:
    """Return a path below ../shared, or skip the test where it isn't there."""
    path = SHARED / relative
    if not path.exists():
        pytest.skip(f"needs ../shared/{relative}, which only the developers have")
    return path


def wait_for(condition: Callable[[], T | None], deadline_s: float, what: str, every_s: float = 0.05) -> T:
    """Poll until `condition` gives something true and return it; fail with `what` at the deadline."""
    ends = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > ends:
            raise AssertionError(f"not within {deadline_s} s: {what} (last: {value!r})")
        time.sleep(every_s)


def free_port() -> int:
    """Return a TCP port that nobody listens on, never the same twice, for a program that will listen on it soon.

    It isn't one of those that the kernel gives to whoever asks for any, or to connections: they might get it meanwhile.
    """
    for port in _ports():
        with socket.socket() as probe:
            # As servers do; connections of an earlier server that still end don't count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise AssertionError("no TCP port is free")


@cache
def _ports() -> Iterator[int]:
    """Return an iterator over ports that only this process uses: those of another worker of pytest-xdist are others."""
    try:
        given_from = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        given_from = 32768
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    share = (given_from - _FIRST_PORT) // _WORKERS
    if share < 500:  # the kernel gives nearly all of them
        return repeat(0)
    first = _FIRST_PORT + worker * share
    start = random.SystemRandom().randrange(share)  # other tests may run beside these
    return iter([first + (start + number) % share for number in range(share)])
