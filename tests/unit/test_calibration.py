from __future__ import annotations

import numpy as np
import pytest

from maskwatch.arrays import Float32Array
from training.calibration import calibrated, calibration_of, fit_temperature, unknown_below
from training.packing import rounded


def faces(
    count: int, sharpness: float, seed: int = 3
) -> tuple[Float32Array, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Return probabilities (N, 3), `sharpness` times too sure, and labels drawn from the right ones."""
    rng = np.random.default_rng(seed)
    results = rng.normal(0, 2, (count, 3))
    fair = np.exp(results) / np.exp(results).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(3, p=chances) for chances in fair], np.int64)
    powers = np.exp(results * sharpness)
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32), truth


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 2.5])
def test_temperature_undoes_how_sure_a_network_is(sharpness: float) -> None:
    probabilities, truth = faces(4000, sharpness)
    found = fit_temperature(probabilities, np.eye(3, dtype=np.float32)[truth])
    assert found == pytest.approx(sharpness, rel=0.1)


def test_calibration_keeps_the_order_and_the_sum() -> None:
    probabilities, _ = faces(50, 1.0)
    softer = calibrated(probabilities, 2.0)
    assert (softer.argmax(axis=1) == probabilities.argmax(axis=1)).all()
    assert softer.sum(axis=1) == pytest.approx(1)
    assert (softer.max(axis=1) <= probabilities.max(axis=1)).all()


def test_threshold_is_the_lowest_that_is_right_often_enough() -> None:
    sure = np.concatenate([np.full(970, 0.95), np.full(30, 0.55)])
    probabilities = np.stack([sure, 1 - sure, np.zeros(1000)], axis=1).astype(np.float32)
    truth = np.concatenate([np.zeros(970), np.ones(30)]).astype(np.int64)
    assert unknown_below(probabilities, truth) == pytest.approx((0.56, 0.97, 1.0))


def test_threshold_leaves_nine_in_ten_answered() -> None:
    sure = np.concatenate([np.full(500, 0.95), np.full(300, 0.7), np.full(200, 0.6)])
    probabilities = np.stack([sure, 1 - sure, np.zeros(1000)], axis=1).astype(np.float32)
    truth = np.zeros(1000, np.int64)
    truth[450:] = 1
    threshold, coverage, accuracy = unknown_below(probabilities, truth)
    assert (threshold, coverage) == pytest.approx((0.4, 1.0))
    assert accuracy == pytest.approx(0.45)


def test_calibration_says_whether_it_reached_what_was_wanted() -> None:
    probabilities, truth = faces(500, 1.0)
    assert not calibration_of(probabilities, truth, np.eye(3, dtype=np.float32)[truth]).reached


def test_faces_without_two_classes_have_no_threshold() -> None:
    probabilities, _ = faces(5, 1.0)
    assert unknown_below(probabilities, np.full(5, 2, np.int64)) == (0.0, 0.0, 0.0)


def test_rounded_weights_differ_by_less_than_a_thousandth_and_keep_small_ones() -> None:
    values = np.array([0.1234567, -3.3333333, 1e-20, 0.0, 1e20], np.float32)
    short = rounded(values)
    assert short == pytest.approx(values, rel=1e-3)
    assert (short[[2]] != 0).all()
    assert (short.view(np.uint32) & 0xFFF == 0).all()
