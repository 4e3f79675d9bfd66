"""One video of a job: annotated part by part, each part on the disk before its place is written down."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from maskwatch.errors import JobError, SourceError
from maskwatch.media import FrameSource, MediaFrame, open_source
from maskwatch.render import annotate
from maskwatch.types import FrameResult
from workers.detect import film_fps, timeline_facts
from workers.film import Film
from workers.findings import Timeline, about
from workers.inputs import Input
from workers.jobs.checkpoint import VideoPlace
from workers.jobs.context import Interrupted, JobContext
from workers.jobs.join import join_parts
from workers.models import WorkerModels
from workers.pipeline import Pipeline
from workers.recorded import Looking, Recorded, check_whole

__all__ = ["VideoWork", "has_parts", "output_folder"]

_STEM = "timeline"


def output_folder(folder: Path, number: int) -> Path:
    """Return where the files about one of a job's inputs are; `folder` is the job's."""
    return folder / "out" / f"{number:05d}"


def has_parts(folder: Path, place: VideoPlace) -> bool:
    """Return whether the finished parts of a video are there, as far as its place says."""
    return all(_part(folder, number).is_file() for number in range(1, place.parts + 1))


def _part(folder: Path, number: int) -> Path:
    return folder / f"part-{number:06d}.mp4"


class VideoWork:
    """Looks at one video, from its beginning or from where an earlier attempt stood.

    Args:
        job: with the limits, and with the wish to end.
        models: loaded.
        looking: how.
        folder: for the files about it.
    """

    def __init__(self, job: JobContext, models: WorkerModels, looking: Looking, folder: Path) -> None:
        self._job = job
        self._models = models
        self._looking = looking
        self._folder = folder
        self._recorded = Recorded(Pipeline(models.detector, models.classifier), looking, job.stop)
        self._film: Film | None = None
        self._timeline: Timeline | None = None

    def run(
        self,
        one: Input,
        current: VideoPlace,
        tell: Callable[[float | None], None],
        saved: Callable[[VideoPlace], None],
        every_s: float,
    ) -> None:
        """Look at it to its end; where it breaks off, what was found until there is kept and `finding` says why.

        Args:
            one: the video.
            current: where to begin; moves on.
            tell: is told how far it is, and may end it.
            saved: writes the place down.
            every_s: how often.

        Raises:
            SourceError: if it can't be opened.
            JobError: if it is too long, or files can't be written.
            Interrupted: if the process is to end; the place is written down.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        for part in self._folder.glob("part-*.mp4"):
            if part > self._part(current.parts):  # unfinished, or made after the place was written down
                part.unlink()
        try:
            with open_source(one.source, width=None) as source:
                self._check_length(source, one)
                try:
                    self._pictures(one, source, current, tell, saved, every_s)
                    check_whole(source, current.place.read_s, one.shown)
                except (SourceError, JobError) as error:
                    current.finding.error = str(error)
            self._finish(current)
        finally:
            self._close()

    def _pictures(
        self,
        one: Input,
        source: FrameSource,
        current: VideoPlace,
        tell: Callable[[float | None], None],
        saved: Callable[[VideoPlace], None],
        every_s: float,
    ) -> None:
        fps, expected = film_fps(source, self._looking.every), source.frames_expected
        due_s = time.monotonic() + every_s
        for looks in self._recorded.looks(source, current.place):
            for frame, result in looks:
                self._check_picture(frame, one)
                self._add(one, source, frame, result, current, fps)
            if self._job.stop.requested or time.monotonic() >= due_s:
                self._mark(current)
                saved(current)
                due_s = time.monotonic() + every_s
            tell(min(1.0, current.place.read / expected) if expected else None)
        if self._job.stop.requested:
            self._mark(current)
            saved(current)
            raise Interrupted

    def _add(
        self, one: Input, source: FrameSource, frame: MediaFrame, result: FrameResult, current: VideoPlace, fps: float
    ) -> None:
        """Write one analysed picture; the files are made with the first, or with the first after an interruption."""
        time_s = frame.media_time_s
        current.finding.add(result, time_s)
        current.people.add(result, time_s)
        if current.size_wh == (0, 0):
            current.size_wh = frame.size_wh
        if self._timeline is None:
            facts = timeline_facts(self._models, self._looking, current.size_wh, source.duration_s)
            self._timeline = Timeline(self._folder, _STEM, about(one, **facts), current.timeline)
        if self._film is None:
            self._film = Film(self._part(current.parts + 1), current.size_wh, fps, current.written)
        annotate(frame.frame_bgr, result)
        self._timeline.add(result, time_s)
        self._film.write(frame.frame_bgr, time_s)

    def _mark(self, current: VideoPlace) -> None:
        """Bring everything to the disk, so that `current` is true of it."""
        if self._timeline is not None:
            current.timeline = self._timeline.mark()
        if self._film is not None:
            film, self._film = self._film, None
            film.close()
            path = self._part(current.parts + 1)
            if film.pictures == 0:  # each came before its time
                path.unlink()
                return
            with path.open("rb") as file:
                os.fsync(file.fileno())
            current.parts += 1
            current.written = film.written

    def _finish(self, current: VideoPlace) -> None:
        current.finding.people.update(self._recorded.finish(current.place))
        self._mark(current)
        if self._timeline is None or current.parts == 0:
            return
        self._timeline.finish(current.finding)
        path = self._folder / "annotated.mp4"
        parts = [self._part(number) for number in range(1, current.parts + 1)]
        join_parts(parts, path)
        for part in parts:
            part.unlink()
        current.finding.files = [str(path), str(self._timeline.json_path), str(self._timeline.csv_path)]

    def _close(self) -> None:
        for file in (self._film, self._timeline):
            if file is not None:
                file.close()
        self._film = self._timeline = None

    def _part(self, number: int) -> Path:
        return _part(self._folder, number)

    def _check_length(self, source: FrameSource, one: Input) -> None:
        most = self._job.settings.jobs.most_minutes
        if source.duration_s is not None and source.duration_s > 60 * most:
            raise JobError(
                f"{one.shown}: {source.duration_s / 60:.1f} minutes, expected at most {most:g}; see jobs.most_minutes"
            )

    def _check_picture(self, frame: MediaFrame, one: Input) -> None:
        """Check what a file's header needn't tell truly."""
        limits = self._job.settings.jobs
        width, height = frame.size_wh
        if width * height > limits.most_pixels:
            raise JobError(
                f"{one.shown}: {width}x{height} pixels, expected at most {limits.most_pixels}; see jobs.most_pixels"
            )
        if frame.media_time_s > 60 * limits.most_minutes:
            raise JobError(f"{one.shown}: longer than {limits.most_minutes:g} minutes; see jobs.most_minutes")
