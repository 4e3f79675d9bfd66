from __future__ import annotations

import numpy as np
import pytest

from maskwatch.arrays import Float32Array
from maskwatch.errors import ShapeError
from models.scores import (
    SIZES,
    FaceSizes,
    JudgedPicture,
    classification_figures,
    detection_figures,
    end_to_end_figures,
    face_set_figures,
    overlaps,
    pair,
    scene_figures,
)
from models.scores.figure import DRAWS, Resampling, figure, ratio

WORN, BARE, WRONG = 0, 1, 2
SURE = {
    WORN: (0.8, 0.1, 0.1),
    BARE: (0.1, 0.8, 0.1),
    WRONG: (0.1, 0.1, 0.8),
}

CHANCES = np.array(
    [[0.8, 0.1, 0.1], [0.4, 0.1, 0.5], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]], np.float32
)
TRUTH = [WORN, WORN, BARE, BARE, WRONG, WRONG]


def square(left: float, top: float, side: float) -> tuple[float, float, float, float]:
    return (left, top, left + side, top + side)


def boxes(*each: tuple[float, float, float, float]) -> Float32Array:
    return np.array(each, np.float32).reshape(-1, 4)


def picture(
    faces: list[tuple[tuple[float, float, float, float], int]],
    found: list[tuple[tuple[float, float, float, float], float, int]],
    *,
    unboxed: tuple[tuple[float, float, float, float], ...] = (),
    source: str = "one",
) -> JudgedPicture:
    """Make a picture; faces are box and label, detections box, score and what is said of them."""
    return JudgedPicture(
        "a.jpg",
        source,
        boxes(*[box for box, _ in faces]),
        np.array([label for _, label in faces], np.int32),
        np.array([SURE[label] for _, label in faces], np.float32).reshape(-1, 3),
        boxes(*[box for box, _, _ in found]),
        np.array([score for _, score, _ in found], np.float32),
        np.array([SURE[said] for _, _, said in found], np.float32).reshape(-1, 3),
        boxes(*unboxed),
    )


def test_draws_weigh_pictures_so_that_their_number_stays() -> None:
    rows = np.concatenate(list(Resampling(7).weights()))
    assert rows.shape == (1 + DRAWS, 7)
    assert (rows[0] == 1).all()
    assert (rows.sum(axis=1) == 7).all()


def test_draws_are_the_same_in_pieces_of_any_size() -> None:
    pieces = list(Resampling(51).weights(columns=40_000))
    assert len(pieces) > 3
    np.testing.assert_array_equal(np.concatenate(pieces), np.concatenate(list(Resampling(51).weights())))


def test_sums_follow_the_pictures() -> None:
    sums = Resampling(2).sums(np.array([0, 1, 1]), np.array([1.0, 10.0, 100.0]))
    assert sums[0] == 111
    assert set(np.unique(sums[1:])) == {2.0, 111.0, 220.0}


def test_figure_holds_value_interval_and_count() -> None:
    hits = Resampling(100).sums(np.arange(100), np.arange(100) < 80)
    measured = figure(ratio(hits, np.full_like(hits, 100.0)), 100)
    assert measured["value"] == 0.8
    assert measured["n"] == 100
    assert measured["low"] == pytest.approx(0.72, abs=0.02)  # 0.8 -+ 1.96 * sqrt(0.8 * 0.2 / 100)
    assert measured["high"] == pytest.approx(0.88, abs=0.02)


def test_faces_of_one_picture_widen_the_interval() -> None:
    truth, chances = [WORN] * 100, np.array([SURE[WORN]] * 80 + [SURE[BARE]] * 20, np.float32)
    alone = classification_figures(truth, chances)["accuracy"]
    together = classification_figures(truth, chances, pictures=np.arange(100) // 10)["accuracy"]
    assert alone["low"] is not None
    assert together["low"] is not None
    assert together["low"] < alone["low"] - 0.1


def test_classification_is_what_is_counted_by_hand() -> None:
    measured = classification_figures(TRUTH, CHANCES)
    assert measured["confusion"] == [[1, 0, 1], [1, 1, 0], [1, 0, 1]]
    assert measured["faces"] == 6
    assert measured["accuracy"]["value"] == 0.5
    assert measured["balanced_accuracy"]["value"] == 0.5
    # The second face says incorrect_mask first, but with_mask before without_mask; the fourth is wrong.
    assert (measured["two_class_accuracy"]["value"], measured["two_class_accuracy"]["n"]) == (0.75, 4)
    assert measured["recall"]["incorrect_mask"]["value"] == 0.5
    assert (measured["precision"]["with_mask"]["value"], measured["precision"]["with_mask"]["n"]) == (0.3333, 3)


def test_unknown_leaves_the_doubtful_out() -> None:
    measured = classification_figures(TRUTH, CHANCES, unknown_below=0.55)
    assert (measured["coverage"]["value"], measured["coverage"]["n"]) == (0.75, 4)
    assert (measured["accuracy_covered"]["value"], measured["accuracy_covered"]["n"]) == (0.6667, 3)


def test_balanced_accuracy_counts_the_labels_that_occur() -> None:
    chances = np.array([SURE[WORN], SURE[WORN], SURE[WORN], SURE[BARE], SURE[WORN]], np.float32)
    measured = classification_figures([WORN, WORN, WORN, WORN, BARE], chances)
    assert measured["balanced_accuracy"]["value"] == 0.375
    assert measured["recall"]["incorrect_mask"] == {"value": None, "low": None, "high": None, "n": 0}


def test_calibration_error_is_the_distance_of_confidence_and_accuracy() -> None:
    chances = np.array([(0.9, 0.05, 0.05), (0.9, 0.05, 0.05), (0.2, 0.6, 0.2), (0.2, 0.6, 0.2)], np.float32)
    measured = classification_figures([WORN, BARE, BARE, BARE], chances)
    assert measured["ece"]["value"] == 0.4  # half of |0.9 - 0.5| and half of |0.6 - 1|


def test_nothing_measured_is_no_value() -> None:
    measured = classification_figures([], np.zeros((0, 3), np.float32))
    assert measured["accuracy"]["value"] is None
    assert measured["ece"]["value"] is None
    assert measured["confusion"] == [[0, 0, 0]] * 3


def test_probabilities_of_other_faces_are_refused() -> None:
    with pytest.raises(ShapeError, match="expected \\(2, 3\\)"):
        classification_figures([0, 1], np.zeros((3, 3), np.float32))


def test_overlap_is_intersection_over_union() -> None:
    assert overlaps(boxes(square(0, 0, 50)), boxes(square(25, 0, 50), square(100, 0, 9))).tolist() == [
        [pytest.approx(1 / 3), 0]
    ]


def test_recall_is_told_by_label_and_false_positives_by_picture() -> None:
    pairs = pair(
        [
            picture([(square(0, 0, 50), WORN), (square(100, 0, 50), BARE)], [(square(2, 0, 50), 0.9, WORN)]),
            picture([(square(0, 0, 50), WRONG)], [(square(0, 0, 50), 0.9, WRONG), (square(200, 0, 50), 0.6, WORN)]),
        ],
        0.35,
    )
    measured = detection_figures(pairs, pairs, 0.5)
    assert [measured["recall"][name]["value"] for name in measured["recall"]] == [1, 0, 1]
    assert (measured["precision"]["value"], measured["precision"]["n"]) == (0.6667, 3)
    assert (measured["false_positives_per_image"]["value"], measured["false_positives_per_image"]["n"]) == (0.5, 2)
    assert detection_figures(pairs, pairs, 0.7)["false_positives_per_image"]["value"] == 0


def test_average_precision_is_the_area_under_the_curve() -> None:
    one = picture(
        [(square(0, 0, 50), WORN), (square(100, 0, 50), BARE)],
        [(square(0, 0, 50), 0.9, WORN), (square(300, 0, 50), 0.8, WORN), (square(100, 0, 50), 0.7, BARE)],
    )
    pairs = pair([one], 0.5)
    assert detection_figures(pairs, pairs, 0.95)["ap50"]["value"] == 0.8333  # half at 1, half at 2/3


def test_a_second_box_on_a_face_is_a_false_positive() -> None:
    pairs = pair([picture([(square(0, 0, 50), WORN)], [(square(0, 0, 50), 0.8, 0), (square(4, 4, 50), 0.9, 0)])], 0.35)
    assert pairs.face_found.tolist() == [1]
    assert pairs.found_face.tolist() == [-1, 0]
    assert detection_figures(pairs, pairs, 0.5)["false_positives_per_image"]["value"] == 1


def test_small_faces_count_neither_way_and_have_a_group_of_their_own() -> None:
    one = picture(
        [(square(0, 0, 20), WORN), (square(100, 0, 20), WORN), (square(200, 0, 50), WORN)],
        [(square(0, 0, 26), 0.9, WORN), (square(200, 0, 50), 0.9, WORN), (square(300, 0, 20), 0.9, WORN)],
    )
    pairs = pair([one], 0.35)
    measured = detection_figures(pairs, pairs, 0.5)
    assert measured["faces"] == 1
    assert measured["precision"]["value"] == 1
    small = detection_figures(pairs, pairs, 0.5, SIZES["under_24"])
    assert (small["recall"]["with_mask"]["value"], small["recall"]["with_mask"]["n"]) == (0.5, 2)
    assert small["false_positives_per_image"]["value"] == 1


def test_a_detection_prefers_a_face_that_counts_to_a_small_one() -> None:
    pairs = pair([picture([(square(0, 0, 23), WORN), (square(0, 0, 28), WORN)], [(square(0, 0, 23), 0.9, 0)])], 0.35)
    assert pairs.face_found.tolist() == [-1, 0]


def test_the_shorter_side_decides_the_size() -> None:
    assert FaceSizes(24, 48).holds(np.array([23.9, 24, 47.9, 48], np.float32)).tolist() == [False, True, True, False]
    one = picture([((0, 0, 23, 30), WORN), ((50, 0, 74, 24), WORN)], [])
    assert detection_figures(pair([one], 0.35), pair([one], 0.5), 0.5)["faces"] == 1


def test_faces_that_nobody_boxed_can_be_taken_out() -> None:
    one = picture(
        [(square(0, 0, 50), WORN)],
        [(square(200, 0, 50), 0.9, WORN), (square(203, 0, 50), 0.8, WORN), (square(0, 0, 50), 0.7, WORN)],
        unboxed=(square(201, 0, 50),),
    )
    pairs = pair([one], 0.35)
    measured = detection_figures(pairs, pairs, 0.5, unboxed=True)
    assert measured["false_positives_per_image"]["value"] == 2
    assert measured["false_positives_per_image_unboxed_removed"]["value"] == 1
    assert "false_positives_per_image_unboxed_removed" not in detection_figures(pairs, pairs, 0.5)


def test_a_found_face_with_another_label_is_a_miss_and_a_false_positive() -> None:
    one = picture(
        [(square(0, 0, 50), WORN), (square(100, 0, 50), WORN), (square(200, 0, 50), BARE), (square(300, 0, 50), BARE)],
        [(square(0, 0, 50), 0.9, WORN), (square(100, 0, 50), 0.9, BARE), (square(200, 0, 50), 0.9, BARE)],
    )
    measured = end_to_end_figures(pair([one], 0.35), 0.5)
    assert measured["f1"]["with_mask"]["value"] == 0.6667  # 1 right, 1 missed
    assert measured["f1"]["without_mask"]["value"] == 0.5  # 1 right, 1 missed, 1 that is none
    assert measured["f1"]["incorrect_mask"]["value"] is None
    assert (measured["two_class_accuracy"]["value"], measured["two_class_accuracy"]["n"]) == (0.6667, 3)


def test_a_false_positive_counts_against_the_label_it_was_given() -> None:
    one = picture(
        [(square(0, 0, 50), WORN), (square(200, 0, 20), BARE)],
        [(square(0, 0, 50), 0.9, WORN), (square(100, 0, 50), 0.9, WORN), (square(200, 0, 20), 0.9, WORN)],
    )
    measured = end_to_end_figures(pair([one], 0.35), 0.5)
    assert measured["f1"]["with_mask"]["value"] == 0.6667  # the small bare face is neither


def test_scenes_are_measured_as_a_whole_by_source_and_by_size() -> None:
    pictures = [
        picture([(square(0, 0, 50), WORN)], [(square(0, 0, 50), 0.9, WORN)], source="a"),
        picture([(square(0, 0, 20), BARE)], [], source="b"),
    ]
    measured = scene_figures(pictures, 0.5, 0.35, 0.0, unboxed=False)
    assert measured["detection"]["faces"] == measured["classification"]["faces"] == 1
    assert list(measured["by_source"]) == ["a", "b"]
    assert measured["by_source"]["b"]["detection"]["precision"]["value"] is None
    assert measured["by_face_size"]["under_24"]["classification"]["recall"]["without_mask"]["value"] == 1
    assert measured["by_face_size"]["48_to_96"]["detection"]["recall"]["with_mask"]["value"] == 1


def test_pictures_without_any_face_or_detection_are_counted() -> None:
    measured = scene_figures([picture([], [])], 0.5, 0.35, 0.0, unboxed=False)
    assert measured["detection"]["false_positives_per_image"] == {"value": 0.0, "low": 0.0, "high": 0.0, "n": 1}
    assert measured["detection"]["ap50"]["value"] is None


def test_one_face_pictures_are_measured_by_source() -> None:
    measured = face_set_figures(
        np.array([WORN, BARE, BARE], np.int32),
        np.array([SURE[WORN], SURE[WORN], SURE[BARE]], np.float32),
        boxes(square(0, 0, 50), square(0, 0, 50), square(0, 0, 20)),
        ["a", "b", "b"],
        0.0,
    )
    assert measured["classification"]["accuracy"]["value"] == 0.5
    assert measured["by_source"]["b"]["accuracy"]["value"] == 0
    assert measured["by_face_size"]["under_24"]["accuracy"]["value"] == 1
