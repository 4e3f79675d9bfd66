"""Noticing that the configuration file was edited."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from maskwatch.errors import ConfigError
from maskwatch.settings import Settings

__all__ = ["ConfigWatch"]

_Signature = tuple[int, int, int]


class ConfigWatch:
    """Compares the file's identity, size and time at every look.

    A look a second costs nothing and works where notifications don't: network file systems, and the swapped symbolic
    links by which Kubernetes mounts configuration.
    """

    def __init__(self, path: Path | None, load: Callable[[], Settings]) -> None:
        """Start from the file as it is.

        Args:
            path: of the file; None: nothing is ever noticed.
            load: reads the settings, as at the start of the process.
        """
        self._path = path
        self._load = load
        self._seen = self._look()
        self._settling = self._seen
        self.error: str = ""
        """What is wrong with the file as it is now; empty when it is the configuration that runs."""

    def changed(self) -> Settings | None:
        """Return the new settings when the file was edited, is valid, and hasn't changed since the look before.

        Whoever writes a file in place empties it first: what lies there for a moment may be valid and name no camera.

        Raises:
            ConfigError: once per edit that is invalid; the running configuration should stay.
        """
        now = self._look()
        is_settled, self._settling = now == self._settling, now
        if now == self._seen or not is_settled:
            return None
        self._seen = now
        try:
            settings = self._load()
        except ConfigError as error:
            self.error = str(error)
            raise
        self.error = ""
        return settings

    def _look(self) -> _Signature | None:
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns
