from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from redis.exceptions import NoScriptError, ResponseError

from maskwatch.broker.transaction import Line


def test_answers_come_in_the_order_of_the_commands(each_redis: redis.Redis) -> None:
    large = b"\xff" * 100_000
    assert Line(each_redis).transact(("SET", "{t}:a", large), ("GET", "{t}:a"), ("INCR", "{t}:n")) == [b"OK", large, 1]


def test_unknown_script_is_told_and_the_connection_stays_in_step(each_redis: redis.Redis) -> None:
    with pytest.raises(NoScriptError):
        Line(each_redis).transact(("SET", "{t}:a", b"1"), ("EVALSHA", "0" * 40, 0))
    assert each_redis.get("{t}:a") == b"1"
    assert Line(each_redis).transact(("INCR", "{t}:a")) == [2]


def test_refused_command_is_named_and_nothing_is_done(each_redis: redis.Redis) -> None:
    with pytest.raises(ResponseError, match="wrong number of arguments"):
        Line(each_redis).transact(("SET", "{t}:a", b"1"), ("GET",))
    assert each_redis.get("{t}:a") is None
    assert each_redis.ping()


def test_lost_connection_is_made_anew(each_redis: redis.Redis) -> None:
    line = Line(each_redis)
    (mine,) = line.exchange(("CLIENT", "ID"))
    assert line.exchange(("CLIENT", "ID")) == [mine]
    _kill(each_redis, mine)
    (other,) = line.exchange(("CLIENT", "ID"))
    assert other != mine


def test_connection_that_breaks_is_told_and_never_used_again(
    each_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Line(each_redis)
    (mine,) = line.exchange(("CLIENT", "ID"))
    with monkeypatch.context() as patched:
        # It breaks after it was looked at, before it is used.
        patched.setattr(each_redis.connection_pool.connection_class, "can_read", lambda this: False)
        _kill(each_redis, mine)
        with pytest.raises(redis.exceptions.ConnectionError):
            line.transact(("INCR", "{t}:n"))
    assert line.transact(("INCR", "{t}:n")) == [1]


def test_threads_that_share_a_line_get_their_own_answers(each_redis: redis.Redis) -> None:
    line = Line(each_redis)

    def echo(number: int) -> bool:
        words = [b"%d-%d" % (number, turn) * 2000 for turn in range(100)]
        return all(line.exchange(("ECHO", word), ("ECHO", b"x")) == [word, b"x"] for word in words)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(echo, range(4))) == [True] * 4


def test_connection_goes_back_with_the_line(each_redis: redis.Redis) -> None:
    ids = {Line(each_redis).exchange(("CLIENT", "ID"))[0] for _ in range(200)}
    assert len(ids) == 1


def test_exchange_answers_like_the_commands_alone(each_redis: redis.Redis) -> None:
    each_redis.set("{t}:a", b"1")
    assert Line(each_redis).exchange(("MGET", "{t}:a", "{t}:none"), ("INCR", "{t}:a")) == [[b"1", None], 2]
    with pytest.raises(NoScriptError):
        Line(each_redis).exchange(("EVALSHA", "0" * 40, 0), ("INCR", "{t}:a"))
    assert each_redis.get("{t}:a") == b"3"


def _kill(client: redis.Redis, connection_id: int) -> None:
    with redis.Redis(connection_pool=redis.ConnectionPool(**client.connection_pool.connection_kwargs)) as other:
        assert other.client_kill_filter(_id=str(connection_id), skipme=False) == 1
