"""Ways to write where Redis is, tried on a real server."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path
from threading import Thread

import pytest

from maskwatch.broker.connect import address_of, connect, server_problems
from maskwatch.broker.frames import FrameQueue
from maskwatch.errors import BrokerDown, QueueError
from tests.support_redis import redis_server


@pytest.mark.parametrize("blocking", [False, True])
def test_server_is_reached_by_a_socket_in_the_file_system(blocking: bool) -> None:
    # Not in tmp_path: an address of a socket has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="mw-") as folder:
        path = Path(folder) / "redis.sock"
        with redis_server(None, "--unixsocket", str(path)), connect(f"unix://{path}", blocking=blocking) as client:
            assert server_problems(client) == []
            assert address_of(client) == str(path)
            assert FrameQueue(client).take(1, wait_s=0) == []


def test_socket_that_is_not_there_is_told_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "none.sock"
    with connect(f"unix://{path}") as client, pytest.raises(BrokerDown, match=r"none\.sock can't be reached"):
        server_problems(client)


def test_server_of_another_kind_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        Thread(target=_answer_in_http, args=(server,), daemon=True).start()
        with connect(f"redis://127.0.0.1:{port}/0") as client, pytest.raises(QueueError) as caught:
            server_problems(client)
    assert f"what answers at 127.0.0.1:{port} while reading its settings is no Redis server" in str(caught.value)


def _answer_in_http(server: socket.socket) -> None:
    connection, _address = server.accept()
    with connection:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n<html>\r\n")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1000):
            pass
