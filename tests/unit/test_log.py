from __future__ import annotations

import errno
import io
import json

import structlog

from maskwatch import log
from maskwatch.settings import LogSettings


class Recorder(io.StringIO):
    """Keeps each write apart."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(text)
        return len(text)


def test_line_is_written_at_once_so_that_processes_can_share_a_stream() -> None:
    stream = Recorder()
    try:
        log.configure(LogSettings(format="json"), "ingest", stream)
        structlog.get_logger().info("source.lost", url="rtsp://me:secret@10.0.0.5/s")
    finally:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    (line,) = stream.writes
    assert line.endswith("\n")
    assert json.loads(line)["url"] == "rtsp://***@10.0.0.5/s"


class FullDisk(Recorder):
    """Takes nothing for a while."""

    is_full = True

    def write(self, text: str) -> int:
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_full_disk_behind_the_log_stops_nobody_and_lines_come_again_later() -> None:
    stream = FullDisk()
    try:
        log.configure(LogSettings(format="json"), "ingest", stream)
        structlog.get_logger().warning("source.failed")
        stream.is_full = False
        structlog.get_logger().info("source.reconnected")
    finally:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    assert [json.loads(line)["event"] for line in stream.writes] == ["source.reconnected"]
