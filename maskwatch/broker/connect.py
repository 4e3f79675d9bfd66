"""Connections to Redis: bounded in time, and never a command sent twice behind one's back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ConnectionError,
    InvalidResponse,
    OutOfMemoryError,
    RedisError,
    TimeoutError,
)
from redis.retry import Retry

from maskwatch.errors import BrokerDown, QueueError

__all__ = ["LONGEST_WAIT_S", "address_of", "connect", "server_problems", "translated"]

_CONNECT_TIMEOUT_S = 2.0
_ANSWER_TIMEOUT_S = 3.0
LONGEST_WAIT_S = 2.0
"""How long a blocking command may wait; a blocking connection's time-out is longer by an ordinary answer's."""


def connect(url: str, *, blocking: bool = False) -> redis.Redis:
    """Prepare a client; the connection itself is made by its first command.

    redis-py by itself sends a command again after a lost connection, up to ten times: a frame would be counted and
    handed out twice. Here every loss is told.

    Args:
        url: `redis://`, `rediss://` or `unix://`, with the password if there is one.
        blocking: for a client that waits in `FrameQueue.take`, whose answers may come later.

    Raises:
        QueueError: if the URL can't be understood.
    """
    timeout_s = _ANSWER_TIMEOUT_S + (LONGEST_WAIT_S if blocking else 0.0)
    # redis-py's connection to a socket in the file system doesn't know the word.
    keepalive: dict[str, Any] = {} if url.startswith("unix://") else {"socket_keepalive": True}
    try:
        return redis.Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=_CONNECT_TIMEOUT_S,
            **keepalive,
            retry=Retry(NoBackoff(), 0),
            retry_on_timeout=False,
            retry_on_error=[],
            health_check_interval=0,
            decode_responses=False,
            protocol=2,
        )
    except (ValueError, TypeError) as error:
        raise QueueError(
            "the address of Redis can't be understood: expected redis://[:PASSWORD@]HOST:PORT/DB, "
            f"rediss://... or unix://PATH ({type(error).__name__}); correct `redis:` in the configuration"
        ) from None


def address_of(client: redis.Redis) -> str:
    """Return HOST:PORT or the socket's path, without credentials."""
    options = client.connection_pool.connection_kwargs
    if "path" in options:
        return str(options["path"])
    return f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"


@contextmanager
def translated(client: redis.Redis, doing: str) -> Iterator[None]:
    """Turn the client library's errors into the project's.

    Args:
        client: who is asked; named in the message.
        doing: what was tried, for the message.

    Raises:
        BrokerDown: if Redis can't be reached, is still loading, or didn't answer in time.
        QueueError: if Redis answered with an error.
    """
    try:
        yield
    except AuthenticationError:
        raise QueueError(
            f"Redis at {address_of(client)} refused the password while {doing}; correct it in the configuration"
        ) from None
    except (ConnectionError, TimeoutError, BusyLoadingError, OSError) as error:
        raise BrokerDown(
            f"Redis at {address_of(client)} can't be reached while {doing}: {type(error).__name__}: {error}; "
            "is the server running?"
        ) from error
    except InvalidResponse as error:
        raise QueueError(
            f"what answers at {address_of(client)} while {doing} is no Redis server; correct `redis:` in the "
            "configuration"
        ) from error
    except OutOfMemoryError as error:
        raise _out_of_memory(client, doing) from error
    except RedisError as error:
        if "OOM" in str(error):
            raise _out_of_memory(client, doing) from error
        raise QueueError(f"Redis at {address_of(client)} answered an error while {doing}: {error}") from error


def server_problems(client: redis.Redis) -> list[str]:
    """Return what about this server would break the queue, as sentences for a person; empty when all is well.

    Raises:
        BrokerDown: if Redis can't be reached.
        QueueError: if Redis answered with an error.
    """
    with translated(client, "reading its settings"):
        info = client.info()
    problems = []
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        problems.append(
            f"Redis at {address_of(client)} has maxmemory-policy {policy}: it would throw away frames and counters "
            "that are in use; set `maxmemory-policy noeviction`"
        )
    version = str(info.get("redis_version", "0"))
    if int(version.split(".")[0]) < 7:
        problems.append(f"Redis at {address_of(client)} is version {version}; expected 7.0 or newer")
    return problems


def _out_of_memory(client: redis.Redis, doing: str) -> QueueError:
    return QueueError(
        f"Redis at {address_of(client)} has reached its maxmemory while {doing}; "
        "give it more (about 0.2 MB a camera is needed) or watch fewer cameras"
    )
