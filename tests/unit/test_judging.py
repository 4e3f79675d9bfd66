"""The pipeline says what is to be kept: events of rules, and people who have gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from maskwatch.broker.messages import TakenKind
from maskwatch.events import Event, PersonClosed, Record
from maskwatch.types import Detection, EventKind, Snapshots, Verdict
from maskwatch.zones import Rule, Zone
from tests.unit.test_pipeline import FACE, FakeClassifier, FakeDetector, picture
from workers.pipeline import Pipeline, PipelineItem, PipelineOutput

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
LEFT = Zone("left", ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))
RIGHT = Zone("right", ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)))
DARK = Zone("dark", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)), is_ignored=True)
RULES = (Rule("left", zone="left", grace_s=0.5), Rule("right", zone="right"))
STARTED, ENDED = EventKind.VIOLATION_STARTED, EventKind.VIOLATION_ENDED


def item(number: int, state: bytes = b"", epoch: str = "epoch") -> PipelineItem:
    return PipelineItem(
        "lobby", epoch, TakenKind.FRAME, number / 5, frame_bgr=picture(), state=state, zones=(LEFT, RIGHT, DARK),
        rules=RULES, snapshots=Snapshots.BLURRED, wall_time_utc=NOON + timedelta(seconds=number / 5),
    )  # fmt: skip


def play(
    detector: FakeDetector, count: int, change: Callable[[PipelineItem], PipelineItem] = lambda one: one
) -> list[PipelineOutput]:
    """Run frames one by one, as the live worker does, and the end of the tracks after them."""
    pipeline = Pipeline(lambda _name: detector, FakeClassifier())
    state, outputs = b"", []
    for number in range(count):
        (output,) = pipeline.process([change(item(number, state))])
        outputs.append(output)
        state = output.state
    last = replace(item(count, state), kind=TakenKind.END, frame_bgr=None, media_time_s=0.0)
    return outputs + pipeline.process([change(last)])


def records(outputs: Sequence[PipelineOutput]) -> list[Record]:
    return [record for output in outputs for record in output.records]


def test_bare_face_in_a_zone_with_a_rule_becomes_a_violation_and_a_person() -> None:
    outputs = play(FakeDetector(FACE), 15)
    started, ended, *closed = records(outputs)
    assert isinstance(started, Event)
    assert isinstance(ended, Event)
    assert (started.kind, started.camera, started.epoch, started.zone) == (STARTED, "lobby", "epoch", "left")
    assert (ended.kind, ended.verdict, ended.looks) == (ENDED, Verdict.WITHOUT_MASK, 15)
    assert NOON < started.time_utc < ended.time_utc
    assert [(one.zone, one.verdict) for one in closed if isinstance(one, PersonClosed)] == [
        ("", Verdict.WITHOUT_MASK), ("left", Verdict.WITHOUT_MASK),
    ]  # fmt: skip
    assert len(outputs[-1].result.closed) == 1


def test_picture_is_wished_for_with_every_face_that_there_may_be() -> None:
    weak = Detection((400.0, 100.0, 440.0, 150.0), 0.41)
    outputs = play(FakeDetector(FACE, weak), 15)
    (output,) = (one for one in outputs if one.wishes)
    (started, *_) = records(outputs)
    assert isinstance(started, Event)
    assert [(wish.key, wish.track_id) for wish in output.wishes] == [(started.snapshot, 1)]
    assert output.faces == (FACE, weak)
    assert output.frame_bgr is not None


def test_camera_that_keeps_no_pictures_names_none() -> None:
    outputs = play(FakeDetector(FACE), 15, lambda one: replace(one, snapshots=Snapshots.NONE))
    assert [one.wishes for one in outputs if one.wishes] == []
    assert {one.snapshot for one in records(outputs) if isinstance(one, Event)} == {None}


def test_without_a_time_on_the_wall_there_are_no_records() -> None:
    outputs = play(FakeDetector(FACE), 15, lambda one: replace(one, wall_time_utc=None))
    assert records(outputs) == []
    assert len(outputs[-1].result.closed) == 1


def test_new_epoch_ends_violations_of_the_last_under_its_own_name() -> None:
    outputs = play(FakeDetector(FACE), 15, lambda one: replace(one, epoch="next") if one.media_time_s > 2 else one)
    told = [one for one in records(outputs) if isinstance(one, Event)]
    assert [(one.kind, one.epoch) for one in told] == [(STARTED, "epoch"), (ENDED, "epoch")]
    assert told[0].snapshot == told[1].snapshot


def test_batch_of_several_frames_of_a_camera_says_what_single_ones_do() -> None:
    pipeline = Pipeline(lambda _name: FakeDetector(FACE), FakeClassifier())
    together = pipeline.process([item(number) for number in range(15)])
    (one,), (other,) = records(together), records(play(FakeDetector(FACE), 15)[:-1])
    assert (one.id, one.time_utc) == (other.id, other.time_utc)


def test_picture_that_cannot_be_read_changes_nothing() -> None:
    def spoil(one: PipelineItem) -> PipelineItem:
        is_spoiled = one.kind is TakenKind.FRAME and 1.5 < one.media_time_s < 2.5
        return replace(one, frame_bgr=None, jpeg=b"no picture") if is_spoiled else one

    assert [one.kind for one in records(play(FakeDetector(FACE), 20, spoil)) if isinstance(one, Event)] == [
        STARTED, ENDED,
    ]  # fmt: skip
