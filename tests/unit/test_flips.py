from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.broker.messages import TakenKind
from maskwatch.types import Detection, Profile, Verdict
from tests.support_records import somebody
from workers.keeping import left_zones
from workers.pipeline import Pipeline, PipelineItem, PipelineOptions
from workers.relook import NO_GLANCE, RelookOptions, glanced, needs_look
from workers.verdict import Evidence, VerdictOptions

FACE = Detection((100.0, 100.0, 160.0, 170.0), 0.9)


class OneFace:
    """Finds the same face in every frame."""

    name = "fake"
    model = "fake 1.0.0"
    score = 0.5

    def detect(
        self, frames_bgr: Sequence[UInt8Array], profile: Profile, *, min_score: float | None = None
    ) -> list[tuple[Detection, ...]]:
        return [(FACE,)] * len(frames_bgr)


class Says:
    """Says what a test wants, look by look."""

    name = "fake 1.0.0"
    size_px = 32
    unknown_below = 0.5

    def __init__(self, looks: Sequence[int | None]) -> None:
        self._looks = iter(looks)

    def classify(self, faces_rgb: UInt8Array) -> Float32Array:
        (face,) = faces_rgb
        assert face.shape == (32, 32, 3)
        said = next(self._looks)
        chances = np.full((1, 3), 0.05 if said is not None else 1 / 3, np.float32)
        if said is not None:
            chances[0, said] = 0.9
        return chances


def flips(looks: Sequence[int | None], relook: RelookOptions | None = None, epochs: Sequence[str] = ()) -> list[int]:
    """Return the flips of each frame."""
    pipeline = Pipeline(lambda _name: OneFace(), Says(looks), PipelineOptions(relook=relook))
    picture = np.random.default_rng(0).integers(0, 255, (360, 640, 3)).astype(np.uint8)
    found, state = [], b""
    for number in range(len(looks)):
        epoch = epochs[number] if epochs else "one"
        item = PipelineItem("lobby", epoch, TakenKind.FRAME, number / 5, frame_bgr=picture, state=state)
        (output,) = pipeline.process([item])
        found.append(output.flips)
        state = output.state
    return found


@pytest.mark.parametrize("relook", [None, RelookOptions(every_s=0.1)])
def test_look_that_says_something_else_is_a_flip(relook: RelookOptions | None) -> None:
    assert flips([0, 0, 0, 0, 0, 1, 1, 0, 2], relook) == [0, 0, 0, 0, 0, 1, 0, 1, 1]


def test_look_that_cannot_tell_is_none() -> None:
    assert flips([0, 0, 0, 0, None, 0, 1]) == [0, 0, 0, 0, 0, 0, 1]


def test_flips_before_somebody_is_a_person_do_not_count() -> None:
    assert flips([0, 1, 0, 0, 0]) == [0, 0, 0, 0, 0]


def test_another_epoch_begins_anew() -> None:
    assert flips([0, 0, 0, 0, 0, 1, 1, 1, 1, 1], epochs=["one"] * 5 + ["two"] * 5) == [0] * 10


def test_glance_of_a_face_that_nobody_looked_at_saves_no_look() -> None:
    # As when looks become rarer under overload, of people of whom only labels were kept until then.
    options, clear = VerdictOptions(), Evidence((20.0, -10.0, -10.0), 50, 0.0, Verdict.WITH_MASK)
    known = glanced(NO_GLANCE, None, (0.9, 0.05, 0.05), Verdict.WITH_MASK)
    assert needs_look(NO_GLANCE, known, clear, 0.2, RelookOptions(), options)


def test_people_who_leave_count_in_their_zones_only() -> None:
    records = [somebody(1), somebody(1, zone="door"), somebody(2, Verdict.UNKNOWN, zone="desk")]
    assert left_zones(records) == (("door", Verdict.WITH_MASK), ("desk", Verdict.UNKNOWN))
