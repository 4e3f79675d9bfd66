"""People counted in real videos, sampled and compressed as the live path does; docs/counts.md has the hand counts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ingest.motion import MotionGate
from maskwatch.broker.messages import TakenKind
from maskwatch.media import encode_jpeg, open_source
from maskwatch.settings import MotionSettings
from maskwatch.settings.source import parse_source
from maskwatch.types import Verdict
from tests.support_worker import require_shipped_models
from workers.models import WorkerModels, load_models
from workers.pipeline import Pipeline, PipelineItem

pytestmark = pytest.mark.timeout(600)

FPS, WIDTH = 5.0, 640
CORRIDOR_BY_HAND = 6


@pytest.fixture(scope="module")
def models() -> WorkerModels:
    require_shipped_models()
    return load_models("litert", "none", batch=1)


def watch(models: WorkerModels, video: Path, gate: MotionGate | None = None) -> tuple[int, dict[int, list[Verdict]]]:
    """Return how many people were counted in one pass, and each track's verdicts in the order of their changes.

    With a gate only the frames that it wants are analysed.
    """
    pipeline = Pipeline(models.detector, models.classifier)
    state = b""
    closed: Counter[Verdict] = Counter()
    verdicts: dict[int, list[Verdict]] = {}
    with open_source(parse_source(str(video)), width=WIDTH, fps=FPS) as source:
        while (grab := source.grab()) is not None:
            if gate is not None and not gate.judge(grab.grey(), grab.media_time_s).is_wanted:
                continue
            frame = grab.frame()
            jpeg = encode_jpeg(frame.frame_bgr)
            (output,) = pipeline.process(
                [PipelineItem("camera", "epoch", TakenKind.FRAME, frame.media_time_s, jpeg=jpeg, state=state)]
            )
            state = output.state
            assert len(state) < 8192
            closed.update(output.result.closed)
            for person in output.result.people:
                history = verdicts.setdefault(person.track_id, [])
                if history[-1:] != [person.verdict]:
                    history.append(person.verdict)
    (last,) = pipeline.process([PipelineItem("camera", "epoch", TakenKind.END, 0.0, state=state)])
    closed.update(last.result.closed)
    return closed.total(), verdicts


@pytest.mark.parametrize(
    ("video", "least", "most"),
    [
        ("crowd_1080p_bare.mp4", 7, 10),
        ("no_face.mp4", 0, 0),
        ("corridor_mostly_empty.mp4", CORRIDOR_BY_HAND - 1, CORRIDOR_BY_HAND + 1),
        ("three_walking_bare.mp4", 3, 3),
        ("two_turning_bare.mp4", 2, 2),
        ("man_1080p_mask.mp4", 1, 1),
    ],
)
def test_people_counted_are_those_who_are_there(
    shared: Path, models: WorkerModels, video: str, least: int, most: int
) -> None:
    people, _ = watch(models, shared / "data" / "videos" / video)
    assert least <= people <= most


@pytest.mark.parametrize("video", ["corridor_mostly_empty.mp4", "two_turning_bare.mp4"])
def test_motion_gate_loses_nobody(shared: Path, models: WorkerModels, video: str) -> None:
    path = shared / "data" / "videos" / video
    assert watch(models, path, MotionGate(MotionSettings()))[0] == watch(models, path)[0]


def test_office_is_counted_right_and_verdicts_change_as_masks_go_on(shared: Path, models: WorkerModels) -> None:
    people, verdicts = watch(models, shared / "data" / "videos" / "office_four_masked.mp4")
    assert people in (4, 5)
    masked = [
        history
        for history in verdicts.values()
        if Verdict.WITHOUT_MASK in history and Verdict.WITH_MASK in history[history.index(Verdict.WITHOUT_MASK) :]
    ]
    assert len(masked) >= 3
    assert all(history[-1] is Verdict.WITH_MASK for history in masked)
