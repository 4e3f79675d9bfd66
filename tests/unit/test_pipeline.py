from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.broker.messages import TakenKind
from maskwatch.errors import ConfigError, ModelError
from maskwatch.media import encode_jpeg
from maskwatch.types import Detection, FrameStatus, MaskLabel, Profile, StreamFaces, Verdict
from workers.pipeline import Pipeline, PipelineItem, PipelineOutput

SIDE = 32


class FakeDetector:
    """Finds faces where the test says; one batch is one entry of `calls`."""

    name = "fake"
    model = "fake-face 2.0.0"

    def __init__(self, *found: Detection, score: float = 0.5) -> None:
        self.found = found
        self.score = score
        self.calls: list[tuple[int, Profile]] = []

    def detect(
        self, frames_bgr: Sequence[UInt8Array], profile: Profile, *, min_score: float | None = None
    ) -> list[tuple[Detection, ...]]:
        self.calls.append((len(frames_bgr), profile))
        return [self.found for _ in frames_bgr]


class FakeClassifier:
    """Calls light faces bare and dark ones masked."""

    name = "fake 1.0.0"
    size_px = SIDE
    unknown_below = 0.0

    def __init__(self) -> None:
        self.calls: list[int] = []

    def classify(self, faces_rgb: UInt8Array) -> Float32Array:
        assert faces_rgb.shape[1:] == (SIDE, SIDE, 3)
        assert faces_rgb.dtype == np.uint8
        self.calls.append(len(faces_rgb))
        light = faces_rgb.mean(axis=(1, 2, 3)) > 127
        return np.where(light[:, None], [0.05, 0.9, 0.05], [0.9, 0.05, 0.05]).astype(np.float32)


FACE = Detection((100.0, 100.0, 160.0, 170.0), 0.9)


def picture(level: int = 200) -> UInt8Array:
    """A noisy picture, so that faces are sharp; light or dark as a whole."""
    noise = np.random.default_rng(0).integers(-50, 51, (360, 640, 3))
    return np.clip(noise + level, 0, 255).astype(np.uint8)


def item(number: int = 0, state: bytes = b"", camera: str = "lobby", level: int = 200) -> PipelineItem:
    return PipelineItem(camera, "epoch", TakenKind.FRAME, number / 5, frame_bgr=picture(level), state=state)


def end(state: bytes = b"", camera: str = "lobby", epoch: str = "epoch") -> PipelineItem:
    return PipelineItem(camera, epoch, TakenKind.END, 0.0, state=state)


def follow(
    pipeline: Pipeline, count: int, state: bytes = b"", level: int = 200, start: int = 0
) -> list[PipelineOutput]:
    """Run frames one by one, as the live worker does."""
    outputs = []
    for number in range(start, start + count):
        (output,) = pipeline.process([item(number, state, level=level)])
        state = output.state
        outputs.append(output)
    return outputs


@pytest.fixture
def detector() -> FakeDetector:
    return FakeDetector(FACE)


@pytest.fixture
def classifier() -> FakeClassifier:
    return FakeClassifier()


@pytest.fixture
def pipeline(detector: FakeDetector, classifier: FakeClassifier) -> Pipeline:
    return Pipeline(lambda _name: detector, classifier)


def test_face_becomes_a_person_with_label_box_and_verdict(pipeline: Pipeline) -> None:
    outputs = follow(pipeline, 5)
    assert outputs[1].result.people == ()
    (person,) = outputs[-1].result.people
    assert person.track_id == 1
    assert person.label is MaskLabel.WITHOUT_MASK
    assert person.verdict is Verdict.WITHOUT_MASK
    assert person.seen
    assert person.box_unit == pytest.approx((100 / 640, 100 / 360, 160 / 640, 170 / 360), abs=1e-6)
    assert outputs[-1].result.model == "fake 1.0.0"
    assert outputs[-1].result.size_wh == (640, 360)


@pytest.mark.parametrize(("threshold", "people"), [(0.5, 1), (0.6, 0)])
def test_tracks_begin_at_the_threshold_of_the_camera_s_detector(threshold: float, people: int) -> None:
    detector = FakeDetector(Detection(FACE.box_xyxy, 0.55), score=threshold)
    outputs = follow(Pipeline(lambda _name: detector, FakeClassifier()), 6)
    assert len(outputs[-1].result.people) == people


def test_places_of_all_faces_are_told_where_viewers_must_not_see_them() -> None:
    weak = Detection((500.0, 20.0, 540.0, 60.0), 0.41)
    detector = FakeDetector(FACE, weak)
    pipeline = Pipeline(lambda _name: detector, FakeClassifier())
    state = b""
    for number in range(6):
        detector.found = (FACE, weak) if number < 5 else ()  # in the last one they are missed
        one = replace(item(number, state), stream=StreamFaces.BLURRED)
        (output,) = pipeline.process([one])
        state = output.state
        faces = output.result.faces
        assert faces is not None
        assert any(face == pytest.approx((100 / 640, 100 / 360, 160 / 640, 170 / 360), abs=0.01) for face in faces)
        if number < 5:
            assert (500 / 640, 20 / 360, 540 / 640, 60 / 360) in faces
    (seen,) = pipeline.process([item(6, state)])
    assert seen.result.faces is None


def test_picture_without_a_result_is_told_apart_where_viewers_must_not_see_faces(pipeline: Pipeline) -> None:
    broken = replace(item(), frame_bgr=None, jpeg=b"no jpeg")
    private, open_one = pipeline.process([replace(broken, stream=StreamFaces.BLURRED), broken])
    assert (private.result.faces, open_one.result.faces) == ((), None)


def test_mask_put_on_changes_the_verdict(pipeline: Pipeline) -> None:
    before = follow(pipeline, 10)[-1]
    after = follow(pipeline, 10, before.state, level=60, start=10)[-1]
    assert before.result.people[0].verdict is Verdict.WITHOUT_MASK
    assert after.result.people[0].verdict is Verdict.WITH_MASK
    assert after.result.people[0].track_id == 1


def test_missed_face_is_shown_as_a_prediction_for_a_moment(pipeline: Pipeline, detector: FakeDetector) -> None:
    state = follow(pipeline, 6)[-1].state
    detector.found = ()
    outputs = follow(pipeline, 5, state, start=6)
    (person,) = outputs[0].result.people
    assert not person.seen
    assert person.label is None
    assert person.probabilities == ()
    assert person.verdict is Verdict.WITHOUT_MASK
    assert outputs[-1].result.people == ()


def test_track_that_ends_is_told_once_with_its_verdict(pipeline: Pipeline, detector: FakeDetector) -> None:
    state = follow(pipeline, 6)[-1].state
    detector.found = ()
    outputs = follow(pipeline, 15, state, start=6)
    assert [output.result.closed for output in outputs if output.result.closed] == [(Verdict.WITHOUT_MASK,)]


def test_end_closes_people_and_needs_no_picture(pipeline: Pipeline) -> None:
    (output,) = pipeline.process([end(follow(pipeline, 6)[-1].state)])
    assert output.result.status is FrameStatus.OK
    assert output.result.closed == (Verdict.WITHOUT_MASK,)
    assert output.frame_bgr is None
    (again,) = pipeline.process([end(output.state)])
    assert again.result.closed == ()


def test_new_epoch_closes_people_and_begins_at_track_one(pipeline: Pipeline) -> None:
    state = follow(pipeline, 6)[-1].state
    outputs = pipeline.process([replace(item(n, state), epoch="other") for n in range(6)])
    assert [output.result.closed for output in outputs] == [(Verdict.WITHOUT_MASK,), (), (), (), (), ()]
    assert outputs[-1].result.people[0].track_id == 1


def test_new_epoch_inside_a_batch_closes_with_the_verdict_of_that_batch(pipeline: Pipeline) -> None:
    items = [item(n) for n in range(6)] + [replace(item(0), epoch="other")]
    assert pipeline.process(items)[-1].result.closed == (Verdict.WITHOUT_MASK,)


def test_frames_of_one_camera_in_one_batch_are_like_one_by_one(pipeline: Pipeline) -> None:
    singly = follow(pipeline, 8)
    together = pipeline.process([item(number) for number in range(8)])
    assert [len(output.result.people) for output in together] == [len(output.result.people) for output in singly]
    for one, other in zip(singly[-1].result.people, together[-1].result.people, strict=True):
        assert (one.track_id, one.label, one.verdict) == (other.track_id, other.label, other.verdict)
        assert one.box_unit == pytest.approx(other.box_unit, abs=1e-6)


def test_cameras_in_one_batch_dont_mix(pipeline: Pipeline) -> None:
    items = [item(n, camera=camera) for n in range(5) for camera in ("lobby", "door")]
    outputs = pipeline.process(items)
    assert [output.camera for output in outputs] == ["lobby", "door"] * 5
    assert [person.track_id for output in outputs[-2:] for person in output.result.people] == [1, 1]


def test_batch_is_one_call_per_detector_and_profile_and_one_of_the_classifier(
    pipeline: Pipeline, detector: FakeDetector, classifier: FakeClassifier
) -> None:
    items = [item(camera=f"cam{n}") for n in range(5)]
    items[3] = replace(items[3], profile=Profile.FAST)
    pipeline.process(items)
    assert detector.calls == [(4, Profile.ACCURATE), (1, Profile.FAST)]
    assert classifier.calls == [5]


def test_corrupt_jpeg_is_a_decode_error_and_the_others_go_on(pipeline: Pipeline) -> None:
    good = PipelineItem("good", "e", TakenKind.FRAME, 0.0, jpeg=encode_jpeg(picture()))
    empty, cut = replace(good, camera="empty", jpeg=b""), replace(good, camera="cut", jpeg=good.jpeg[:900])
    outputs = pipeline.process([empty, good, cut])
    assert [output.result.status for output in outputs] == [
        FrameStatus.DECODE_ERROR,
        FrameStatus.OK,
        FrameStatus.DECODE_ERROR,
    ]
    assert "frame of cut" in outputs[2].result.note


def test_corrupt_jpeg_leaves_the_tracks_alone(pipeline: Pipeline) -> None:
    state = follow(pipeline, 6)[-1].state
    (broken,) = pipeline.process([PipelineItem("lobby", "epoch", TakenKind.FRAME, 1.2, jpeg=b"?", state=state)])
    assert follow(pipeline, 1, broken.state, start=7)[-1].result.people[0].track_id == 1


@pytest.mark.parametrize("state", [b"?", b"\x00" * 50, b"\xff" * 5000])
def test_state_that_nobody_can_read_means_a_fresh_start(pipeline: Pipeline, state: bytes) -> None:
    (output,) = pipeline.process([item(0, state)])
    assert output.result.status is FrameStatus.OK
    assert output.result.closed == ()


def test_fresh_start_within_an_epoch_gives_no_number_twice(pipeline: Pipeline) -> None:
    before = {person.track_id for output in follow(pipeline, 20) for person in output.result.people}
    after = {person.track_id for output in follow(pipeline, 20, b"?", start=20) for person in output.result.people}
    assert before
    assert after
    assert not before & after


@pytest.mark.parametrize("error", [ModelError("no ssd files: run pip"), ConfigError("no such detector")])
def test_missing_detector_is_told_and_the_others_go_on(
    detector: FakeDetector, classifier: FakeClassifier, error: Exception
) -> None:
    asked = []

    def load(name: str) -> FakeDetector:
        asked.append(name)
        if name == "ssd":
            raise error
        return detector

    pipeline = Pipeline(load, classifier)
    for _ in range(2):
        good, bad = pipeline.process([item(), replace(item(camera="other"), detector="ssd")])
        assert good.result.status is FrameStatus.OK
        assert bad.result.status is not FrameStatus.OK
        assert bad.result.note == str(error)
    assert asked == ["maskwatch", "ssd"]


def test_small_and_blurred_faces_are_not_asked_about(detector: FakeDetector, classifier: FakeClassifier) -> None:
    detector.found = (Detection((300.0, 100.0, 318.0, 122.0), 0.9),)
    small = follow(Pipeline(lambda _name: detector, classifier), 6)[-1].result.people
    assert [(person.label, person.verdict) for person in small] == [(None, Verdict.UNKNOWN)]
    detector.found = (FACE,)
    plain = replace(item(), frame_bgr=np.full((360, 640, 3), 200, np.uint8))
    blurred = Pipeline(lambda _name: detector, classifier).process(
        [replace(plain, media_time_s=n / 5) for n in range(6)]
    )
    assert [person.label for person in blurred[-1].result.people] == [None]
    assert classifier.calls == []


def test_frame_is_not_modified_and_handed_back(pipeline: Pipeline) -> None:
    one = item()
    assert one.frame_bgr is not None
    before = one.frame_bgr.copy()
    (output,) = pipeline.process([one])
    assert output.frame_bgr is one.frame_bgr
    assert np.array_equal(before, one.frame_bgr)


def test_empty_batch_gives_nothing(pipeline: Pipeline) -> None:
    assert pipeline.process([]) == []


def test_stages_are_told_in_order(detector: FakeDetector, classifier: FakeClassifier) -> None:
    told: list[str] = []

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        told.append(name)
        yield

    Pipeline(lambda _name: detector, classifier, stage=stage).process([item()])
    assert told == ["decode", "detect", "track", "classify", "verdict"]


class UnsureClassifier(FakeClassifier):
    """As the other, but it can't tell below 95 %."""

    unknown_below = 0.95


def test_look_that_the_classifier_can_not_tell_has_no_label_and_no_vote() -> None:
    outputs = follow(Pipeline(lambda _name: FakeDetector(FACE), UnsureClassifier()), 20)
    (person,) = outputs[-1].result.people
    assert person.seen
    assert (person.label, person.probabilities, person.verdict) == (None, (), Verdict.UNKNOWN)


def test_unsure_look_takes_nothing_from_what_was_held_before() -> None:
    sure = follow(Pipeline(lambda _name: FakeDetector(FACE), FakeClassifier()), 10)
    unsure = Pipeline(lambda _name: FakeDetector(FACE), UnsureClassifier())
    (person,) = follow(unsure, 3, sure[-1].state, start=10)[-1].result.people
    assert (person.label, person.verdict) == (None, Verdict.WITHOUT_MASK)


def test_result_names_classifier_and_detector() -> None:
    pipeline = Pipeline(lambda _name: FakeDetector(FACE), FakeClassifier())
    (shown, ended) = pipeline.process([item(), end(camera="other")])
    assert (shown.result.model, shown.result.detector) == ("fake 1.0.0", "fake-face 2.0.0")
    assert (ended.result.model, ended.result.detector) == ("fake 1.0.0", "")


def test_models_change_between_batches_and_people_stay() -> None:
    pipeline = Pipeline(lambda _name: FakeDetector(FACE), FakeClassifier())
    before = follow(pipeline, 5)[-1]
    other, network = FakeClassifier(), FakeDetector(FACE)
    other.name, network.model = "other 3.0.0", "other-face 4.0.0"
    pipeline.use_classifier(other)
    pipeline.use_detector("maskwatch", network)
    after = follow(pipeline, 1, before.state, start=5)[-1].result
    assert (after.model, after.detector) == ("other 3.0.0", "other-face 4.0.0")
    assert [person.track_id for person in after.people] == [person.track_id for person in before.result.people] == [1]


def test_detector_that_failed_is_replaced_by_one_that_works() -> None:
    def missing(_name: str) -> FakeDetector:
        raise ModelError("not there")

    pipeline = Pipeline(missing, FakeClassifier())
    (broken,) = pipeline.process([item()])
    assert broken.result.note == "not there"
    pipeline.use_detector("maskwatch", FakeDetector(FACE))
    (good,) = pipeline.process([item(1, broken.state)])
    assert good.result.status is FrameStatus.OK
