"""Requests that come drop by drop, at the real server: they end in time, and whoever sends them hears why."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from maskwatch.broker.connect import connect
from maskwatch.settings import parse_settings
from tests.support import wait_for
from tests.support_bus import FakeClock
from tests.support_site import ask_json
from web import pace
from web.app import create_app
from web.bus import RedisBus
from web.pace import LEAST_BYTES_PER_S, PacedReader
from web.server import SiteServer

FORM = (
    b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n\r\npassword="
)
FILM = b"POST /api/v1/jobs?name=door.mp4 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n"


@pytest.fixture
def site(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SiteServer]:
    """A site that is impatient, and has 17 threads."""
    monkeypatch.setattr(pace, "HEADERS_S", 0.5)
    monkeypatch.setattr(pace, "BODY_S", 0.5)
    settings = parse_settings(f"redis: {redis_url}\nstate_dir: {tmp_path}\nweb: {{port: 0, max_streams: 1}}", {})
    with connect(redis_url) as client:
        site = SiteServer(create_app(settings, RedisBus(client)))
        site.start()
        try:
            yield site
        finally:
            site.close()


def drip(connection: socket.socket) -> bytes:
    """Send a byte now and then until something is answered; return the answer."""
    until_s = time.monotonic() + 60
    while not select.select([connection], [], [], 0.1)[0]:
        assert time.monotonic() < until_s, "no answer"
        connection.sendall(b"a")
    answer = b""
    try:
        while piece := connection.recv(65536):
            answer += piece
    except ConnectionResetError:
        pass
    return answer


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: ", b"408", b""),
        (b"GET /", b"408", b""),
        (FORM, b"400", b"came too slowly"),
        (FILM, b"408", b"came too slowly"),
    ],
    ids=["headers", "line", "form", "film"],
)
def test_request_that_comes_drop_by_drop_is_ended(site: SiteServer, sent: bytes, status: bytes, said: bytes) -> None:
    with closing(socket.create_connection(("127.0.0.1", site.port), timeout=60)) as connection:
        connection.sendall(sent)
        head, _, content = drip(connection).partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == status
    assert said in content


def test_slow_clients_keep_nobody_out_for_longer(site: SiteServer) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", site.port), timeout=60)) for _ in range(40)]
        for connection in slow:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Long: ")

        def is_answered() -> bool:
            for connection in slow:
                try:
                    connection.sendall(b"a")
                except OSError:  # it was ended
                    continue
            try:
                return bool(ask_json(site.port, "/healthz") == {"status": "ok"})
            except OSError:
                return False

        wait_for(is_answered, 60, "an answer beside 40 clients that never end their request")


def read(reader: PacedReader, count: int) -> bytes:
    return bytes(reader.read(count))  # type: ignore[no-untyped-call]  # cheroot's


def test_what_comes_at_the_least_pace_may_take_as_long_as_it_likes() -> None:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        clock = FakeClock()
        reader = PacedReader(ours, 1 << 16, clock)
        reader.allow(20)
        for _ in range(60):
            theirs.sendall(bytes(LEAST_BYTES_PER_S))
            assert len(read(reader, LEAST_BYTES_PER_S)) == LEAST_BYTES_PER_S
            clock.now += 1
        clock.now += 20
        theirs.sendall(b"late")
        for _ in range(2):
            with pytest.raises(TimeoutError, match=r"^timed out$"):
                read(reader, 4)
        assert reader.is_late
        reader.close()
