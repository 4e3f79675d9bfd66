"""Several commands at once, sent in one piece, as a transaction or one after the other.

redis-py's own pipeline sends a large argument and what stands before and after it one by one: three system calls for a
frame, of which the server wakes up for each. Packed by hand an offer costs the client two thirds of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import redis
from redis.exceptions import ExecAbortError, ResponseError

from maskwatch.broker.script import Argument

__all__ = ["exchange", "transact"]


def transact(client: redis.Redis, *commands: tuple[Argument, ...]) -> list[Any]:
    """Run commands between MULTI and EXEC and return their answers; one round trip, never sent again.

    Raises:
        redis.exceptions.RedisError: what the server or the connection says; of several refused commands the first.
    """
    *queued, answers = _round_trip(client, [("MULTI",), *commands, ("EXEC",)])
    if isinstance(answers, ExecAbortError):
        raise next((answer for answer in queued if isinstance(answer, ResponseError)), answers)
    if isinstance(answers, ResponseError):
        raise answers
    return _without_errors(answers)


def exchange(client: redis.Redis, *commands: tuple[Argument, ...]) -> list[Any]:
    """Run commands one after the other, with those of others in between, and return their answers; one round trip.

    Raises:
        redis.exceptions.RedisError: what the server or the connection says; of several refused commands the first.
    """
    return _without_errors(_round_trip(client, commands))


def _round_trip(client: redis.Redis, commands: Sequence[tuple[Argument, ...]]) -> list[Any]:
    """Send commands in one piece and read their answers, the server's errors among them."""
    pool = client.connection_pool
    connection: Any = pool.get_connection()
    is_in_step = False
    try:
        parts = [part for words in commands for part in connection.pack_command(*words)]
        connection.send_packed_command([b"".join(parts)])
        answers = [_answer(connection) for _ in commands]
        is_in_step = True
        return answers
    finally:
        if not is_in_step:
            # Answers that nobody has read would be taken for those of the next command.
            connection.disconnect()
        pool.release(connection)


def _without_errors(answers: Sequence[Any]) -> list[Any]:
    for answer in answers:
        if isinstance(answer, ResponseError):
            raise answer
    return list(answers)


def _answer(connection: Any) -> Any:
    """Read one answer; an error of the server's is an answer like any other, and the next one still has to be read."""
    try:
        return connection.read_response()
    except ResponseError as error:
        return error
