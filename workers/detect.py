"""Pictures, videos and webcams through the pipeline: annotated files, JSON, a CSV timeline, or a window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from maskwatch.arrays import UInt8Array
from maskwatch.broker.messages import TakenKind
from maskwatch.errors import ConfigError, MaskwatchError, SourceError
from maskwatch.media import FrameSource, MediaFrame, encode_jpeg, open_source, read_image
from maskwatch.media.writer import VideoWriter
from maskwatch.render import annotate
from maskwatch.service import Stop
from maskwatch.types import FrameResult, FrameStatus, Profile
from workers.findings import Finding, Timeline, about, person_as_dict
from workers.inputs import Input, InputKind, stem_for
from workers.models import WorkerModels
from workers.pipeline import Pipeline, PipelineItem, PipelineOptions, PipelineOutput
from workers.track import TrackOptions
from workers.verdict import VerdictOptions
from workers.window import Window

__all__ = ["SINGLE_LOOK", "Detect", "DetectSettings"]

SINGLE_LOOK = PipelineOptions(
    track=TrackOptions(confirm_hits=1, confirm_s=0.0, confirm_px=0.0), verdict=VerdictOptions(least_looks=1, lead=1.0)
)
"""For a picture, which has no before and after: every face is a person, and its label is the verdict when it is about
three times as probable as the next (more for faces so small that they have half a vote), else `unknown`."""

_MOST_BATCH_BYTES = 32 << 20
_MOST_BATCH = 8
_STREAM_FPS = 10.0
_ANNOTATED_QUALITY = 92
_CUT_OFF_S = 1.0
_LONGEST_REPEAT_S = 10.0


@dataclass(frozen=True, slots=True)
class DetectSettings:
    """What `detect` was asked to do.

    Attributes:
        out: folder for files, or None.
        every: analyse one picture of so many of a video.
        detector: name of the face detector.
        profile: how much work it is given.
    """

    out: Path | None = None
    every: int = 1
    detector: str = "maskwatch"
    profile: Profile = Profile.ACCURATE


class Detect:
    """Looks at inputs one after the other; one that fails doesn't keep the others from being looked at.

    Args:
        models: loaded.
        settings: what to do.
        stop: a request to end; what was done until then is kept.
        window: to show pictures in, or None.

    Raises:
        ConfigError: if the folder for files can't be made.
    """

    def __init__(
        self, models: WorkerModels, settings: DetectSettings, stop: Stop, window: Window | None = None
    ) -> None:
        self._models = models
        self._settings = settings
        self._stop = stop
        self._window = window
        self._stems: set[str] = set()
        self.was_quit = False
        """Whether q was pressed or the window closed: an end that somebody wanted."""
        self._pictures = Pipeline(models.detector, models.classifier, SINGLE_LOOK)
        self._videos = Pipeline(models.detector, models.classifier)
        if settings.out is not None:
            try:
                settings.out.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ConfigError(
                    f"--out {settings.out}: can't be made: {error.strerror}; give another folder"
                ) from error

    def run(self, inputs: Sequence[Input]) -> Iterator[Finding]:
        """Yield what was found in each input; ends early when asked to stop."""
        pictures = sum(one.kind is InputKind.IMAGE for one in inputs)
        # disable=None: tqdm shows itself on a terminal only.
        with tqdm(total=pictures, unit="picture", disable=True if pictures < 2 else None, leave=False) as bar:
            for one in inputs:
                if self._stop.requested:
                    return
                finding = Finding(one.shown, one.kind.value)
                try:
                    if one.kind is InputKind.IMAGE:
                        self._picture(one, finding)
                        bar.update()
                    else:
                        self._video(one, finding)
                except MaskwatchError as error:
                    finding.error = str(error)
                yield finding

    def _picture(self, one: Input, finding: Finding) -> None:
        frame_bgr = read_image(one.path)
        first, last = self._pictures.process([self._item(frame_bgr, 0.0, b""), self._end(b"")])
        result = _analysed(first)
        finding.add(FrameResult(FrameStatus.OK, result.size_wh, result.people, last.result.closed), 0.0)
        finding.seen = [person_as_dict(person, result.size_wh) for person in result.people]
        if self._settings.out is None and self._window is None:
            return
        annotate(frame_bgr, result)
        if self._settings.out is not None:
            stem = stem_for(one, self._stems)
            with self._timeline(stem, one, result.size_wh) as timeline:
                timeline.add(result, 0.0)
                timeline.finish(finding)
            path = self._settings.out / f"{stem}.annotated.jpg"
            _write(path, encode_jpeg(frame_bgr, _ANNOTATED_QUALITY))
            finding.files = [str(path), str(timeline.json_path), str(timeline.csv_path)]
        self._show(frame_bgr, wait=True)

    def _video(self, one: Input, finding: Finding) -> None:
        """Look at a video or stream; whatever ends it, what was found until then is written and counted."""
        is_stream = one.kind is InputKind.STREAM
        with (
            open_source(one.source, width=None, fps=_STREAM_FPS if is_stream else None) as source,
            ExitStack() as files,
        ):
            run = _VideoRun(self._every_one(source), finding)
            try:
                self._frames(one, source, run, files, 1 if is_stream else _MOST_BATCH)
                _check_whole(source, run.read_s, one.shown, is_stream or self._stop.requested)
            except MaskwatchError as error:
                finding.error = str(error)
            if run.state:
                (last,) = self._videos.process([self._end(run.state)])
                finding.people.update(last.result.closed)
            if self._stop.requested and not is_stream and not self.was_quit:
                finding.error = finding.error or "stopped before its end"
            if run.timeline is not None:
                run.timeline.finish(finding)

    def _frames(self, one: Input, source: FrameSource, run: _VideoRun, files: ExitStack, most: int) -> None:
        expected = source.frames_expected
        total = None if expected is None else -(-expected // self._settings.every)
        with tqdm(total=total, unit="frame", desc=one.shown[-40:], disable=None, leave=False) as bar:
            for batch in self._batches(source, run, most):
                items = [self._item(frame.frame_bgr, frame.media_time_s, run.state) for frame in batch]
                for frame, output in zip(batch, self._videos.process(items), strict=True):
                    run.state = output.state
                    result = _analysed(output)
                    run.finding.add(result, frame.media_time_s)
                    if self._settings.out is not None or self._window is not None:
                        annotate(frame.frame_bgr, result)
                    if self._settings.out is not None:
                        self._keep(one, source, frame, result, run, files)
                    self._show(frame.frame_bgr)
                    bar.update()

    def _batches(self, source: FrameSource, run: _VideoRun, most: int) -> Iterator[list[MediaFrame]]:
        """Yield the pictures to be analysed, a few at a time; those read before a failure come before it."""
        batch: list[MediaFrame] = []
        try:
            for number, frame in enumerate(source):
                run.read_s = frame.media_time_s
                if number % self._settings.every == 0:
                    batch.append(frame)
                if batch and (len(batch) >= most or len(batch) * frame.frame_bgr.nbytes >= _MOST_BATCH_BYTES):
                    yield batch
                    batch = []
                if self._stop.requested:
                    break
        except MaskwatchError:
            if batch:
                yield batch
            raise
        if batch:
            yield batch

    def _keep(
        self, one: Input, source: FrameSource, frame: MediaFrame, result: FrameResult, run: _VideoRun, files: ExitStack
    ) -> None:
        """Write one annotated frame; the files are made with the first."""
        assert self._settings.out is not None
        if run.timeline is None or run.film is None:
            stem = stem_for(one, self._stems)
            path = self._settings.out / f"{stem}.annotated.mp4"
            run.film = files.enter_context(_Film(path, frame.size_wh, run.fps))
            run.timeline = files.enter_context(self._timeline(stem, one, frame.size_wh, source.duration_s))
            run.finding.files = [str(path), str(run.timeline.json_path), str(run.timeline.csv_path)]
        run.timeline.add(result, frame.media_time_s)
        run.film.write(frame.frame_bgr, frame.media_time_s)

    def _every_one(self, source: FrameSource) -> float:
        """Return how many pictures a second are analysed."""
        return max(0.5, (source.fps or _STREAM_FPS) / self._settings.every)

    def _timeline(self, stem: str, one: Input, size_wh: tuple[int, int], duration_s: float | None = None) -> Timeline:
        assert self._settings.out is not None
        said: dict[str, Any] = {
            "width": size_wh[0],
            "height": size_wh[1],
            "duration_s": duration_s,
            "model": self._models.classifier.name,
            "engine": self._models.engine.value,
            "detector": self._settings.detector,
            "detector_model": self._models.detector(self._settings.detector).model,
            "profile": self._settings.profile.value,
            "every": self._settings.every,
        }
        return Timeline(self._settings.out, stem, about(one, **said))

    def _show(self, frame_bgr: UInt8Array, *, wait: bool = False) -> None:
        if self._window is not None and not self._window.show(frame_bgr, wait=wait):
            self.was_quit = True
            self._stop.request()

    def _item(self, frame_bgr: UInt8Array, media_time_s: float, state: bytes) -> PipelineItem:
        return PipelineItem(
            "input", "input", TakenKind.FRAME, media_time_s, frame_bgr=frame_bgr, state=state,
            detector=self._settings.detector, profile=self._settings.profile,
        )  # fmt: skip

    @staticmethod
    def _end(state: bytes) -> PipelineItem:
        return PipelineItem("input", "input", TakenKind.END, 0.0, state=state)


class _VideoRun:
    """What goes on from batch to batch of one video."""

    def __init__(self, fps: float, finding: Finding) -> None:
        self.fps = fps
        self.finding = finding
        self.state = b""
        self.read_s: float | None = None
        self.timeline: Timeline | None = None
        self.film: _Film | None = None


class _Film:
    """An annotated video that keeps the time of its source: late pictures stand longer, early ones are left out."""

    def __init__(self, path: Path, size_wh: tuple[int, int], fps: float) -> None:
        self._writer = VideoWriter(path, size_wh, fps)
        self._size_wh = size_wh
        self._fps = fps
        self._written = 0

    def write(self, frame_bgr: UInt8Array, media_time_s: float) -> None:
        """Append a picture; one of another size than the first is scaled to it."""
        if (frame_bgr.shape[1], frame_bgr.shape[0]) != self._size_wh:
            frame_bgr = np.asarray(cv2.resize(frame_bgr, self._size_wh, interpolation=cv2.INTER_AREA), np.uint8)
        due = int(media_time_s * self._fps + 0.5) + 1 - self._written
        for _ in range(min(due, max(1, round(_LONGEST_REPEAT_S * self._fps)))):
            self._writer.write(frame_bgr)
        self._written += max(0, due)

    def __enter__(self) -> _Film:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()


def _analysed(output: PipelineOutput) -> FrameResult:
    """Return a result that is fine; a picture that was read can only fail for want of its detector.

    Raises:
        ConfigError: with the reason.
    """
    if output.result.status is not FrameStatus.OK:
        raise ConfigError(output.result.note)
    return output.result


def _check_whole(source: FrameSource, read_s: float | None, shown: str, is_open_ended: bool) -> None:
    """Refuse to call a file done that gave nothing, or ended long before its stated length.

    Raises:
        SourceError: saying how far it went.
    """
    if is_open_ended:
        return
    if read_s is None:
        raise SourceError(f"{shown}: no picture could be read; it is cut off or has no video")
    if source.duration_s and source.duration_s - read_s > max(_CUT_OFF_S, 0.1 * source.duration_s):
        raise SourceError(
            f"{shown}: ended after {read_s:.1f} of {source.duration_s:.1f} s; it is cut off: get the whole file"
        )


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise SourceError(f"{path}: can't be written: {error.strerror}") from error
