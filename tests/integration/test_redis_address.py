"""Ways to write where Redis is, tried on a real server."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from maskwatch.broker.connect import address_of, connect, server_problems
from maskwatch.broker.frames import FrameQueue
from maskwatch.errors import BrokerDown
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
