from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.samples import Sample
from training.settings import TrainSettings

pytestmark = [
    pytest.mark.timeout(600),
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


def recipe(**changes: Any) -> TrainSettings:
    """Return the settings of a small run."""
    return TrainSettings(**{"data": (), "val": (), "out": Path("run"), "size_px": 32, "batch": 8, **changes})


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
    first, second = (EpochBatches(data, draw_epoch(data, 30, seed=4), recipe(), seed=4) for _ in range(2))
    assert len(first) == 4
    for (faces, labels), (faces_again, labels_again) in zip(first, second, strict=False):
        assert (faces == faces_again).all()
        assert (labels == labels_again).all()
        assert labels.sum(axis=1) == pytest.approx(1)


def test_masks_of_a_source_of_two_classes_may_be_worn_wrongly() -> None:
    from training.batches import EpochBatches

    data = samples(1, 1, 1)
    ((_, allowed),) = EpochBatches(data, np.arange(3), recipe(two_class_sources=("web",)), seed=1)
    assert allowed.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("off", [(), ("drawn_wrong",), ("drawn_masks",)])
def test_shares_to_draw_make_up_for_drawn_masks(off: tuple[str, ...]) -> None:
    from training.augment import DRAWN, DRAWN_WRONG
    from training.batches import LABEL_SHARES, shares_to_draw

    worn, bare, wrong = shares_to_draw(frozenset(off))
    masked = 0 if "drawn_masks" in off else bare * DRAWN * (1 - DRAWN_WRONG)
    hanging = 0 if off else bare * DRAWN * DRAWN_WRONG
    assert (worn + masked, bare - masked - hanging, wrong + hanging) == pytest.approx(LABEL_SHARES)


def test_loss_of_one_allowed_label_is_the_smoothed_cross_entropy() -> None:
    import keras

    from training.objective import SMOOTHING, allowed_labels, loss_of_allowed

    chances = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], np.float32)
    allowed = allowed_labels([0, 1], [False, False])
    expected = keras.losses.categorical_crossentropy(allowed, chances, label_smoothing=SMOOTHING)
    assert np.allclose(keras.ops.convert_to_numpy(loss_of_allowed(allowed, chances)), expected, atol=1e-5)


def test_loss_of_two_allowed_labels_is_that_of_their_sum() -> None:
    import keras

    from training.objective import allowed_labels, hits, loss_of_allowed

    chances = np.array([[0.6, 0.3, 0.1], [0.1, 0.3, 0.6], [0.1, 0.8, 0.1]], np.float32)
    allowed = allowed_labels([0, 0, 0], [True, True, True])
    first, second, third = keras.ops.convert_to_numpy(loss_of_allowed(allowed, chances))
    assert first == pytest.approx(second)
    assert third > first
    assert keras.ops.convert_to_numpy(hits(allowed, chances)).tolist() == [1, 1, 0]
