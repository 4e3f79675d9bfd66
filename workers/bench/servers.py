"""Embedded servers of a benchmark's own, in a temporary folder, gone with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from maskwatch.embedded import EmbeddedServer, start_servers
from maskwatch.machine import Rank
from maskwatch.service import Stop, stop_on_signals
from maskwatch.supervisor import Supervisor

__all__ = ["Stage", "stage"]


class Stage:
    """A folder, two servers and whatever else is started; all of it ends with the `stage` context.

    Attributes:
        folder: temporary.
        supervisor: of everything that runs.
        live, durable: the servers.
        stop: requested by SIGTERM and Ctrl-C.
    """

    def __init__(self, folder: Path, supervisor: Supervisor, stop: Stop) -> None:
        self.folder = folder
        self.supervisor = supervisor
        self.stop = stop
        self.live, self.durable = self._servers()

    @property
    def environ(self) -> dict[str, str]:
        """Of the processes: nothing of a configuration that happens to be in our own."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MASKWATCH_")}
        return kept | {
            "MASKWATCH_REDIS__LIVE": self.live.url,
            "MASKWATCH_REDIS__DURABLE": self.durable.url,
            "MASKWATCH_LOG__LEVEL": "warning",
        }

    def _servers(self) -> tuple[EmbeddedServer, EmbeddedServer]:
        return start_servers(self.supervisor, self.folder / "state", os.environ, Rank.REDIS, self.stop.wait)


@contextmanager
def stage() -> Iterator[Stage]:
    """Start servers and, in the end, stop everything that was started; call it from the main thread.

    Raises:
        ConfigError, BrokerDown: if the servers can't be started.
    """
    stop = stop_on_signals()
    supervisor = Supervisor()
    with TemporaryDirectory(prefix="maskwatch-bench-") as folder:
        try:
            yield Stage(Path(folder), supervisor, stop)
        finally:
            supervisor.stop(lambda: stop.requested)
