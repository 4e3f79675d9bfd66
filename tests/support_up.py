"""`maskwatch up` as a person starts it: in a home of its own, everything real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from tests.support import free_port, wait_for

__all__ = ["GENEROUS_S", "Up", "at_home", "environ_of", "started_up"]

GENEROUS_S = 120.0
"""For things that take seconds on an idle machine."""


class Up:
    """A running `maskwatch up`, its processes recognised by their home directory."""

    def __init__(self, home: Path, *words: str, environ: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.port = free_port()
        self.log = home.parent / f"{home.name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "maskwatch", "up", "--port", str(self.port), *words],
                env=at_home(home) | dict(environ or {}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=home,
            )

    def pids(self, *words: str) -> set[int]:
        """Return the processes in this home, whose command line holds all the words; zombies aren't any more."""
        found = set()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                environ = (folder / "environ").read_bytes().split(b"\0")
                command = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
                is_at_home = (folder / "cwd").readlink().is_relative_to(self.home)
            except OSError:
                continue
            is_ours = is_at_home or f"HOME={self.home}".encode() in environ  # Valkey's title overwrites its environment
            if is_ours and all(word in command for word in words):
                found.add(int(folder.name))
        return found

    def get(self, path: str) -> bytes | None:
        """Return the body of a page, or None while there is none."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
                return cast("bytes", answer.read())
        except (OSError, urllib.error.URLError):
            return None

    def cameras(self) -> dict[str, dict[str, Any]]:
        """Return what the API says of each camera."""
        body = self.get("/api/v1/cameras")
        return {} if body is None else {item["name"]: item for item in json.loads(body)["items"]}

    def camera(self, name: str) -> dict[str, Any]:
        """Return what the API says of one camera; nothing while it doesn't know it."""
        return self.cameras().get(name, {})

    def events(self) -> list[dict[str, Any]]:
        """Return the log lines so far."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def end(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor alone and wait for it."""
        self.process.send_signal(number)
        self.process.wait(GENEROUS_S)

    def clean_up(self) -> None:
        """End everything that is left, without asking."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(GENEROUS_S)
        if self.process.stdout is not None:
            self.process.stdout.close()
        for pid in self.pids():
            with suppress(ProcessLookupError):  # it died with the supervisor meanwhile
                os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not self.pids(), GENEROUS_S, "everything is gone")


def at_home(home: Path) -> dict[str, str]:
    """Return the environment of somebody who lives there and has configured nothing."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MASKWATCH_", "XDG_"))}
    return kept | {"HOME": str(home)}


def environ_of(pid: int) -> dict[str, str]:
    """Return the environment with which a process was started."""
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


@contextmanager
def started_up(home: Path, *words: str, environ: Mapping[str, str] | None = None) -> Iterator[Up]:
    """Run `maskwatch up` in an empty home and make sure that nothing of it is left afterwards."""
    home.mkdir()
    up = Up(home, *words, environ=environ)
    try:
        yield up
    finally:
        up.clean_up()
