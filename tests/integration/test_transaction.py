from __future__ import annotations

import pytest
import redis
from redis.exceptions import NoScriptError, ResponseError

from maskwatch.broker.transaction import exchange, transact


def test_answers_come_in_the_order_of_the_commands(each_redis: redis.Redis) -> None:
    large = b"\xff" * 100_000
    assert transact(each_redis, ("SET", "{t}:a", large), ("GET", "{t}:a"), ("INCR", "{t}:n")) == [b"OK", large, 1]


def test_unknown_script_is_told_and_the_connection_stays_in_step(each_redis: redis.Redis) -> None:
    with pytest.raises(NoScriptError):
        transact(each_redis, ("SET", "{t}:a", b"1"), ("EVALSHA", "0" * 40, 0))
    assert each_redis.get("{t}:a") == b"1"
    assert transact(each_redis, ("INCR", "{t}:a")) == [2]


def test_refused_command_is_named_and_nothing_is_done(each_redis: redis.Redis) -> None:
    with pytest.raises(ResponseError, match="wrong number of arguments"):
        transact(each_redis, ("SET", "{t}:a", b"1"), ("GET",))
    assert each_redis.get("{t}:a") is None
    assert each_redis.ping()


def test_lost_connection_is_told_and_never_used_again(each_redis: redis.Redis) -> None:
    mine = each_redis.client_id()
    other = redis.Redis(connection_pool=redis.ConnectionPool(**each_redis.connection_pool.connection_kwargs))
    assert other.client_kill_filter(_id=str(mine), skipme=False) == 1
    other.close()
    try:
        transact(each_redis, ("INCR", "{t}:n"))
    except redis.exceptions.ConnectionError:
        transact(each_redis, ("INCR", "{t}:n"))
    assert int(each_redis.get("{t}:n") or 0) >= 1


def test_exchange_answers_like_the_commands_alone(each_redis: redis.Redis) -> None:
    each_redis.set("{t}:a", b"1")
    assert exchange(each_redis, ("MGET", "{t}:a", "{t}:none"), ("INCR", "{t}:a")) == [[b"1", None], 2]
    with pytest.raises(NoScriptError):
        exchange(each_redis, ("EVALSHA", "0" * 40, 0), ("INCR", "{t}:a"))
    assert each_redis.get("{t}:a") == b"3"
