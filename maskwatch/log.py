"""Logging: lines for people on a terminal, JSON for machines, never a credential in either."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, WrappedLogger

from maskwatch.settings.model import LogSettings
from maskwatch.settings.source import scrub

__all__ = ["configure"]


class _Unfailing:
    """A stream that raises nothing: a full disk or a closed pipe behind stderr mustn't stop a camera or a worker.

    What can't be written is lost; lines come again once there is room.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


def configure(settings: LogSettings, service: str, stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's logging for one process.

    Args:
        settings: level and format.
        service: bound to every line as `service`.
        stream: where lines go; None means stderr.
    """
    out = stream or sys.stderr
    console = settings.format == "console" or (settings.format == "auto" and out.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=out.isatty()) if console else structlog.processors.JSONRenderer()
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if not console:
        shared.append(structlog.processors.format_exc_info)
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    structlog.configure(
        processors=[*shared, _scrub_values, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # One write a line: several processes share stderr, and what is written in parts gets mixed up.
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, _Unfailing(out))),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _scrub_values, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)


def _scrub_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Take credentials out of every text; the last processor before the renderer, so that none slips past."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = scrub(value)
        elif isinstance(value, BaseException):
            event[key] = scrub(str(value))
    return event
