from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwatch.arrays import Float32Array
from models.detectors.decode import MAX_CANDIDATES, decode_maps, suppress


def quiet_maps(frames: int = 1, width: int = 320, height: int = 192) -> list[Float32Array]:
    maps = [np.zeros((frames, height // stride, width // stride, 16), np.float32) for stride in (8, 16, 32)]
    for level in maps:
        level[..., :2] = -12
    return maps


def logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def test_quiet_maps_give_nothing() -> None:
    found = decode_maps(quiet_maps(3), 0.3)
    assert len(found.scores) == 0
    assert found.boxes_xyxy.shape == (0, 4)
    assert found.landmarks_xy.shape == (0, 5, 2)


@pytest.mark.parametrize(("level", "stride"), [(0, 8), (1, 16), (2, 32)])
def test_one_cell_becomes_the_box_that_it_says(level: int, stride: int) -> None:
    maps = quiet_maps(2)
    cell = maps[level][1, 3, 4]
    cell[:2] = 8
    cell[2:4] = 0.5, 0.25
    cell[4:6] = np.log(2), np.log(3)
    cell[6:8] = -1, 2
    found = decode_maps(maps, 0.5)
    assert found.frame.tolist() == [1]
    x, y = (4 + 0.5) * stride, (3 + 0.25) * stride
    wanted = [x - stride, y - 1.5 * stride, x + stride, y + 1.5 * stride]
    assert found.boxes_xyxy[0] == pytest.approx(wanted, abs=1e-3)
    assert found.landmarks_xy[0, 0] == pytest.approx([3 * stride, 5 * stride])
    assert found.landmarks_xy[0, 1] == pytest.approx([4 * stride, 3 * stride])


@given(one=st.floats(0.02, 0.98), other=st.floats(0.02, 0.98), least=st.floats(0.05, 0.95))
def test_threshold_is_on_the_geometric_mean(one: float, other: float, least: float) -> None:
    maps = quiet_maps()
    maps[0][0, 0, 0, :2] = logit(one), logit(other)
    score = float(np.sqrt(one * other))
    if abs(score - least) < 1e-4:
        return
    found = decode_maps(maps, least)
    assert len(found.scores) == (score >= least)
    if score >= least:
        assert found.scores[0] == pytest.approx(score, abs=1e-4)


def test_extreme_numbers_stay_finite() -> None:
    maps = quiet_maps()
    maps[2][0, 0, 0] = 1e4
    found = decode_maps(maps, 0.5)
    assert np.isfinite(found.boxes_xyxy).all()
    assert found.scores[0] == pytest.approx(1)


def test_suppression_keeps_the_best_of_a_heap_and_boxes_apart() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 60], [0, 0, 10, 9]], np.float32)
    assert suppress(boxes, np.array([0.5, 0.9, 0.4, 0.6], np.float32), 0.4).tolist() == [1, 2]


def test_a_box_suppressed_by_another_suppresses_nothing_itself() -> None:
    boxes = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]], np.float32)
    assert suppress(boxes, np.array([0.9, 0.8, 0.7], np.float32), 0.4).tolist() == [0, 2]


@given(
    st.lists(
        st.tuples(st.floats(0, 300), st.floats(0, 300), st.floats(1, 80), st.floats(1, 80), st.floats(0.1, 1)),
        max_size=40,
    )
)
def test_kept_boxes_overlap_little_and_every_other_overlaps_a_better_one(
    rows: list[tuple[float, float, float, float, float]],
) -> None:
    table = np.array(rows, np.float32).reshape(-1, 5)
    boxes = np.concatenate([table[:, :2], table[:, :2] + table[:, 2:4]], axis=1)
    kept = suppress(boxes, table[:, 4], 0.4).tolist()
    for index in range(len(boxes)):
        clashes = [other for other in kept if other != index and overlap(boxes[index], boxes[other]) > 0.401]
        if index in kept:
            assert not clashes
        else:
            assert any(
                table[other, 4] >= table[index, 4] and overlap(boxes[index], boxes[other]) > 0.399 for other in kept
            )


def test_a_wall_of_candidates_is_bounded() -> None:
    corners = np.argwhere(np.ones((60, 60))).astype(np.float32) * 20
    boxes = np.concatenate([corners, corners + 10], axis=1)
    assert len(suppress(boxes, np.full(len(boxes), 0.5, np.float32), 0.4)) == MAX_CANDIDATES


def overlap(one: Float32Array, other: Float32Array) -> float:
    sides = np.maximum(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0)
    shared = float(sides[0] * sides[1])
    areas = float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]))
    return shared / (areas - shared)
