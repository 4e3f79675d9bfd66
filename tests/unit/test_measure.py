from __future__ import annotations

import numpy as np

from training.measure import figures_by_source

CHANCES = np.array(
    [[0.8, 0.1, 0.1], [0.4, 0.1, 0.5], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]], np.float32
)
TRUTH = [0, 0, 1, 1, 2, 2]


def test_sources_are_measured_apart() -> None:
    measured = figures_by_source(TRUTH, CHANCES, ["a", "a", "b", "b", "a", "a"])
    assert list(measured) == ["all", "a", "b"]
    assert measured["all"]["faces"] == 6
    assert measured["b"]["faces"] == 2
    assert measured["b"]["recall"]["with_mask"]["value"] is None
    assert measured["b"]["balanced_accuracy"]["value"] == 0.5


def test_faces_of_one_file_are_drawn_together() -> None:
    alone = figures_by_source(TRUTH * 20, np.tile(CHANCES, (20, 1)), ["a"] * 120)["a"]["accuracy"]
    halves = ["right", "wrong", "right", "wrong", "right", "wrong"] * 20
    together = figures_by_source(TRUTH * 20, np.tile(CHANCES, (20, 1)), ["a"] * 120, files=halves)["a"]["accuracy"]
    assert alone["low"] is not None
    assert together["low"] == 0.0
    assert alone["low"] > 0.35
