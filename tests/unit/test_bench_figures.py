from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwatch.broker.counts import CameraCounts, CountsSnapshot, Histogram, Totals
from maskwatch.errors import MaskwatchError
from maskwatch.types import Detection
from workers.bench.advise import CameraCost, conclusion
from workers.bench.boxes import MOST_FACES, exactly
from workers.bench.cli import bench
from workers.bench.figures import difference, histogram_quantile_s, quantile, summarise
from workers.bench.outcome import Look, figures
from workers.bench.pictures import back_and_forth, fitted
from workers.bench.report import add_to_history, as_text, report
from workers.bench.watch import Costs
from workers.track import TrackOptions, Tracks, advance

BOUNDS = (0.1, 0.2, 0.4)


def histogram(*counts: int) -> Histogram:
    return Histogram(BOUNDS, counts, sum(counts) * 0.1)


def test_quantile_lies_between_its_neighbours() -> None:
    assert quantile([4.0, 1.0, 3.0, 2.0], 0.5) == 2.5
    assert quantile([7.0], 0.95) == 7.0
    assert quantile([], 0.5) == 0.0


def test_summary_says_how_many_there_were() -> None:
    summary = summarise([float(number) for number in range(101)])
    assert (summary.n, summary.median, summary.p95) == (101, 50.0, 95.0)


def test_histogram_quantile_is_interpolated_within_its_bucket() -> None:
    assert histogram_quantile_s(histogram(0, 10, 0, 0), 0.5) == pytest.approx(0.15)
    assert histogram_quantile_s(histogram(5, 5, 0, 0), 0.95) == pytest.approx(0.19)


def test_histogram_quantile_beyond_the_last_bound_is_that_bound() -> None:
    assert histogram_quantile_s(histogram(0, 0, 0, 3), 0.5) == 0.4
    assert histogram_quantile_s(histogram(0, 0, 0, 0), 0.5) == 0.0


def test_difference_of_histograms_never_falls_below_nothing() -> None:
    assert difference(histogram(3, 4, 0, 1), histogram(1, 4, 0, 0)).counts == (2, 0, 0, 1)
    assert difference(histogram(0, 0, 0, 0), histogram(1, 4, 0, 0)).counts == (0, 0, 0, 0)


boxes = st.tuples(st.floats(0, 600), st.floats(0, 300), st.floats(4, 640), st.floats(4, 360))


@settings(deadline=None)
@given(st.lists(boxes, max_size=20), st.integers(0, MOST_FACES))
def test_tracker_takes_every_box_for_a_face_of_its_own(found: list[tuple[float, ...]], count: int) -> None:
    detections = [
        Detection((x, y, min(640.0, x + width), min(360.0, y + height)), 0.7) for x, y, width, height in found
    ]
    kept = exactly(count, detections, (640, 360))
    assert len(kept) == count
    assert len(advance(Tracks(), kept, (640, 360), 0.0, TrackOptions(high_score=0.6)).found) == count


def test_faces_that_were_found_come_before_fixed_ones() -> None:
    face = Detection((100.0, 100.0, 160.0, 170.0), 0.8)
    assert exactly(3, [face], (640, 360))[0].box_xyxy == face.box_xyxy


def test_film_goes_forward_and_back_without_a_jump() -> None:
    assert list(islice(back_and_forth(3), 9)) == [0, 1, 2, 1, 0, 1, 2, 1, 0]
    assert list(islice(back_and_forth(3, 2), 3)) == [2, 1, 0]
    assert list(islice(back_and_forth(1), 3)) == [0, 0, 0]


@pytest.mark.parametrize("shape", [(360, 640), (720, 1280), (480, 640), (640, 360), (90, 160)])
def test_picture_of_any_size_is_fitted(shape: tuple[int, int]) -> None:
    assert fitted(np.zeros((*shape, 3), np.uint8)).shape == (360, 640, 3)


def camera(captured: int, analysed: int, replaced: int) -> CameraCounts:
    waiting = captured - analysed - replaced
    return CameraCounts(captured, analysed, {"replaced": replaced}, {"with_mask": analysed}, {}, {}, {}, waiting, 0)


def snapshot(latency: Histogram, **cameras: CameraCounts) -> CountsSnapshot:
    return CountsSnapshot(cameras, latency, latency, Totals(0, 0, {"replaced": 0}, {}, {}, {}))


def test_outcome_is_what_happened_between_the_first_and_the_last_look() -> None:
    looks = [
        Look(100.0, snapshot(histogram(1, 0, 0, 0), a=camera(10, 10, 0), b=camera(10, 9, 1))),
        Look(105.0, snapshot(histogram(31, 0, 0, 0), a=camera(35, 30, 5), b=camera(35, 19, 16))),
        Look(110.0, snapshot(histogram(31, 30, 0, 0), a=camera(60, 50, 10), b=camera(60, 29, 31)), 2),
    ]
    said = figures(looks, Costs({"worker": (1,)}), 2)
    assert said["shedding_level_by_time"] == [0, 2]
    assert said["offered_fps"] == 10.0
    assert said["analysed_fps"] == 6.0
    assert said["dropped"] == {"replaced": 40}
    assert said["share"] == {"min": 0.667, "max": 1.333}
    assert said["latency_ms"]["p95_by_time"] == [95.0, 195.0]
    assert said["n"] == 60
    assert said["balanced"]


def test_camera_that_nobody_served_shows_in_the_share() -> None:
    looks = [Look(0.0, snapshot(histogram(0, 0, 0, 0))), Look(1.0, snapshot(histogram(9, 0, 0, 0), a=camera(9, 9, 0)))]
    assert figures(looks, Costs({}), 2)["share"]["min"] == 0.0


def test_counts_that_do_not_balance_are_told() -> None:
    lost = CameraCounts(9, 1, {"replaced": 0}, {}, {}, {}, {}, 0, 0)
    looks = [Look(0.0, snapshot(histogram(0, 0, 0, 0))), Look(1.0, snapshot(histogram(1, 0, 0, 0), a=lost))]
    assert not figures(looks, Costs({}), 1)["balanced"]


def cost(name: str, decode: float, classify: float) -> CameraCost:
    return CameraCost(name, (1920, 1080), False, {"ingest: read and decode": decode, "worker: classify": classify})


def test_advice_counts_the_cameras_that_fit_and_names_the_limit() -> None:
    said = conclusion([cost(f"c{number}", 0.3, 0.1) for number in range(10)], 2)
    assert said["holds"] == 4
    assert said["such_cameras"] == 4
    assert said["limit"] == "ingest: read and decode"
    assert said["cores_needed"] == 4.0


def test_advice_for_cameras_that_all_fit_says_how_many_more_would() -> None:
    said = conclusion([cost("a", 0.01, 0.04)], 2)
    assert (said["holds"], said["such_cameras"], said["limit"]) == (1, 34, "worker: classify")


def test_report_holds_what_a_figure_is_worth_nothing_without() -> None:
    said = report("pipeline", {"faces": 3}, {"frames_per_second": 9.0, "n": 5, "median": 1.0, "p95": 2.0}, "fast")
    assert {"machine", "versions", "settings", "profile", "n", "median", "p95", "frames_per_second"} <= set(said)
    assert said["machine"]["cores"] >= 1
    assert said["versions"]["maskwatch"]
    assert "frames_per_second" in as_text(said)
    assert json.loads(json.dumps(said)) == said


def test_history_grows_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    for number in range(2):
        add_to_history(path, {"bench": "broker", "frames_per_second": number})
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["frames_per_second"] for line in lines] == [0, 1]
    with pytest.raises(MaskwatchError, match="can't be written"):
        add_to_history(tmp_path, {})


@pytest.mark.parametrize(
    "words",
    [
        ["pipeline"],
        ["pipeline", "--source", "x", "--faces", "17"],
        ["broker", "--clients", "1,x"],
        ["broker", "--clients", "0"],
        ["system", "--cameras", "0"],
    ],
)
def test_wrong_words_are_usage_errors(words: list[str]) -> None:
    assert CliRunner().invoke(bench, words).exit_code == 2
