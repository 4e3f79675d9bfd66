from __future__ import annotations

import pytest

from ingest.sender import Sender
from maskwatch.broker.messages import Hold, Offer, OfferStatus
from maskwatch.errors import BrokerDown
from maskwatch.types import DropReason

HOLD = Hold("lobby", "epoch")


class Queue:
    """Counts as the real one does; can be away, with or without an offer still getting through."""

    def __init__(self) -> None:
        self.seen: dict[str, Offer] = {}
        self.is_down = False
        self.arrives = False
        self.answer = OfferStatus.ACCEPTED
        self.asked = 0

    def offer(self, offer: Offer) -> OfferStatus:
        self.asked += 1
        is_known = offer.frame_id in self.seen
        if self.answer is OfferStatus.ACCEPTED and (not self.is_down or self.arrives):
            self.seen.setdefault(offer.frame_id, offer)
        if self.is_down:
            raise BrokerDown("away")
        return OfferStatus.DUPLICATE if is_known else self.answer

    @property
    def captured(self) -> int:
        return sum(1 + sum(offer.dropped.values()) for offer in self.seen.values())


class Frames:
    def __init__(self) -> None:
        self.queue = Queue()
        self.now_s = 50.0
        self.sent = 0
        self.sender = Sender(self.queue, clock=lambda: self.now_s)

    def send(self, times: int = 1) -> OfferStatus | None:
        status = None
        for _ in range(times):
            self.now_s += 0.2
            self.sent += 1
            status = self.sender.send(HOLD, b"jpeg", (4, 2), self.sent / 5, self.now_s - 0.1)
        return status


@pytest.fixture
def frames() -> Frames:
    return Frames()


def test_offer_carries_age_and_what_was_dropped_before_it(frames: Frames) -> None:
    frames.sender.drop(DropReason.STALE, 3)
    assert frames.send() is OfferStatus.ACCEPTED
    (offer,) = frames.queue.seen.values()
    assert offer.age_s == pytest.approx(0.1)
    assert offer.dropped == {DropReason.STALE: 3}
    frames.send()
    assert frames.queue.captured == 5


@pytest.mark.parametrize("arrives", [False, True])
def test_outage_loses_no_count_and_doubles_none(frames: Frames, arrives: bool) -> None:
    frames.send(3)
    frames.queue.is_down, frames.queue.arrives = True, arrives
    assert frames.send(40) is None
    frames.queue.is_down = False
    frames.send(40)
    assert frames.queue.captured == frames.sent
    dropped = sum(offer.dropped.get(DropReason.BROKER_DOWN, 0) for offer in frames.queue.seen.values())
    assert 30 <= dropped <= 55


def test_redis_is_left_alone_between_tries(frames: Frames) -> None:
    frames.queue.is_down = True
    frames.send(100)
    assert 5 < frames.queue.asked < 25


def test_frames_of_a_lost_hold_are_counted_under_the_next(frames: Frames) -> None:
    frames.queue.answer = OfferStatus.STALE_EPOCH
    frames.sender.drop(DropReason.DECODE_ERROR)
    assert frames.send(2) is OfferStatus.STALE_EPOCH
    frames.queue.answer = OfferStatus.ACCEPTED
    frames.send()
    (offer,) = frames.queue.seen.values()
    assert offer.dropped == {DropReason.DECODE_ERROR: 1, DropReason.STALE: 2}
