from __future__ import annotations

import numpy as np
import pytest

from training.measure import balanced_accuracy, figures, figures_by_source, wilson

CHANCES = np.array(
    [[0.8, 0.1, 0.1], [0.4, 0.1, 0.5], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]], np.float32
)
TRUTH = [0, 0, 1, 1, 2, 2]


def test_figures_of_a_small_set_are_those_counted_by_hand() -> None:
    measured = figures(TRUTH, CHANCES)
    assert measured["confusion"] == [[1, 0, 1], [1, 1, 0], [1, 0, 1]]
    assert measured["balanced_accuracy"]["value"] == 0.5
    assert measured["two_class_accuracy"] == wilson(3, 4)
    assert measured["recall"]["incorrect_mask"]["value"] == 0.5
    assert measured["precision"]["with_mask"] == wilson(1, 3)


def test_sources_are_measured_apart() -> None:
    measured = figures_by_source(TRUTH, CHANCES, ["a", "a", "b", "b", "a", "a"])
    assert list(measured) == ["all", "a", "b"]
    assert measured["b"]["faces"] == 2
    assert measured["b"]["recall"]["with_mask"]["value"] is None
    assert measured["b"]["balanced_accuracy"]["value"] == 0.5


def test_interval_of_a_share_is_wilsons() -> None:
    rate = wilson(8, 10)
    assert rate["low"] == pytest.approx(0.4902, abs=1e-3)
    assert rate["high"] == pytest.approx(0.9433, abs=1e-3)


def test_interval_holds_the_value() -> None:
    rate = figures(TRUTH * 20, np.tile(CHANCES, (20, 1)))["balanced_accuracy"]
    assert rate["low"] is not None
    assert rate["high"] is not None
    assert rate["low"] < 0.5 < rate["high"]


def test_nothing_measured_is_no_value() -> None:
    assert wilson(0, 0)["value"] is None
    assert figures([], np.zeros((0, 3), np.float32))["balanced_accuracy"]["value"] is None
    assert np.isnan(balanced_accuracy(np.array([], np.int64), np.array([], np.int64)))
