"""What replicas of the site tell each other: how often somebody tried to get in, and which sessions are over."""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections.abc import Callable
from enum import Enum
from typing import TypeVar

import redis
import structlog
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, MovingWindowSupport, RedisStorage, Storage
from limits.strategies import MovingWindowRateLimiter

from maskwatch.broker import keys

__all__ = ["Common", "Door"]

_ASK_AGAIN_S = 5.0
"""While Redis is away each question would cost its time-out, so it isn't asked for some seconds."""

_T = TypeVar("_T")


class Door(Enum):
    """Where somebody tries to get in; each value is how often one address may."""

    PASSWORD = (RateLimitItemPerMinute(10, namespace="password"), RateLimitItemPerHour(60, namespace="password"))
    TOKEN = (RateLimitItemPerMinute(60, namespace="token"),)
    """Wrong ones only. They can't be guessed; this keeps a program that is set up wrongly from being a burden."""


class Common:
    """Kept in Redis; in this process alone while there is none or while it is away. For several threads.

    Args:
        client: of the server that keeps records, or None for this process alone.
        clock: monotonic seconds.
    """

    def __init__(self, client: redis.Redis | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._own = MemoryStorage()
        self._shared: RedisStorage | None = None
        if client is not None:
            self._shared = RedisStorage(
                "redis://", connection_pool=client.connection_pool, key_prefix=keys.LOGIN, wrap_exceptions=True
            )
        self._clock = clock
        self._away_until = -math.inf
        self._lock = threading.Lock()

    def wait_s(self, door: Door, address: str) -> float:
        """Note one more try, and tell whether it is one too many.

        Args:
            door: where.
            address: from where; all of an IPv6 network of 64 bits is one, since a customer gets that many.

        Returns:
            0 if it may go on; else the seconds, at least 1, after which another try may, and this one isn't noted.
        """
        whom = _network(address)
        return self._ask(lambda storage: _tried(storage, door, whom))

    def end_session(self, session_id: str, lasts_s: float) -> None:
        """Remember that a session is over.

        Args:
            session_id: its id.
            lasts_s: seconds after which its cookie isn't taken by anybody anyway.
        """
        expiry = math.ceil(lasts_s)
        self._own.incr(_ended(session_id), expiry)  # while Redis is away, this process knows at least
        self._ask(lambda storage: storage.incr(_ended(session_id), expiry))

    def is_ended(self, session_id: str) -> bool:
        """Tell whether a session was ended before its time. One that ended while Redis was away is known here only."""
        name = _ended(session_id)
        return self._own.get(name) > 0 or self._ask(lambda storage: storage.get(name)) > 0

    def _ask(self, question: Callable[[Storage], _T]) -> _T:
        shared = self._shared
        if shared is None or self._clock() < self._away_until:
            return question(self._own)
        try:
            return question(shared)
        except StorageError as error:
            with self._lock:
                is_new = self._clock() >= self._away_until
                self._away_until = self._clock() + _ASK_AGAIN_S
            if is_new:
                structlog.get_logger().warning("login.redis_away", error=str(error.storage_error))
            return question(self._own)


def _tried(storage: Storage, door: Door, whom: str) -> float:
    assert isinstance(storage, MovingWindowSupport)
    limiter = MovingWindowRateLimiter(storage)
    items: tuple[RateLimitItem, ...] = door.value
    # Looked at first, so that a minute's refusal doesn't use up the hour; two tries at once are told by `hit`.
    for item in items:
        if not limiter.test(item, whom):
            return _until_free(limiter, item, whom)
    for item in items:
        if not limiter.hit(item, whom):
            return _until_free(limiter, item, whom)
    return 0.0


def _until_free(limiter: MovingWindowRateLimiter, item: RateLimitItem, whom: str) -> float:
    # The window's ends are times of day, since replicas share them.
    return max(1.0, limiter.get_window_stats(item, whom).reset_time - time.time())


def _ended(session_id: str) -> str:
    return f"ended/{session_id}"


def _network(address: str) -> str:
    """Return what of an address counts as one place; text that is no address is a place by itself."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False).network_address)
    return str(parsed)
