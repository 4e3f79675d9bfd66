from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from maskwatch.broker.messages import TakenKind
from maskwatch.settings import RelookSettings
from maskwatch.types import MaskLabel, Person, Verdict
from tests.unit.test_pipeline import FACE, FakeClassifier, FakeDetector, picture
from workers.pipeline import Pipeline, PipelineItem, PipelineOptions
from workers.relook import CELLS, Glance, RelookOptions, glanced, glimpse, needs_look
from workers.state import unpack_state
from workers.verdict import Evidence, VerdictOptions

CLEAR = Evidence((8.0, -4.0, -4.0), 10, 100.0, Verdict.WITH_MASK)
KNOWN = Glance(60.0, 200.0, bytes([100] * CELLS), agreed=True)
RULE = RelookOptions()


def needs(now: Glance = KNOWN, known: Glance | None = KNOWN, evidence: Evidence = CLEAR, time_s: float = 100.2) -> bool:
    return needs_look(now, known, evidence, time_s, RULE, VerdictOptions())


def test_settled_face_that_looks_as_before_needs_no_look() -> None:
    assert not needs()


def test_face_that_was_never_classified_needs_a_look() -> None:
    assert needs(known=None)


def test_face_is_looked_at_on_a_schedule() -> None:
    assert not needs(time_s=100.9)
    assert needs(time_s=101.0)


def test_time_that_falls_is_no_reason_to_wait() -> None:
    assert needs(time_s=99.0)


@pytest.mark.parametrize("verdict", [Verdict.UNKNOWN, Verdict.WITHOUT_MASK])
def test_verdict_that_is_unknown_or_contradicted_by_the_evidence_needs_a_look(verdict: Verdict) -> None:
    assert needs(evidence=replace(CLEAR, verdict=verdict))


def test_lead_that_is_only_just_enough_needs_a_look() -> None:
    lead = VerdictOptions().lead
    assert needs(evidence=replace(CLEAR, sums=(lead, 0.0, 0.0)))


def test_face_whose_last_look_disagreed_needs_a_look() -> None:
    assert needs(known=replace(KNOWN, agreed=False))


@pytest.mark.parametrize("better", [replace(KNOWN, size_px=90.0), replace(KNOWN, sharpness=300.0)])
def test_face_that_got_larger_or_sharper_needs_a_look(better: Glance) -> None:
    assert needs(better)


def test_part_of_a_face_that_changed_needs_a_look() -> None:
    assert needs(replace(KNOWN, cells=bytes([100, 100, 100, 100, 140, 140])))


def test_lamp_that_is_switched_on_is_no_change_of_the_face() -> None:
    assert not needs(replace(KNOWN, cells=bytes([150] * CELLS)))


def test_memory_keeps_the_best_face_and_the_latest_look() -> None:
    now = Glance(40.0, 300.0, bytes([7] * CELLS))
    held = glanced(now, KNOWN, (0.1, 0.8, 0.1), Verdict.WITH_MASK)
    assert held == Glance(60.0, 300.0, now.cells, False, (0.1, 0.8, 0.1))
    assert glanced(now, None, (0.8, 0.1, 0.1), Verdict.WITH_MASK).agreed


def test_glimpse_tells_the_lower_from_the_upper_half() -> None:
    face = np.full((96, 96, 3), 200, np.uint8)
    face[64:] = 20
    assert glimpse(face, 50.0, 9.0).cells == bytes([200, 200, 200, 200, 20, 20])


def test_configuration_can_switch_it_off() -> None:
    assert RelookOptions.of(RelookSettings(enabled=False)) is None
    assert RelookOptions.of(RelookSettings(every_s=3.0)) == RelookOptions(every_s=3.0)


class Run:
    """A camera at 5 frames a second, whose pictures may change."""

    def __init__(self, relook: RelookOptions | None) -> None:
        self.classifier = FakeClassifier()
        self.detector = FakeDetector(FACE)
        self.pipeline = Pipeline(lambda _: self.detector, self.classifier, PipelineOptions(relook=relook))
        self.state = b""
        self.number = 0
        self.people: list[Person] = []

    def frames(self, count: int, level: int = 200) -> list[Verdict]:
        verdicts = []
        self.people.clear()
        for _ in range(count):
            item = PipelineItem(
                "lobby", "epoch", TakenKind.FRAME, self.number / 5, frame_bgr=picture(level), state=self.state
            )
            (output,) = self.pipeline.process([item])
            self.state = output.state
            self.number += 1
            self.people += output.result.people
        verdicts += [person.verdict for person in self.people]
        return verdicts

    @property
    def looks(self) -> int:
        return sum(self.classifier.calls)


def test_settled_person_is_classified_once_a_second() -> None:
    run = Run(RULE)
    run.frames(10)
    before = run.looks
    verdicts = run.frames(50)
    assert set(verdicts) == {Verdict.WITHOUT_MASK}
    assert run.looks - before == 10


def test_settled_person_keeps_the_label_of_the_last_look() -> None:
    run = Run(RULE)
    run.frames(10)
    run.frames(5)
    assert {person.label for person in run.people} == {MaskLabel.WITHOUT_MASK}
    for person in run.people:
        assert sum(person.probabilities) == pytest.approx(1.0)
        assert person.probabilities[1] == pytest.approx(0.9, abs=0.01)


def test_settled_person_too_small_to_be_judged_has_no_label() -> None:
    run = Run(RULE)
    run.frames(10)
    run.detector.found = (replace(FACE, box_xyxy=(118.0, 122.0, 136.0, 142.0)),)
    run.frames(1)
    assert all(person.label is None for person in run.people)


def test_without_the_rule_every_face_is_classified() -> None:
    run = Run(None)
    run.frames(20)
    assert run.looks == 20
    # What was said is remembered, what the face looks like is not.
    (known,) = unpack_state(run.state).glances.values()
    assert (known.size_px, known.sharpness) == (0.0, 0.0)
    assert known.probabilities == pytest.approx((0.05, 0.9, 0.05), abs=0.005)


def test_first_frames_are_all_classified() -> None:
    run = Run(RULE)
    run.frames(6)
    assert run.looks == 6


def test_change_between_two_looks_is_judged_within_a_second_and_a_half() -> None:
    run = Run(RULE)
    assert run.frames(20)[-1] is Verdict.WITHOUT_MASK
    assert run.frames(8, level=60)[-1] is Verdict.WITH_MASK


def test_sharper_face_is_looked_at_at_once() -> None:
    run = Run(RULE)
    run.frames(10)
    held = unpack_state(run.state)
    before = run.looks
    run.detector.found = (replace(FACE, box_xyxy=(85.0, 85.0, 175.0, 185.0)),)
    run.frames(1)
    assert held.glances
    assert run.looks == before + 1
