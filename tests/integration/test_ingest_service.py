"""An ingest process whose Redis says nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import ingest.service
from ingest.crew import Crew
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


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Yield what takes connections and never answers."""
    monkeypatch.setattr(connect, "_ANSWER_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def service(listener: socket.socket, tmp_path: Path) -> Service:
    url = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
    settings = parse_settings(f"redis: {{live: '{url}', durable: '{url}'}}\nstate_dir: '{tmp_path}'", {})
    return Service(settings, None, "one")


def test_silent_redis_is_not_asked_again_at_the_end(service: Service, listener: socket.socket) -> None:
    service.tick()
    assert connections(listener) > 0
    assert service.close()
    assert connections(listener) == 0


def test_memory_is_given_back_once_after_sources_were_closed(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    closings = 0
    monkeypatch.setattr(ingest.service, "_TIDY_S", 0.0)
    monkeypatch.setattr(ingest.service, "give_back_freed_memory", lambda: calls.append(closings))
    monkeypatch.setattr(Crew, "closings", property(lambda _crew: closings))
    service.tick()
    closings = 3
    service.tick()
    service.tick()
    assert calls == [3]
    service.close()
