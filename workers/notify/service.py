"""Apprise: mail, Telegram, Matrix, Gotify and a hundred others, each by an address of Apprise's making."""

from __future__ import annotations

import logging
import re
import tempfile
from io import StringIO
from pathlib import Path
from urllib.parse import unquote

from maskwatch.errors import ConfigError
from maskwatch.types import Severity
from workers.notify.message import Message
from workers.notify.outcome import Outcome, Result, failed

__all__ = ["Service", "redacted"]

_LEVELS = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}
"""Apprise's names; services choose icons and colours by them."""
_SHORTEST_SECRET = 4
_MOST_LINES = 3


class Service:
    """One address of Apprise's.

    Args:
        url: as Apprise takes it.

    Raises:
        ConfigError: if Apprise doesn't; never tells the address.
    """

    def __init__(self, url: str) -> None:
        import apprise

        self._url = url
        self._apprise = apprise.Apprise()
        if not self._apprise.add(url):
            scheme = url.partition(":")[0]
            raise ConfigError(
                f"Apprise can't read the address that begins with {scheme}://; "
                "see https://github.com/caronc/apprise/wiki for how it is written"
            )

    def send(self, message: Message) -> Outcome:
        """Hand one message to the service, its picture attached where the service takes any."""
        with tempfile.TemporaryDirectory(prefix="maskwatch-") as folder:
            attached = None
            if message.jpeg is not None:
                picture = Path(folder) / "snapshot.jpg"
                picture.write_bytes(message.jpeg)
                attached = str(picture)
            said = StringIO()
            with _Listening(said):
                is_sent = self._apprise.notify(
                    body=message.text,
                    title=message.title,
                    notify_type=_LEVELS[message.severity],
                    attach=attached,
                    body_format="text",
                )
        if is_sent:
            return Outcome(Result.SENT, "the service took it")
        lines = [line for line in said.getvalue().splitlines() if line.strip()][-_MOST_LINES:]
        return failed("Apprise couldn't send it", ValueError(redacted("; ".join(lines), self._url)) if lines else None)

    def close(self) -> None:
        """Nothing stays open between two messages."""


class _Listening:
    """Writes down what Apprise says while it sends; its answer is only yes or no."""

    def __init__(self, said: StringIO) -> None:
        self._handler = logging.StreamHandler(said)
        self._log = logging.getLogger("apprise")

    def __enter__(self) -> None:
        self._before = (self._log.level, self._log.propagate)
        self._log.setLevel(logging.DEBUG)  # the exception's text is told at this level only
        self._log.propagate = False
        self._handler.addFilter(_tells_why)
        self._log.addHandler(self._handler)

    def __exit__(self, *_error: object) -> None:
        self._log.removeHandler(self._handler)
        self._log.level, self._log.propagate = self._before


def _tells_why(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or "xception" in record.getMessage() or "rror" in record.getMessage()


def redacted(text: str, url: str) -> str:
    """Take every part of an address out of a text: with many services any of them may be the password."""
    parts = {unquote(part) for part in re.split(r"[/:@?&=#,]", url.partition("://")[2])}
    for part in sorted((part for part in parts if len(part) >= _SHORTEST_SECRET), key=len, reverse=True):
        text = text.replace(part, "***")
    return text
