"""Frames in, results out: the one way that the live worker, `detect` and the evaluations take.

Pure: no Redis, no clock, no files. What goes on from frame to frame is handed in and out as `state`; how long stages
take is told to whoever wants to know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.broker.messages import TakenKind
from maskwatch.errors import ConfigError, DecodeError, ModelError, SourceError
from maskwatch.media import decode_jpeg
from maskwatch.types import (
    Detection,
    FrameResult,
    FrameStatus,
    MaskLabel,
    Person,
    Profile,
    StreamFaces,
    Verdict,
)
from models.crop import MIN_FACE_PX, MIN_SHARPNESS, FaceQuality, crop_faces, face_quality
from models.detectors import Detector
from workers.items import PipelineItem, PipelineOutput, boxes_unit
from workers.judging import judge, judge_end, sightings
from workers.matters import RuleState
from workers.relook import NO_GLANCE, Glance, RelookOptions, best_label, glanced, glimpse, needs_look
from workers.rules import Sighting
from workers.state import CameraState, pack_state, read_state
from workers.track import Step, Track, TrackOptions, Tracks, advance, close_all
from workers.verdict import Evidence, VerdictOptions, look_weight, vote

__all__ = ["Classifier", "Pipeline", "PipelineItem", "PipelineOptions", "PipelineOutput", "Stage"]

Stage = Callable[[str], AbstractContextManager[None]]
"""Called with the name of each stage of a batch; the stage runs inside the context."""


class Classifier(Protocol):
    """What the pipeline asks about faces; see `models.classifier.MaskClassifier`."""

    name: str
    size_px: int
    unknown_below: float

    def classify(self, faces_rgb: UInt8Array) -> Float32Array:
        """Return (N, 3) probabilities of (N, size_px, size_px, 3) uint8 RGB faces."""
        ...


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """How faces become people.

    Attributes:
        track: how tracks begin and end.
        verdict: when evidence is enough.
        min_face_px: longest side of a face below which it doesn't vote, in pixels of the frame.
        min_sharpness: below which it doesn't vote; see `models.crop`.
        relook: when a face of a settled track is classified again; None classifies every face in every frame.
    """

    track: TrackOptions = field(default_factory=TrackOptions)
    verdict: VerdictOptions = field(default_factory=VerdictOptions)
    min_face_px: float = MIN_FACE_PX
    min_sharpness: float = MIN_SHARPNESS
    relook: RelookOptions | None = None


@dataclass(slots=True, eq=False)
class _Turn:
    """A turn on its way through the stages."""

    item: PipelineItem
    frame_bgr: UInt8Array | None = None
    note: str = ""
    detections: tuple[Detection, ...] = ()
    detector_model: str = ""
    score: float = 1.0
    """From which on the detector calls it a detection."""
    before: CameraState | None = None
    """Its evidence is only right for a camera's first turn of a batch; see `_conclude`."""
    ended: tuple[int, ...] = ()
    """Confirmed tracks of another epoch."""
    step: Step | None = None
    looks: dict[int, tuple[tuple[float, ...], float]] = field(default_factory=dict)
    """By number of the detection: probabilities and weight."""
    glimpses: dict[int, Glance] = field(default_factory=dict)
    """By number of the detection: what the face looks like, where that is asked."""
    settled: set[int] = field(default_factory=set)
    """Numbers of detections that weren't classified because what the last look said holds."""


class Pipeline:
    """Detection, tracking, classification and verdicts for batches of many cameras' frames.

    Belongs to one thread.

    Args:
        detectors: gives the detector of a name; is asked once a name. A `ModelError` or `ConfigError` of it becomes
            the note of the frames that wanted it, and the others go on.
        classifier: is asked about all faces of a batch at once.
        options: how faces become people.
        stage: is told of the stages.
    """

    def __init__(
        self,
        detectors: Callable[[str], Detector],
        classifier: Classifier,
        options: PipelineOptions | None = None,
        stage: Stage = lambda _name: nullcontext(),
    ) -> None:
        self._load = detectors
        self._detectors: dict[str, Detector | str] = {}
        self._classifier = classifier
        self._options = options or PipelineOptions()
        self._stage = stage

    def use_classifier(self, classifier: Classifier) -> None:
        """Ask another classifier from the next batch on; people and their evidence stay."""
        self._classifier = classifier

    def use_detector(self, name: str, detector: Detector) -> None:
        """Let another detector stand behind a name from the next batch on."""
        self._detectors[name] = detector

    def use_relook(self, relook: RelookOptions | None) -> None:
        """Follow another rule for known faces from the next batch on; None classifies every face in every frame."""
        self._options = replace(self._options, relook=relook)

    def process(self, items: Sequence[PipelineItem]) -> list[PipelineOutput]:
        """Analyse a batch; several frames of one camera must be in order.

        Returns:
            One output an item, in the same order.

        Raises:
            ModelError: if a runtime fails.
        """
        turns = [_Turn(item) for item in items]
        with self._stage("decode"):
            for turn in turns:
                self._decode(turn)
        with self._stage("detect"):
            self._detect(turns)
        with self._stage("track"):
            self._track(turns)
        with self._stage("classify"):
            self._classify(turns)
        with self._stage("verdict"):
            return self._conclude(turns)

    def _decode(self, turn: _Turn) -> None:
        item = turn.item
        turn.frame_bgr = item.frame_bgr
        if item.kind is TakenKind.FRAME and item.frame_bgr is None:
            try:
                turn.frame_bgr = decode_jpeg(item.jpeg, f"frame of {item.camera}")
            except (DecodeError, SourceError) as error:
                turn.note = str(error)

    def _detect(self, turns: Sequence[_Turn]) -> None:
        """Run each detector once per profile over all of its frames."""
        groups: dict[tuple[str, Profile], list[_Turn]] = {}
        for turn in turns:
            if turn.frame_bgr is not None:
                groups.setdefault((turn.item.detector, turn.item.profile), []).append(turn)
        for (name, profile), group in groups.items():
            detector = self._detector(name)
            if isinstance(detector, str):
                for turn in group:
                    turn.note = detector
                continue
            frames = [turn.frame_bgr for turn in group if turn.frame_bgr is not None]
            found = detector.detect(frames, profile, min_score=min(self._options.track.low_score, detector.score))
            for turn, detections in zip(group, found, strict=True):
                turn.detections, turn.score, turn.detector_model = detections, detector.score, detector.model

    def _detector(self, name: str) -> Detector | str:
        """Return a detector, or why there is none."""
        if name not in self._detectors:
            try:
                self._detectors[name] = self._load(name)
            except (ModelError, ConfigError) as error:
                self._detectors[name] = str(error)
        return self._detectors[name]

    def _track(self, turns: Sequence[_Turn]) -> None:
        """Advance each camera's tracks in the order of its frames."""
        latest: dict[str, CameraState] = {}
        for turn in turns:
            item = turn.item
            turn.before = (
                latest[item.camera] if item.camera in latest else read_state(item.state, item.epoch, item.media_time_s)
            )
            tracks = turn.before.tracks
            if turn.before.epoch != item.epoch:
                turn.ended = close_all(tracks).closed
                tracks = Tracks()
            if item.kind is TakenKind.END:
                turn.step = close_all(tracks)
            elif turn.frame_bgr is None or turn.note:
                turn.step = Step(tracks, {})
            else:
                size_wh = (turn.frame_bgr.shape[1], turn.frame_bgr.shape[0])
                options = replace(self._options.track, high_score=turn.score)
                turn.step = advance(tracks, turn.detections, size_wh, item.media_time_s, options)
            latest[item.camera] = CameraState(item.epoch, turn.step.tracks)

    def _classify(self, turns: Sequence[_Turn]) -> None:
        """Cut the faces that belong to tracks and classify those that can be seen well enough, all at once."""
        cut: list[tuple[_Turn, list[int], UInt8Array, Float32Array]] = []
        for turn in turns:
            if turn.frame_bgr is None or turn.step is None or not turn.step.found:
                continue
            wanted = sorted(turn.step.found.values())
            boxes = np.array([turn.detections[at].box_xyxy for at in wanted], np.float32)
            faces = crop_faces(turn.frame_bgr, boxes, self._classifier.size_px)
            quality = face_quality(faces, boxes)
            usable = quality.usable(self._options.min_face_px, self._options.min_sharpness)
            if self._options.relook is not None:
                unsettled = self._unsettled(turn, wanted, faces, quality, self._options.relook)
                turn.settled = {at for at, known in zip(wanted, usable & ~unsettled, strict=True) if known}
                usable &= unsettled
            cut.append(
                (turn, [at for at, use in zip(wanted, usable, strict=True) if use], faces[usable], boxes[usable])
            )
        if not any(wanted for _, wanted, _, _ in cut):
            return
        answers = self._classifier.classify(np.concatenate([faces for _, _, faces, _ in cut]))
        rows = iter(answers.tolist())
        for turn, wanted, _, boxes in cut:
            for at, box in zip(wanted, boxes, strict=True):
                chances = tuple(next(rows))
                if max(chances) < self._classifier.unknown_below:
                    continue  # it can't tell: no label, and no vote
                size_px = float(max(box[2] - box[0], box[3] - box[1]))
                turn.looks[at] = (chances, look_weight(size_px, self._options.min_face_px))

    def _unsettled(
        self, turn: _Turn, wanted: Sequence[int], faces: UInt8Array, quality: FaceQuality, options: RelookOptions
    ) -> NDArray[np.bool_]:
        """Return (N,) bool: True where a face of a turn has to be classified; see `workers.relook`."""
        assert turn.before is not None
        assert turn.step is not None
        before = turn.before
        tracks = {at: track_id for track_id, at in turn.step.found.items()}
        unsettled = np.ones(len(wanted), np.bool_)
        for row, at in enumerate(wanted):
            now = glimpse(faces[row], float(quality.size_px[row]), float(quality.sharpness[row]))
            turn.glimpses[at] = now
            # A camera's later turns of a batch know no evidence yet, nor does another epoch: they look.
            if before.epoch == turn.item.epoch and (seen := before.evidence.get(tracks[at])) is not None:
                known = before.glances.get(tracks[at])
                unsettled[row] = needs_look(now, known, seen, turn.item.media_time_s, options, self._options.verdict)
        return unsettled

    def _conclude(self, turns: Sequence[_Turn]) -> list[PipelineOutput]:
        """Vote, judge, and pack what the next turn needs."""
        outputs = []
        latest: dict[str, CameraState] = {}
        for turn in turns:
            item, before, step = turn.item, turn.before, turn.step
            assert before is not None
            assert step is not None
            held = latest.get(item.camera, before)
            closed = _verdicts(turn.ended, held.evidence)
            last = judge_end(held.rules, before.epoch, item, closed)
            known = dict(held.evidence) if before.epoch == item.epoch else {}
            self._vote(turn, step, known)
            gone = _verdicts(step.closed, known)
            alive = {track.track_id for track in step.tracks.items}
            evidence = {one: seen for one, seen in known.items() if one in alive}
            flips = 0 if before.epoch != item.epoch else _flips(turn, step, held.glances)
            looked = self._glances(turn, step, held.glances, known)
            glances = {one: glance for one, glance in looked.items() if one in alive}
            state = CameraState(item.epoch, step.tracks, evidence, glances)
            rules = held.rules if before.epoch == item.epoch else RuleState()
            outcome = judge(rules, item, self._sightings(turn, state), state.tracks, gone)
            latest[item.camera] = state = replace(state, rules=outcome.state)
            outputs.append(
                PipelineOutput(
                    item.camera,
                    self._result(turn, state, (*closed.values(), *gone.values())),
                    pack_state(state),
                    turn.frame_bgr,
                    (*last.records, *outcome.records),
                    outcome.wishes,
                    turn.detections,
                    flips,
                )
            )
        return outputs

    def _sightings(self, turn: _Turn, state: CameraState) -> tuple[Sighting, ...]:
        """Return what the rules see of a turn; of a picture that couldn't be analysed they see nothing."""
        if turn.frame_bgr is None or turn.note or turn.step is None or turn.item.wall_time_utc is None:
            return ()
        looks = {one: turn.looks[at][0] if at in turn.looks else () for one, at in turn.step.found.items()}
        size_wh = (turn.frame_bgr.shape[1], turn.frame_bgr.shape[0])
        return sightings(state.tracks, looks, state.evidence, turn.item.zones, size_wh, self._options.track)

    def _vote(self, turn: _Turn, step: Step, known: dict[int, Evidence]) -> None:
        for track_id, at in step.found.items():
            if at in turn.looks:
                probabilities, weight = turn.looks[at]
                seen = known.get(track_id, Evidence())
                known[track_id] = vote(seen, probabilities, weight, turn.item.media_time_s, self._options.verdict)

    def _glances(
        self, turn: _Turn, step: Step, held: Mapping[int, Glance], known: Mapping[int, Evidence]
    ) -> Mapping[int, Glance]:
        """Return what is known of faces, those that were classified in this turn included."""
        glances = dict(held) if turn.before is not None and turn.before.epoch == turn.item.epoch else {}
        for track_id, at in step.found.items():
            if at in turn.looks:
                # Where every face is classified anyway, what it looks like isn't asked; what was said of it is.
                now = turn.glimpses.get(at, NO_GLANCE)
                glances[track_id] = glanced(now, glances.get(track_id), turn.looks[at][0], known[track_id].verdict)
        return glances

    def _result(self, turn: _Turn, state: CameraState, closed: tuple[Verdict, ...]) -> FrameResult:
        name, is_blurred = self._classifier.name, turn.item.stream is StreamFaces.BLURRED
        if turn.item.kind is TakenKind.END:
            return FrameResult(FrameStatus.OK, closed=closed, model=name)
        if turn.frame_bgr is None or turn.note:
            faces = () if is_blurred else None
            return FrameResult(FrameStatus.DECODE_ERROR, closed=closed, model=name, note=turn.note, faces=faces)
        height, width = turn.frame_bgr.shape[:2]
        assert turn.step is not None
        people = []
        for track in state.tracks.items:
            at = turn.step.found.get(track.track_id)
            if track.is_confirmed and (at is not None or state.tracks.is_shown(track, self._options.track)):
                said = turn.looks[at][0] if at in turn.looks else ()
                if at in turn.settled:
                    said = state.glances[track.track_id].probabilities
                people.append(_person(track, said, at is not None, state, height / width))
        shown = tuple(person for person in people if person is not None)
        hidden = self._hidden(turn, state, (width, height)) if is_blurred else None
        return FrameResult(
            FrameStatus.OK, (width, height), shown, closed, name, detector=turn.detector_model, faces=hidden
        )

    def _hidden(
        self, turn: _Turn, state: CameraState, size_wh: tuple[int, int]
    ) -> tuple[tuple[float, float, float, float], ...]:
        """Return where faces are that viewers mustn't see; one that is missed now, where it is predicted to be."""
        predicted = (track.box_unit(size_wh[1] / size_wh[0]) for track in state.tracks.items)
        return *boxes_unit(turn.detections, size_wh), *predicted


def _flips(turn: _Turn, step: Step, held: Mapping[int, Glance]) -> int:
    """Count the people of whom this frame's look says something else than the look before."""
    people = {track.track_id for track in step.tracks.items if track.is_confirmed}
    return sum(
        best_label(turn.looks[at][0]) is not best_label(held[one].probabilities)
        for one, at in step.found.items()
        if one in people and at in turn.looks and one in held
    )


def _verdicts(track_ids: Sequence[int], evidence: Mapping[int, Evidence]) -> dict[int, Verdict]:
    return {one: evidence[one].verdict if one in evidence else Verdict.UNKNOWN for one in track_ids}


def _person(
    track: Track, probabilities: tuple[float, ...], seen: bool, state: CameraState, aspect: float
) -> Person | None:
    """Return a track as it is shown, or None when its prediction has left the frame."""
    box = track.box_unit(aspect)
    if box[2] <= box[0] or box[3] <= box[1]:
        return None
    label: MaskLabel | None = None
    if probabilities:
        label = best_label(probabilities)
    held = state.evidence.get(track.track_id, Evidence())
    return Person(track.track_id, box, track.score, label, probabilities, held.verdict, seen)
