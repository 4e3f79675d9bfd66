"""The book of processes, and what is said about a server that would break the queue."""

from __future__ import annotations

import pytest
import redis

from maskwatch.broker import keys
from maskwatch.broker.connect import address_of, connect, server_problems
from maskwatch.broker.messages import ProcessInfo
from maskwatch.broker.processes import ProcessBook
from maskwatch.errors import BrokerDown, QueueError
from tests.support import free_port, wait_for
from tests.support_redis import redis_server

WORKER = ProcessInfo("worker", "w1", "127.0.0.1:9001", "box", "litert")
WEB = ProcessInfo("web", "site", "127.0.0.1:9002", "box")


def test_processes_are_listed_by_kind_until_they_leave(each_redis: redis.Redis) -> None:
    book = ProcessBook(each_redis)
    assert book.list() == []
    for info in (WORKER, WEB, WORKER):
        book.register(info)
    assert [info.name for info in book.list()] == ["site", "w1"]
    (worker,) = book.list("worker")
    assert (worker.address, worker.host, worker.engine) == (WORKER.address, WORKER.host, WORKER.engine)
    assert 0.0 <= worker.age_s < 10.0
    book.leave(WORKER)
    assert [info.name for info in book.list()] == ["site"]


def test_silent_process_is_forgotten(each_redis: redis.Redis) -> None:
    book = ProcessBook(each_redis)
    book.register(WORKER, ttl_s=0.05)
    wait_for(lambda: book.list() == [], 60, "the silent process to be forgotten")
    assert list(each_redis.scan_iter()) == []


def test_unreadable_process_is_left_out(each_redis: redis.Redis) -> None:
    book = ProcessBook(each_redis)
    book.register(WORKER)
    book.register(WEB)
    each_redis.hset(keys.PROCESS_INFOS, "web/site", b"1 \xc1")
    assert [info.name for info in book.list()] == ["w1"]


def test_good_server_has_no_problems(each_redis: redis.Redis) -> None:
    assert server_problems(each_redis) == []


def test_server_that_evicts_is_reported() -> None:
    with redis_server(None, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru") as url, connect(url) as client:
        (problem,) = server_problems(client)
    assert "maxmemory-policy allkeys-lru" in problem
    assert "set `maxmemory-policy noeviction`" in problem


def test_wrong_password_is_told_without_repeating_it() -> None:
    with redis_server() as url, connect(url) as admin:
        admin.config_set("requirepass", "right")
        with connect(url.replace("redis://", "redis://:wrong@")) as client:
            with pytest.raises(QueueError, match="refused the password") as raised:
                ProcessBook(client).list()
            assert not isinstance(raised.value, BrokerDown)
            assert "wrong@" not in str(raised.value)
            assert address_of(client) in str(raised.value)
        with connect(url.replace("redis://", "redis://:right@")) as client:
            assert ProcessBook(client).list() == []


def test_unreachable_server_is_told_with_its_address() -> None:
    port = free_port()
    with (
        connect(f"redis://:secret@127.0.0.1:{port}/0") as client,
        pytest.raises(BrokerDown, match=f"127.0.0.1:{port} can't be reached while reading its settings") as raised,
    ):
        server_problems(client)
    assert "secret" not in str(raised.value)


def test_address_that_makes_no_sense_is_refused_without_repeating_it() -> None:
    with pytest.raises(QueueError, match="expected redis://") as raised:
        connect("http://user:secret@host")
    assert "secret" not in str(raised.value)
