from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import cast

import pytest

from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.messages import Offer, OfferStatus
from maskwatch.broker.outbox import Outbox
from maskwatch.errors import BrokerDown, QueueError, WireError
from tests.support import wait_for

WITHIN_S = 60


class Queue:
    """Answers when it may, and notes what was sent together."""

    def __init__(self) -> None:
        self.batches: list[list[Offer]] = []
        self.may_answer = threading.Event()
        self.error: Exception | None = None

    def offer_many(self, offers: Sequence[Offer]) -> list[OfferStatus]:
        self.batches.append(list(offers))
        assert self.may_answer.wait(WITHIN_S)
        if self.error is not None:
            raise self.error
        if any(math.isnan(offer.media_time_s) for offer in offers):
            raise WireError("no number")
        return [OfferStatus.DUPLICATE if offer.camera == "again" else OfferStatus.ACCEPTED for offer in offers]

    @property
    def cameras(self) -> list[list[str]]:
        return [[offer.camera for offer in batch] for batch in self.batches]


class Meeting:
    """Offers that gather behind the first one, which is on its way."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.queue = Queue()
        self.outbox = Outbox(cast(FrameQueue, self.queue))
        self._pool = pool
        self._asked = 0

    def offer(self, camera: str, media_time_s: float = 1.0) -> Future[OfferStatus]:
        offer = Offer(camera, "epoch", f"n-{camera}", b"jpeg", (4, 2), 0.25, media_time_s)
        future = self._pool.submit(self.outbox.offer, offer)
        self._asked += 1
        wait_for(self._has_come, WITHIN_S, "the offer to gather or to be sent")
        return future

    def _has_come(self) -> bool:
        return sum(map(len, self.queue.batches)) + len(self.outbox._waiting) == self._asked


@pytest.fixture
def meeting() -> Iterator[Meeting]:
    with ThreadPoolExecutor(40) as pool:
        meeting = Meeting(pool)
        yield meeting
        meeting.queue.may_answer.set()


def test_offer_that_meets_nobody_is_sent_alone(meeting: Meeting) -> None:
    meeting.queue.may_answer.set()
    for camera in "ab":
        assert meeting.offer(camera).result(WITHIN_S) is OfferStatus.ACCEPTED
    assert meeting.queue.cameras == [["a"], ["b"]]


def test_offers_that_meet_go_together_and_get_their_own_answers(meeting: Meeting) -> None:
    futures = [meeting.offer(camera) for camera in ("a", "b", "again", "c")]
    meeting.queue.may_answer.set()
    accepted = OfferStatus.ACCEPTED
    assert [one.result(WITHIN_S) for one in futures] == [accepted, accepted, OfferStatus.DUPLICATE, accepted]
    assert meeting.queue.cameras == [["a"], ["b", "again", "c"]]


def test_offer_that_waited_is_told_to_be_older(meeting: Meeting) -> None:
    began_s = time.monotonic()
    first = meeting.offer("a")
    went_within_s = time.monotonic() - began_s
    second = meeting.offer("b")
    threading.Event().wait(0.05)
    meeting.queue.may_answer.set()
    first.result(WITHIN_S), second.result(WITHIN_S)
    (a,), (b,) = meeting.queue.batches
    assert 0.25 <= a.age_s <= 0.25 + went_within_s
    assert b.age_s >= 0.3


def test_no_more_than_16_go_together_and_none_is_forgotten(meeting: Meeting) -> None:
    futures = [meeting.offer(str(number)) for number in range(36)]
    meeting.queue.may_answer.set()
    assert [one.result(WITHIN_S) for one in futures] == [OfferStatus.ACCEPTED] * 36
    assert [len(batch) for batch in meeting.queue.batches] == [1, 16, 16, 3]


@pytest.mark.parametrize("error", [BrokerDown("away"), QueueError("full")])
def test_error_is_told_to_all_who_went_together(meeting: Meeting, error: QueueError) -> None:
    meeting.queue.error = error
    futures = [meeting.offer(camera) for camera in "abc"]
    meeting.queue.may_answer.set()
    raised = [_error(one.result) for one in futures]
    assert [(type(one), str(one)) for one in raised] == [(type(error), str(error))] * 3
    assert len(set(map(id, raised))) == 3
    meeting.queue.error = None
    assert meeting.offer("d").result(WITHIN_S) is OfferStatus.ACCEPTED


def test_offer_that_cannot_be_written_holds_nobody_back(meeting: Meeting) -> None:
    futures = [meeting.offer("a"), meeting.offer("b"), meeting.offer("broken", math.nan), meeting.offer("c")]
    meeting.queue.may_answer.set()
    assert [futures[at].result(WITHIN_S) for at in (0, 1, 3)] == [OfferStatus.ACCEPTED] * 3
    assert isinstance(_error(futures[2].result), WireError)


def _error(result: Callable[[float], object]) -> BaseException:
    with pytest.raises((QueueError, WireError)) as raised:
        result(WITHIN_S)
    return raised.value
