"""Several commands at once, sent in one piece, as a transaction or one after the other.

redis-py's own way costs far more than the commands: 25 us to take a connection from its pool and give it back, up to
100 us around each command, and a large argument is sent in pieces of its own, for each of which the server wakes up.
A `Line` keeps its connections, packs with hiredis and sends once.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import hiredis
import redis
from redis.exceptions import ConnectionError, ExecAbortError, ResponseError

from maskwatch.broker.script import Argument, read_script, with_script

__all__ = ["Line"]

_LARGE_BYTES = 4096
"""From this on copying an argument costs more than packing around it."""

Command = tuple[Argument, ...]


class Line:
    """Sends commands over connections of a client's that it keeps; threads may share one.

    The connections go back to the client with the line, and end with the client.
    """

    def __init__(self, client: redis.Redis) -> None:
        """Use the connections of a client."""
        self._client = client
        self._free: list[Any] = []
        weakref.finalize(self, _give_back, client.connection_pool, self._free).atexit = False

    def transact(self, *commands: Command) -> list[Any]:
        """Run commands between MULTI and EXEC and return their answers; one round trip, never sent again.

        Raises:
            redis.exceptions.RedisError: what the server or the connection says; of several refused commands the first.
        """
        *queued, answers = self._round_trip([("MULTI",), *commands, ("EXEC",)])
        if isinstance(answers, ExecAbortError):
            raise next((answer for answer in queued if isinstance(answer, ResponseError)), answers)
        if isinstance(answers, ResponseError):
            raise answers
        return _without_errors(answers)

    def exchange(self, *commands: Command) -> list[Any]:
        """Run commands one after the other, with those of others in between, and return their answers; one round trip.

        Raises:
            redis.exceptions.RedisError: what the server or the connection says; of several refused commands the first.
        """
        return _without_errors(self._round_trip(commands))

    def run_script(self, name: str, key_names: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run a script and return what it returns; one round trip, three when the server didn't know it.

        Raises:
            redis.exceptions.RedisError: what the server or the connection says.
            QueueError: if the server forgets the script again and again.
        """
        script = read_script(name)
        command = ("EVALSHA", script.sha, len(key_names), *key_names, *args)
        return with_script(self._client, script, lambda: self.exchange(command)[0])

    def _round_trip(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands in one piece and read their answers, the server's errors among them."""
        connection = self._take()
        is_in_step = False
        try:
            connection.send_packed_command([b"".join([part for words in commands for part in _packed(words)])])
            answers = [_answer(connection) for _ in commands]
            is_in_step = True
            return answers
        finally:
            if is_in_step:
                self._free.append(connection)
            else:
                # Answers that nobody has read would be taken for those of the next command.
                connection.disconnect()
                self._client.connection_pool.release(connection)

    def _take(self) -> Any:
        """Return a connection that nobody uses; one that the server has closed meanwhile is opened again."""
        try:
            connection = self._free.pop()
        except IndexError:
            return self._client.connection_pool.get_connection()
        try:
            is_usable = not connection.can_read()
        except (ConnectionError, OSError):
            is_usable = False
        if not is_usable:
            connection.disconnect()
        return connection


def _give_back(pool: redis.ConnectionPool, connections: Sequence[Any]) -> None:
    for connection in connections:
        pool.release(connection)


def _packed(words: Command) -> list[bytes]:
    """Write a command as the server reads it; a large last argument isn't copied."""
    last = words[-1]
    if not isinstance(last, bytes) or len(last) < _LARGE_BYTES:
        return [hiredis.pack_command(words)]  # type: ignore[arg-type]  # its stub means tuples of any length
    parts = [b"*%d\r\n" % len(words)]
    for word in words[:-1]:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return [*parts, b"$%d\r\n" % len(last), last, b"\r\n"]


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
