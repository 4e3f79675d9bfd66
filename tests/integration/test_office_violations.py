"""Films: the violations that one sees in them, and no more; docs/compliance.md has the counts by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from maskwatch.broker.messages import TakenKind
from maskwatch.events import Event, PersonClosed, Record
from maskwatch.media import encode_jpeg, open_source
from maskwatch.settings import parse_source
from maskwatch.types import EventKind, Verdict
from maskwatch.zones import Rule, Zone
from tests.support_worker import require_shipped_models
from workers.models import WorkerModels, load_models
from workers.pipeline import Pipeline, PipelineItem, PipelineOptions
from workers.relook import RelookOptions

pytestmark = pytest.mark.timeout(600)

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
LEFT = Zone("left", ((0.0, 0.0), (0.38, 0.0), (0.38, 1.0), (0.0, 1.0)))
RIGHT = Zone("right", ((0.38, 0.0), (1.0, 0.0), (1.0, 1.0), (0.38, 1.0)))


@pytest.fixture(scope="module")
def models() -> WorkerModels:
    require_shipped_models()
    return load_models("litert", "none", batch=1)


def watch(models: WorkerModels, video: Path, rules: Sequence[Rule]) -> list[Record]:
    """Return what is to be kept of one pass, sampled and packed as the live path does."""
    pipeline = Pipeline(models.detector, models.classifier, PipelineOptions(relook=RelookOptions()))
    state, records, last_s = b"", list[Record](), 0.0
    with open_source(parse_source(str(video)), width=640, fps=5) as source:
        while (frame := source.read()) is not None:
            last_s = frame.media_time_s
            item = PipelineItem(
                "office", "epoch", TakenKind.FRAME, last_s, jpeg=encode_jpeg(frame.frame_bgr), state=state,
                zones=(LEFT, RIGHT), rules=tuple(rules), wall_time_utc=NOON + timedelta(seconds=last_s),
            )  # fmt: skip
            (output,) = pipeline.process([item])
            state = output.state
            records += output.records
    end = PipelineItem(
        "office", "epoch", TakenKind.END, 0.0, state=state, wall_time_utc=NOON + timedelta(seconds=last_s)
    )
    return records + list(pipeline.process([end])[0].records)


def at_s(event: Event) -> float:
    return (event.time_utc - NOON).total_seconds()


def test_office_has_the_one_violation_that_one_sees(shared: Path, models: WorkerModels) -> None:
    """By hand: the man at the left has his mask off from 5.5 s to 10.3 s; before 2 s all are putting theirs on."""
    video = shared / "data" / "videos" / "office_four_masked.mp4"
    records = watch(models, video, [Rule("all"), Rule("left", zone="left"), Rule("right", zone="right")])
    told = [one for one in records if isinstance(one, Event)]
    assert [(one.rule, one.kind) for one in told] == [
        ("all", EventKind.VIOLATION_STARTED),
        ("left", EventKind.VIOLATION_STARTED),
        ("all", EventKind.VIOLATION_ENDED),
        ("left", EventKind.VIOLATION_ENDED),
    ]
    assert 7.0 < at_s(told[0]) < 9.0
    assert 10.3 < at_s(told[2]) < 12.5
    assert told[2].duration_s is not None
    assert 3.5 < told[2].duration_s < 5.5
    closed = [one for one in records if isinstance(one, PersonClosed)]
    assert {one.verdict for one in closed} == {Verdict.WITH_MASK}
    assert len([one for one in closed if one.zone == "left"]) == 1


@pytest.mark.parametrize(
    ("film", "violations"),
    [
        ("no_face", 0), ("man_1080p_mask", 0), ("man_360p_bare", 1), ("two_turning_bare", 2), ("three_walking_bare", 3),
        ("crowd_1080p_bare", 3),
    ],
)  # fmt: skip
def test_film_has_as_many_violations_as_one_sees(
    shared: Path, models: WorkerModels, film: str, violations: int
) -> None:
    records = watch(models, shared / "data" / "videos" / f"{film}.mp4", [Rule("all")])
    kinds = [one.kind for one in records if isinstance(one, Event)]
    assert kinds.count(EventKind.VIOLATION_STARTED) == kinds.count(EventKind.VIOLATION_ENDED) == violations


def test_without_grace_all_four_are_told_as_they_begin(shared: Path, models: WorkerModels) -> None:
    video = shared / "data" / "videos" / "office_four_masked.mp4"
    records = watch(models, video, [Rule("all", grace_s=0.0, cooldown_s=0.0)])
    started = [one for one in records if isinstance(one, Event) and one.kind is EventKind.VIOLATION_STARTED]
    early = {one.track_id for one in started if at_s(one) < 3.0}
    assert 2 <= len(early) <= 4
    assert len([one for one in started if at_s(one) >= 3.0]) == 1
