"""The end of an ingest process whose Redis says nothing any more."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ingest.service import Service
from maskwatch.broker import connect
from maskwatch.settings import parse_settings


def connections(listener: socket.socket) -> int:
    """Count those that came and haven't been counted."""
    listener.setblocking(False)
    number = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return number
        number += 1


def test_silent_redis_is_not_asked_again_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "_ANSWER_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        settings = parse_settings(f"redis: {{live: '{url}', durable: '{url}'}}\nstate_dir: '{tmp_path}'", {})
        service = Service(settings, None, "one")
        service.tick()
        assert connections(listener) > 0
        assert service.close()
        assert connections(listener) == 0
