"""Offering one camera's frames to the queue, and counting those that could not be offered."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from ingest.ports import Offers
from maskwatch.backoff import Backoff
from maskwatch.broker.messages import Hold, Offer, OfferStatus
from maskwatch.errors import QueueError
from maskwatch.types import DropReason

__all__ = ["Sender"]


class Sender:
    """Offers frames in order. While Redis is away frames are counted and dropped at once, so that reading goes on.

    A frame whose offer broke off may have arrived. It is offered again, under its id, before the next one: the queue
    knows it or counts it, and nothing is counted twice or left out.
    """

    def __init__(self, queue: Offers, clock: Callable[[], float] = time.monotonic) -> None:
        """Offer to a queue; threads may share that, but not the sender."""
        self._queue = queue
        self._clock = clock
        self._nonce = secrets.token_hex(6)
        self._number = 0
        self._dropped: Counter[DropReason] = Counter()
        self._unsure: tuple[Offer, float] | None = None
        self._backoff = Backoff(0.25, 2.0)
        self._not_before_s = 0.0

    def drop(self, reason: DropReason, number: int = 1) -> None:
        """Count frames that were due and won't be offered."""
        if number > 0:
            self._dropped[reason] += number

    def send(
        self, hold: Hold, jpeg: bytes, size_wh: tuple[int, int], media_time_s: float, captured_s: float
    ) -> OfferStatus | None:
        """Offer a frame.

        Args:
            hold: of the camera.
            jpeg: the picture.
            size_wh: its width and height in pixels.
            media_time_s: seconds within the epoch.
            captured_s: when it was captured, by the monotonic clock.

        Returns:
            The queue's answer, or None when Redis can't be reached or refuses; the frame is counted later then.
        """
        if self._clock() < self._not_before_s:
            self.drop(DropReason.BROKER_DOWN)
            return None
        try:
            self._settle()
        except QueueError:
            self.drop(DropReason.BROKER_DOWN)
            self._rest()
            return None
        self._number += 1
        offer = Offer(hold.camera, hold.epoch, f"{self._nonce}-{self._number}", jpeg, size_wh, 0.0, media_time_s)
        try:
            status = self._offer(offer, captured_s)
        except QueueError:
            self._rest()
            return None
        self._backoff.reset()
        if status is OfferStatus.STALE_EPOCH:
            self.drop(DropReason.STALE)
        return status

    def _offer(self, offer: Offer, captured_s: float) -> OfferStatus:
        offer = replace(offer, age_s=max(0.0, self._clock() - captured_s), dropped=dict(self._dropped))
        self._unsure = (offer, captured_s)
        self._dropped.clear()
        status = self._queue.offer(offer)
        self._unsure = None
        if status is OfferStatus.STALE_EPOCH:
            self._dropped.update(offer.dropped)
        return status

    def _rest(self) -> None:
        """Leave Redis alone for a while."""
        self._not_before_s = self._clock() + self._backoff.next_s()

    def _settle(self) -> None:
        """Offer the frame again of which it isn't known whether it arrived."""
        if self._unsure is None:
            return
        offer, captured_s = self._unsure
        status = self._queue.offer(replace(offer, age_s=max(0.0, self._clock() - captured_s)))
        self._unsure = None
        if status is OfferStatus.STALE_EPOCH:
            self._dropped.update(offer.dropped)
            self.drop(DropReason.STALE)
