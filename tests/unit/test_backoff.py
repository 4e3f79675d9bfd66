from __future__ import annotations

import random

from ingest.backoff import after_loss, after_refusal
from maskwatch.backoff import Backoff


def test_delays_double_up_to_the_cap() -> None:
    backoff = after_loss(random.Random(1).random)
    delays = [backoff.next_s() for _ in range(20)]
    for delay, middle in zip(delays, [0.5, 1, 2, 4, 8, 16], strict=False):
        assert 0.75 * middle <= delay <= 1.25 * middle
    assert all(22.5 <= delay <= 30 for delay in delays[6:])


def test_delays_are_jittered() -> None:
    first = {round(Backoff(1, 30, random.Random(seed).random).next_s(), 6) for seed in range(20)}
    assert len(first) == 20


def test_reset_begins_anew() -> None:
    backoff = after_loss(random.Random(2).random)
    for _ in range(8):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() <= 0.625


def test_refused_credentials_are_tried_again_slowly() -> None:
    backoff = after_refusal(random.Random(3).random)
    delays = [backoff.next_s() for _ in range(10)]
    assert min(delays) >= 45
    assert max(delays) <= 600
    assert delays[-1] >= 450
