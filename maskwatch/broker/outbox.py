"""Offers of many threads, sent together when they meet.

While an offer is on its way others gather, and go together with the next round trip: a frame costs client and server
half of what it costs alone. An offer that meets no other is sent at once, by the thread that makes it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import replace

from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.messages import Offer, OfferStatus
from maskwatch.errors import BrokerDown, MaskwatchError, QueueError, WireError

__all__ = ["Outbox"]

_MOST = 16
"""Offers in one round trip; a transaction of as many is a millisecond in which the server serves nobody else."""
_LONGEST_S = 30.0
"""Longer than any round trip may last, whose sending and answering are bounded by the connection."""
_SHORTEST_S = 0.001
"""Ages are told in milliseconds."""


class _Post:
    """One thread's offer, and what became of it."""

    __slots__ = ("error", "is_next", "offer", "since_s", "status", "told")

    def __init__(self, offer: Offer) -> None:
        self.offer = offer
        self.since_s = time.monotonic()
        self.told = threading.Event()
        self.is_next = False
        self.status: OfferStatus | None = None
        self.error: MaskwatchError | None = None

    def aged(self) -> Offer:
        """Return the offer as old as it is now."""
        waited_s = time.monotonic() - self.since_s
        return self.offer if waited_s < _SHORTEST_S else replace(self.offer, age_s=self.offer.age_s + waited_s)


class Outbox:
    """Where the offers of a process meet; threads share one."""

    def __init__(self, queue: FrameQueue) -> None:
        """Send to a queue."""
        self._queue = queue
        self._lock = threading.Lock()
        self._waiting: deque[_Post] = deque()
        self._is_sending = False

    def offer(self, offer: Offer) -> OfferStatus:
        """Make a frame its camera's next one; returns and raises as `FrameQueue.offer`."""
        post = _Post(offer)
        with self._lock:
            self._waiting.append(post)
            is_mine = not self._is_sending
            self._is_sending = True
        if not is_mine:
            is_mine = self._wait(post)
        if is_mine:
            self._send_first()
        if post.error is not None:
            raise post.error
        assert post.status is not None
        return post.status

    def _wait(self, post: _Post) -> bool:
        """Wait until somebody has sent this offer; True when it's this thread's turn to send.

        Raises:
            BrokerDown: if whoever sends it doesn't come back.
        """
        if not post.told.wait(_LONGEST_S):
            with self._lock:
                if not post.told.is_set():
                    if post in self._waiting:
                        self._waiting.remove(post)
                    raise BrokerDown(f"an offer of {post.offer.camera} found no way out within {_LONGEST_S:.0f} s")
        return post.is_next

    def _send_first(self) -> None:
        """Send what has gathered, tell whom it belongs to, and hand over to the first of those who came meanwhile."""
        with self._lock:
            posts = [self._waiting.popleft() for _ in range(min(_MOST, len(self._waiting)))]
        try:
            self._send(posts)
        finally:
            with self._lock:
                if self._waiting:
                    self._waiting[0].is_next = True
                    self._waiting[0].told.set()
                else:
                    self._is_sending = False
            for post in posts:
                if post.status is None and post.error is None:
                    post.error = BrokerDown(f"the offer of {post.offer.camera} was interrupted")
                post.told.set()

    def _send(self, posts: list[_Post]) -> None:
        """Offer together; every post has a status or an error afterwards."""
        try:
            statuses = self._queue.offer_many([post.aged() for post in posts])
            for post, status in zip(posts, statuses, strict=True):
                post.status = status
        except WireError as error:
            if len(posts) == 1:
                posts[0].error = error
            else:
                # One that can't be written mustn't hold back the others.
                for post in posts:
                    self._send([post])
        except QueueError as error:
            for post in posts:
                # One for each thread, since raising one writes into it.
                post.error = type(error)(*error.args)
