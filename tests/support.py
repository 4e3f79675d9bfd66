"""What several tests need: where things are, what this machine has, and waiting with a deadline."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import time
from collections.abc import Callable
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
    """Return a TCP port of loopback that nobody uses, each time another one.

    It lies below those that the kernel gives to whoever asks for any port, and each process of tests begins elsewhere:
    nobody takes it before it is used, be it for a server or as a port at which nobody listens.
    """
    for number in _port_numbers:
        port = _FIRST_PORT + (os.getpid() * _PORTS_OF_ONE + number) % _PORTS
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("there is always another number")
