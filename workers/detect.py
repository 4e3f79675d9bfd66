"""Pictures, videos and webcams through the pipeline: annotated files, JSON, a CSV timeline, or a window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from maskwatch.arrays import UInt8Array
from maskwatch.errors import ConfigError, MaskwatchError, SourceError
from maskwatch.media import FrameSource, MediaFrame, encode_jpeg, open_source, read_image
from maskwatch.render import annotate
from maskwatch.service import Stop
from maskwatch.types import FrameResult, FrameStatus, Profile
from workers.film import Film
from workers.findings import Finding, Timeline, about, person_as_dict
from workers.inputs import Input, InputKind, stem_for
from workers.models import WorkerModels
from workers.pipeline import Pipeline, PipelineOptions
from workers.recorded import MOST_BATCH, Looking, Place, Recorded, analysed, check_whole, end_item, frame_item
from workers.track import TrackOptions
from workers.verdict import VerdictOptions
from workers.window import Window

__all__ = ["SINGLE_LOOK", "Detect", "DetectSettings", "film_fps", "timeline_facts", "write_picture"]

SINGLE_LOOK = PipelineOptions(
    track=TrackOptions(confirm_hits=1, confirm_s=0.0, confirm_px=0.0), verdict=VerdictOptions(least_looks=1, lead=1.0)
)
"""For a picture, which has no before and after: every face is a person, and its label is the verdict when it is about
three times as probable as the next (more for faces so small that they have half a vote), else `unknown`."""

_STREAM_FPS = 10.0
_ANNOTATED_QUALITY = 92


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
        self._looking = Looking(settings.every, settings.detector, settings.profile)
        self._videos = Recorded(Pipeline(models.detector, models.classifier), self._looking, stop)
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
        frame_bgr = _only_picture(one) if one.source.is_live else read_image(one.path)
        first, last = self._pictures.process([frame_item(frame_bgr, 0.0, b"", self._looking), end_item(b"")])
        result = analysed(first)
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
            write_picture(path, encode_jpeg(frame_bgr, _ANNOTATED_QUALITY))
            finding.files = [str(path), str(timeline.json_path), str(timeline.csv_path)]
        self._show(frame_bgr, wait=True)

    def _video(self, one: Input, finding: Finding) -> None:
        """Look at a video or stream; whatever ends it, what was found until then is written and counted."""
        is_stream = one.kind is InputKind.STREAM
        with (
            open_source(one.source, width=None, fps=_STREAM_FPS if is_stream else None) as source,
            ExitStack() as files,
        ):
            run = _VideoRun(film_fps(source, self._settings.every), finding)
            try:
                self._frames(one, source, run, files, 1 if is_stream else MOST_BATCH)
                if not is_stream and not self._stop.requested:
                    check_whole(source, run.place.read_s, one.shown)
            except MaskwatchError as error:
                finding.error = str(error)
            finding.people.update(self._videos.finish(run.place))
            if self._stop.requested and not is_stream and not self.was_quit:
                finding.error = finding.error or "stopped before its end"
            if run.timeline is not None:
                run.timeline.finish(finding)

    def _frames(self, one: Input, source: FrameSource, run: _VideoRun, files: ExitStack, most: int) -> None:
        expected = source.frames_expected
        total = None if expected is None else -(-expected // self._settings.every)
        with tqdm(total=total, unit="frame", desc=one.shown[-40:], disable=None, leave=False) as bar:
            for looks in self._videos.looks(source, run.place, most):
                for frame, result in looks:
                    run.finding.add(result, frame.media_time_s)
                    if self._settings.out is not None or self._window is not None:
                        annotate(frame.frame_bgr, result)
                    if self._settings.out is not None:
                        self._keep(one, source, frame, result, run, files)
                    self._show(frame.frame_bgr)
                    bar.update()

    def _keep(
        self, one: Input, source: FrameSource, frame: MediaFrame, result: FrameResult, run: _VideoRun, files: ExitStack
    ) -> None:
        """Write one annotated frame; the files are made with the first."""
        assert self._settings.out is not None
        if run.timeline is None or run.film is None:
            stem = stem_for(one, self._stems)
            path = self._settings.out / f"{stem}.annotated.mp4"
            run.film = files.enter_context(Film(path, frame.size_wh, run.fps))
            run.timeline = files.enter_context(self._timeline(stem, one, frame.size_wh, source.duration_s))
            run.finding.files = [str(path), str(run.timeline.json_path), str(run.timeline.csv_path)]
        run.timeline.add(result, frame.media_time_s)
        run.film.write(frame.frame_bgr, frame.media_time_s)

    def _timeline(self, stem: str, one: Input, size_wh: tuple[int, int], duration_s: float | None = None) -> Timeline:
        assert self._settings.out is not None
        facts = timeline_facts(self._models, self._looking, size_wh, duration_s)
        return Timeline(self._settings.out, stem, about(one, **facts))

    def _show(self, frame_bgr: UInt8Array, *, wait: bool = False) -> None:
        if self._window is not None and not self._window.show(frame_bgr, wait=wait):
            self.was_quit = True
            self._stop.request()


def _only_picture(one: Input) -> UInt8Array:
    """Fetch the picture at an address: (H, W, 3) uint8 BGR.

    Raises:
        SourceError: if there is none.
    """
    with open_source(one.source, width=None) as source:
        frame = source.read()
    if frame is None:
        raise SourceError(f"{one.shown}: holds no picture")
    return frame.frame_bgr


def film_fps(source: FrameSource, every: int) -> float:
    """Return how many pictures a second an annotated video has, of which one picture in so many is analysed."""
    return max(0.5, (source.fps or _STREAM_FPS) / every)


def timeline_facts(
    models: WorkerModels, looking: Looking, size_wh: tuple[int, int], duration_s: float | None = None
) -> dict[str, Any]:
    """Return what a timeline's JSON file says of how it came about.

    Args:
        models: that were asked.
        looking: how the pictures were looked at.
        size_wh: of the pictures.
        duration_s: of a video, where it is known.
    """
    return {
        "width": size_wh[0],
        "height": size_wh[1],
        "duration_s": duration_s,
        "model": models.classifier.name,
        "engine": models.engine.value,
        "detector": looking.detector,
        "detector_model": models.detector(looking.detector).model,
        "profile": looking.profile.value,
        "every": looking.every,
    }


class _VideoRun:
    """What goes on from batch to batch of one video."""

    def __init__(self, fps: float, finding: Finding) -> None:
        self.fps = fps
        self.finding = finding
        self.place = Place()
        self.timeline: Timeline | None = None
        self.film: Film | None = None


def write_picture(path: Path, data: bytes) -> None:
    """Write a file, or leave none behind.

    Args:
        path: of the file; replaced if it is there.
        data: all of it.

    Raises:
        SourceError: if it can't be written.
    """
    try:
        with path.open("wb") as file:
            try:
                file.write(data)
                file.flush()
            except OSError:
                path.unlink()  # half a picture would look like one
                raise
    except OSError as error:
        raise SourceError(f"{path}: can't be written: {error.strerror}") from error
