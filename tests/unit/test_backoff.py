from __future__ import annotations

import random

import pytest

from ingest.backoff import Patience, after_loss, after_refusal
from ingest.states import Happening
from maskwatch.backoff import Backoff
from maskwatch.errors import DecodeError, SourceAuthError, SourceError, SourceLost, SourceUnsupported


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


@pytest.mark.parametrize(
    ("error", "what", "shortest_s", "longest_s"),
    [
        (SourceLost("gone"), Happening.LOSS, 0.375, 0.625),
        (SourceError("no route"), Happening.LOSS, 0.375, 0.625),
        (SourceAuthError("no"), Happening.REFUSAL, 45, 75),
        (SourceUnsupported("what"), Happening.UNDECODABLE, 3.75, 6.25),
        (DecodeError("what"), Happening.UNDECODABLE, 3.75, 6.25),
        (ZeroDivisionError("secret"), Happening.CRASH, 0.75, 1.25),
    ],
)
def test_each_kind_of_error_is_met_in_its_own_way(
    error: Exception, what: Happening, shortest_s: float, longest_s: float
) -> None:
    patience = Patience()
    first = patience.failure(error)
    assert first.what is what
    assert shortest_s <= first.delay_s <= longest_s
    assert first.reason == str(error) or what is Happening.CRASH
    assert patience.failure(error).delay_s > first.delay_s
    patience.reset()
    assert patience.failure(error).delay_s <= longest_s


def test_words_of_an_unexpected_error_are_for_the_log_only() -> None:
    assert Patience().failure(KeyError("secret")).reason == "its reader broke: KeyError; the log has the details"
