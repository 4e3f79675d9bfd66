from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from training.samples import Sample

pytestmark = [
    pytest.mark.timeout(300),
    # TensorFlow's and Keras' own imports, nothing that this project calls.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(tensorflow|keras|google|h5py|ml_dtypes|astunparse|jax).*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:(tensorflow|keras|h5py).*"),
]


def samples(*counts: int) -> list[Sample]:
    """Return so many samples of each label."""
    patch, box = np.full((60, 60, 3), 120, np.uint8), (10.0, 10.0, 50.0, 50.0)
    return [
        Sample(f"train/{label}-{number}.jpg", "web", label, "0" * 64, box, patch, box, single=False)
        for label, count in enumerate(counts)
        for number in range(count)
    ]


def test_rare_label_gets_its_share() -> None:
    from training.batches import LABEL_SHARES, draw_epoch

    data = samples(500, 300, 10)
    drawn = Counter(data[i].label for i in draw_epoch(data, 1000, seed=1))
    assert [drawn[label] / 1000 for label in range(3)] == pytest.approx(LABEL_SHARES, abs=0.01)


def test_no_face_comes_again_before_its_label_is_used_up() -> None:
    from training.batches import draw_epoch

    data = samples(50, 50, 7)
    times = Counter(draw_epoch(data, 100, seed=1).tolist())
    rare = [times[i] for i in range(100, 107)]
    assert max(rare) - min(rare) <= 1
    assert max(times[i] for i in range(100)) == 1


def test_label_that_is_missing_leaves_its_share_to_the_others() -> None:
    from training.batches import draw_epoch

    data = samples(20, 20, 0)
    assert {data[i].label for i in draw_epoch(data, 30, seed=1)} == {0, 1}


def test_same_seed_gives_the_same_batches() -> None:
    from training.batches import EpochBatches, draw_epoch

    data = samples(20, 20, 5)
    first, second = (EpochBatches(data, draw_epoch(data, 30, seed=4), 32, 8, seed=4) for _ in range(2))
    assert len(first) == 4
    for (faces, labels), (faces_again, labels_again) in zip(first, second, strict=False):
        assert (faces == faces_again).all()
        assert (labels == labels_again).all()
        assert labels.sum(axis=1) == pytest.approx(1)
