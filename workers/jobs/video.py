"""Recorded material as a job: every picture through the same code as `maskwatch detect`, with a place to go on from."""

from __future__ import annotations

import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av

from maskwatch import __version__
from maskwatch.errors import JobError, SourceError
from maskwatch.files import read_file
from maskwatch.jobs import JobResult, VideoSpec
from maskwatch.media.header import image_size
from maskwatch.types import Verdict
from models.store import ModelStore
from workers.detect import Detect, DetectSettings
from workers.findings import Finding
from workers.inputs import Input, InputKind
from workers.jobs.checkpoint import Checkpoint, VideoPlace
from workers.jobs.context import JobContext, Outcome
from workers.jobs.footage import inputs_of
from workers.jobs.people import People, write_people
from workers.jobs.summary import write_summary
from workers.jobs.videowork import VideoWork, has_parts, output_folder
from workers.models import WorkerModels, load_models
from workers.recorded import Looking

__all__ = ["do_video"]

_MOST_PROBLEMS = 20
_MOST_PICTURE_BYTES = 512 << 20
CHECKPOINT_EVERY_S = 3.0
"""What a death costs, at most; each is a new key frame in the video and some file writes."""


def do_video(job: JobContext) -> Outcome:
    """Look at an upload, or at a file or folder below the allowed ones.

    Raises:
        JobError: if it can't be read at all, or is beyond the limits.
        ModelError: if a model can't be used.
        BlobError: if a result can't be kept.
        Cancelled, Interrupted: as `JobContext.tell`.
    """
    spec = VideoSpec.read(job.view.spec)
    job.make_folder()
    inputs = inputs_of(job, spec)
    looking = Looking(spec.every, spec.detector, spec.profile)
    models = load_models(
        job.settings.worker.engine, job.settings.worker.engine_fallback, batch=1, detectors=[spec.detector],
        profiles=[spec.profile], store=ModelStore(job.settings.models_folder),
    )  # fmt: skip
    about = {
        "version": __version__, "av": av.__version__, "spec": spec.as_dict(),
        "models": [label for _, label in models.spoken()], "inputs": [str(one.path) for one in inputs],
    }  # fmt: skip
    checkpoint = Checkpoint(job.folder, about)
    checkpoint.load()
    _Work(job, looking, models, checkpoint).run(inputs)
    return _outcome(job, inputs, checkpoint.done, models, looking)


class _Work:
    """Goes through the inputs from where an earlier attempt stood."""

    def __init__(self, job: JobContext, looking: Looking, models: WorkerModels, checkpoint: Checkpoint) -> None:
        self._job = job
        self._looking = looking
        self._models = models
        self._checkpoint = checkpoint
        self._saved_s = time.monotonic()

    def run(self, inputs: list[Input]) -> None:
        """Look at what isn't done yet.

        Raises:
            JobError: if the only input can't be looked at at all.
        """
        for number in range(len(self._checkpoint.done), len(inputs)):
            one = inputs[number]

            def tell(share: float | None, number: int = number) -> None:
                self._job.tell(None if share is None else (number + share) / len(inputs))

            if len(inputs) > 1:
                tell(0.0)
            current = self._begun(one, number)
            try:
                if one.kind is InputKind.IMAGE:
                    self._picture(one, number, current)
                else:
                    self._video(one, number, current, tell)
            except (SourceError, JobError) as error:
                current.finding.error = str(error)
            if len(inputs) == 1 and current.finding.error and not current.finding.frames:
                raise JobError(current.finding.error)
            self._checkpoint.done.append(current)
            self._checkpoint.current = None
            self._save(is_needed=one.kind is InputKind.VIDEO)

    def _begun(self, one: Input, number: int) -> VideoPlace:
        """Return where to go on with an input, which is its beginning where parts have gone missing."""
        current = self._checkpoint.current
        if current is not None and has_parts(output_folder(self._job.folder, number), current):
            return current
        return VideoPlace(Finding(one.shown, one.kind.value))

    def _picture(self, one: Input, number: int, current: VideoPlace) -> None:
        data = read_file(one.path, _MOST_PICTURE_BYTES, "expected a picture", error=SourceError)
        width, height = image_size(data, one.shown)
        most = self._job.settings.jobs.most_pixels
        if width * height > most:
            raise JobError(f"{one.shown}: {width}x{height} pixels, expected at most {most}; see jobs.most_pixels")
        folder = output_folder(self._job.folder, number)
        settings = DetectSettings(folder, 1, self._looking.detector, self._looking.profile)
        (finding,) = Detect(self._models, settings, self._job.stop).run([one])
        if finding.error:
            raise SourceError(finding.error)
        current.finding = finding
        seen = [(row["track"], 0.0, 0.0, 1, row["verdict"]) for row in finding.seen]
        current.people = People.of(seen)

    def _video(self, one: Input, number: int, current: VideoPlace, tell: Callable[[float | None], None]) -> None:
        work = VideoWork(self._job, self._models, self._looking, output_folder(self._job.folder, number))

        def saved(place: VideoPlace) -> None:
            self._checkpoint.current = place
            self._save(is_needed=True)

        work.run(one, current, tell, saved, CHECKPOINT_EVERY_S)

    def _save(self, *, is_needed: bool) -> None:
        if is_needed or time.monotonic() - self._saved_s >= CHECKPOINT_EVERY_S:
            self._checkpoint.save()
            self._saved_s = time.monotonic()


def _outcome(
    job: JobContext, inputs: list[Input], done: list[VideoPlace], models: WorkerModels, looking: Looking
) -> Outcome:
    """Put what was made among the results."""
    made = [place for place in done if place.finding.files]
    names = [one.shown for one in inputs]
    people, page = job.folder / "people.csv", job.folder / "summary.html"
    write_people(people, [(name, place.people) for name, place in zip(names, done, strict=True)])
    summary = _summary(done, models, looking)
    write_summary(page, job.view.title, summary, done)
    results: list[JobResult] = []
    if len(done) == 1 and made:
        annotated, timeline_json, timeline_csv = (Path(one) for one in made[0].finding.files)
        is_video = annotated.suffix == ".mp4"
        results.append(job.keep(f"annotated{annotated.suffix}", annotated, "video/mp4" if is_video else "image/jpeg"))
        results.append(job.keep("timeline.csv", timeline_csv, "text/csv"))
        results.append(job.keep("result.json", timeline_json, "application/json"))
    elif made:
        results.append(job.keep("annotated.zip", _packed(job.folder, names, done), "application/zip"))
    results.append(job.keep("people.csv", people, "text/csv"))
    results.append(job.keep("summary.html", page, "text/html"))
    problems = [place.finding.error for place in done if place.finding.error]
    # One of many that can't be read is told in the summary; a job has failed when all have, or when there was but one.
    return Outcome(tuple(results), summary, problems[0] if problems and len(problems) == len(done) else "")


def _summary(done: list[VideoPlace], models: WorkerModels, looking: Looking) -> dict[str, Any]:
    people: Counter[Verdict] = sum((place.finding.people for place in done), Counter())
    known = sum(count for verdict, count in people.items() if verdict is not Verdict.UNKNOWN)
    problems = [f"{place.finding.shown}: {place.finding.error}" for place in done if place.finding.error]
    return {
        "people": {verdict.value: people[verdict] for verdict in Verdict},
        "compliance": round(people[Verdict.WITH_MASK] / known, 4) if known else None,
        "inputs": len(done),
        "frames": sum(place.finding.frames for place in done),
        "frames_with_people": sum(place.finding.frames_with_people for place in done),
        "seconds": round(sum(place.finding.duration_s for place in done), 1),
        "every": looking.every,
        "profile": looking.profile.value,
        "model": models.classifier.name,
        "detector": models.detector(looking.detector).model,
        "problems": problems[:_MOST_PROBLEMS],
    }


def _packed(folder: Path, names: list[str], done: list[VideoPlace]) -> Path:
    """Write a ZIP file of everything, not compressed: pictures and videos are already."""
    path = folder / "annotated.zip"
    taken: set[str] = set()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number, (name, place) in enumerate(zip(names, done, strict=True)):
            stem = Path(name).stem
            stem = f"{stem}-{number}" if stem in taken else stem
            taken.add(stem)
            for file in place.finding.files:
                kind = Path(file).suffix
                archive.write(file, f"{stem}{'.annotated' if kind in ('.mp4', '.jpg') else ''}{kind}")
    return path
