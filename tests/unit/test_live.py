from __future__ import annotations

from workers.live import Backoff, BatchSize


def test_lost_lease_halves_the_batch_and_good_batches_bring_it_back_slowly() -> None:
    size = BatchSize(8)
    sizes = []
    for _ in range(4):
        size.lost()
        sizes.append(size.now)
    assert sizes == [4, 2, 1, 1]
    for _ in range(BatchSize.RECOVER_AFTER):
        size.went_well()
    assert size.now == 2
    for _ in range(10 * BatchSize.RECOVER_AFTER):
        size.went_well()
    assert size.now == 8


def test_backoff_doubles_to_a_bound_with_jitter_and_begins_anew() -> None:
    waits = Backoff(lambda: 1.0)
    assert [waits.next_s() for _ in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    waits.reset()
    assert waits.next_s() == 0.1
    least = Backoff(lambda: 0.0)
    assert [least.next_s() for _ in range(2)] == [0.05, 0.1]
