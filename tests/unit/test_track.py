from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwatch.types import Detection
from workers.state import CameraState, pack_state, unpack_state
from workers.track import MOST_TRACKS, Step, TrackOptions, Tracks, advance, close_all

SIZE_WH = (640, 360)


def face(x: float, y: float = 150.0, size: float = 40.0, score: float = 0.9) -> Detection:
    return Detection((x - size / 2, y - size * 0.6, x + size / 2, y + size * 0.6), score)


def walk(frames: Sequence[Sequence[Detection]], fps: float = 5.0, tracks: Tracks | None = None) -> list[Step]:
    tracks, steps = tracks or Tracks(), []
    for number, detections in enumerate(frames):
        steps.append(advance(tracks, detections, SIZE_WH, number / fps))
        tracks = steps[-1].tracks
    return steps


def confirmed(step: Step) -> list[int]:
    return [track.track_id for track in step.tracks.items if track.is_confirmed]


@pytest.mark.parametrize("fps", [1, 2, 5, 10, 30])
def test_standing_face_is_one_person_at_any_frame_rate(fps: int) -> None:
    steps = walk([[face(100)]] * (4 * fps), fps)
    assert confirmed(steps[-1]) == [1]
    assert all(not step.closed for step in steps)


def test_face_is_no_person_before_it_was_seen_often_and_long_enough() -> None:
    assert confirmed(walk([[face(100)]] * 2, fps=1)[-1]) == []
    assert confirmed(walk([[face(100)]] * 10, fps=30)[-1]) == []


def test_single_false_detection_is_never_counted() -> None:
    steps = walk([[face(100)], *[[]] * 20])
    assert all(not step.closed for step in steps)
    assert steps[-1].tracks.items == ()


def test_tiny_face_is_followed_and_becomes_a_person_when_it_grows() -> None:
    steps = walk([[face(100, size=10)]] * 10 + [[face(100, size=12 + n)] for n in range(15)])
    assert confirmed(steps[9]) == []
    assert confirmed(steps[-1]) == [1]


@pytest.mark.parametrize("speed", [0.0, 40.0, 120.0, 250.0])
def test_walker_keeps_the_track_through_missed_frames(speed: float) -> None:
    frames = [[face(20 + speed * n / 5)] for n in range(12)]
    for missed in (5, 6, 9):
        frames[missed] = []
    steps = walk(frames)
    assert confirmed(steps[-1]) == [1]


def test_people_who_cross_keep_their_numbers() -> None:
    frames = []
    for n in range(25):
        left, right = face(100 + 16 * n, 150), face(500 - 16 * n, 165)
        hidden = abs(left.box_xyxy[0] - right.box_xyxy[0]) < 25
        frames.append([left] if hidden else [left, right])
    last = walk(frames)[-1]
    at = {track.track_id: track.centre[0] * 640 for track in last.tracks.items if track.is_confirmed}
    assert at == {1: pytest.approx(484, abs=10), 2: pytest.approx(116, abs=10)}


def test_low_score_continues_a_person_but_begins_none() -> None:
    steps = walk([[face(100)]] * 5 + [[face(100, score=0.45)]] * 20)
    assert confirmed(steps[-1]) == [1]
    assert steps[-1].found == {1: 0}
    assert walk([[face(100, score=0.45)]] * 20)[-1].tracks.items == ()


def test_lost_face_comes_back_under_its_number_within_two_seconds() -> None:
    steps = walk([[face(100)]] * 5 + [[]] * 8 + [[face(105)]] * 2)
    assert confirmed(steps[-1]) == [1]
    assert steps[-1].found == {1: 0}


def test_lost_face_is_closed_once_after_two_seconds() -> None:
    steps = walk([[face(100)]] * 5 + [[]] * 20)
    assert [step.closed for step in steps if step.closed] == [(1,)]


@pytest.mark.parametrize(("missed", "closed"), [(1, []), (2, [1])])
def test_person_in_a_still_scene_may_be_missed_once(missed: int, closed: list[int]) -> None:
    tracks = walk([[face(100)]] * 10)[-1].tracks
    gone: list[int] = []
    for number in range(missed):
        step = advance(tracks, [], SIZE_WH, 2.0 + 4.0 * (number + 1))
        tracks, gone = step.tracks, [*gone, *step.closed]
    assert gone == closed


def test_gap_of_more_than_ten_seconds_closes_everything() -> None:
    before = walk([[face(100)]] * 5)[-1].tracks
    step = advance(before, [face(100)], SIZE_WH, 11.0)
    assert step.closed == (1,)
    assert [track.track_id for track in step.tracks.items] == [2]


def test_end_closes_confirmed_tracks_only_and_ids_go_on() -> None:
    before = walk([*[[face(100)]] * 5, [face(100), face(400)]])[-1].tracks
    step = close_all(before)
    assert step.closed == (1,)
    assert step.tracks.items == ()
    assert step.tracks.next_id == before.next_id == 3


def test_two_boxes_of_one_face_make_one_track() -> None:
    steps = walk([[face(100), face(106, score=0.65), face(102, 148, 24, 0.7)]] * 6)
    assert len(steps[-1].tracks.items) == 1


def test_same_frame_twice_is_no_further_hit() -> None:
    tracks = Tracks()
    for time_s in (0.0, 0.0, 0.0, 0.6, 0.6):
        tracks = advance(tracks, [face(100)], SIZE_WH, time_s).tracks
    assert tracks.items[0].hits == 2


def test_time_that_falls_counts_as_no_time() -> None:
    tracks = walk([[face(100)]] * 5)[-1].tracks
    step = advance(tracks, [face(100)], SIZE_WH, 0.1)
    assert step.tracks.time_s == pytest.approx(0.8)
    assert step.found == {1: 0}


def test_change_of_resolution_midway_keeps_the_track() -> None:
    tracks = walk([[face(100)]] * 5)[-1].tracks
    doubled = Detection((160.0, 252.0, 240.0, 348.0), 0.9)
    assert advance(tracks, [doubled], (1280, 720), 1.0).found == {1: 0}


def test_single_look_options_make_a_person_at_once() -> None:
    options = TrackOptions(confirm_hits=1, confirm_s=0.0, confirm_px=0.0)
    step = advance(Tracks(), [face(100, size=9)], SIZE_WH, 0.0, options)
    assert confirmed(step) == [1]


def test_more_faces_than_fit_are_left_out_best_first() -> None:
    crowd = [face(8 + 10.0 * (n % 64), 20 + 40.0 * (n // 64), 8, 0.6 + n / 1000) for n in range(200)]
    tracks = advance(Tracks(), crowd, SIZE_WH, 0.0).tracks
    assert len(tracks.items) == MOST_TRACKS
    assert min(track.score for track in tracks.items) == pytest.approx(0.6 + (200 - MOST_TRACKS) / 1000)


boxes = st.builds(
    lambda x, y, w, h, score: Detection((x, y, min(640.0, x + w), min(360.0, y + h)), score),
    st.floats(0, 630), st.floats(0, 350), st.floats(1, 300), st.floats(1, 300), st.floats(0.3, 1.0),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.lists(boxes, max_size=6), st.floats(0, 3)), max_size=25))
def test_whatever_comes_ids_are_new_and_every_person_is_closed_once(
    frames: list[tuple[list[Detection], float]],
) -> None:
    tracks, time_s = Tracks(), 0.0
    begun: set[int] = set()
    ever_confirmed: set[int] = set()
    closed: list[int] = []
    for detections, passed_s in frames:
        time_s += passed_s
        before = {track.track_id for track in tracks.items}
        step = advance(tracks, detections, SIZE_WH, time_s)
        tracks = step.tracks
        ids = [track.track_id for track in tracks.items]
        assert len(set(ids)) == len(ids)
        assert not (set(ids) - before) & begun, "an id was used twice"
        begun |= set(ids)
        assert len(set(step.found.values())) == len(step.found), "a detection belongs to two tracks"
        assert set(step.found) <= set(ids)
        ever_confirmed |= set(confirmed(step))
        closed += step.closed
    closed += close_all(tracks).closed
    assert sorted(closed) == sorted(ever_confirmed)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(2, 30), st.floats(0, 0.3))
def test_people_who_stand_apart_are_counted_right_with_noise_and_misses(seed: int, fps: float, missing: float) -> None:
    chance = random.Random(seed)
    frames = []
    for n in range(int(6 * fps)):
        kept = [x for x in (80.0, 280.0, 500.0) if n < fps or chance.random() > missing]
        frames.append([face(x + chance.gauss(0, 2), 150 + chance.gauss(0, 2), 40 + chance.gauss(0, 2)) for x in kept])
    steps = walk(frames, fps)
    assert sum(len(step.closed) for step in steps) == 0
    assert len(confirmed(steps[-1])) == 3


@pytest.mark.parametrize("fps", [2, 5, 10, 12.5, 25, 30])
def test_what_happens_when_is_the_same_whether_the_state_was_packed_in_between(fps: float) -> None:
    options = TrackOptions()
    for first in range(40):
        told = []
        for every in (1, 3, 1000):
            tracks, course = Tracks(), []
            for number in range(round(5 * fps)):
                seen = [face(100)] if number < 1.2 * fps else []
                step = advance(tracks, seen, SIZE_WH, (first + number) / fps, options)
                tracks = step.tracks
                if number % every == 0:
                    tracks = unpack_state(pack_state(CameraState("e", tracks))).tracks
                shown = [one.track_id for one in tracks.items if tracks.is_shown(one, options)]
                course.append((confirmed(step), shown, step.closed))
            told.append(course)
        assert told[0] == told[1] == told[2]
