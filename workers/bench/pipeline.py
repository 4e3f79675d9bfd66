"""`bench pipeline`: frames a second of one core through `workers.pipeline`, called as the live worker calls it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from maskwatch.broker.messages import TakenKind
from maskwatch.errors import MaskwatchError
from maskwatch.media import encode_jpeg
from maskwatch.render import annotate
from maskwatch.types import Profile
from models.manifest import EngineName
from workers.bench.boxes import CountingClassifier, ExactFaces
from workers.bench.figures import frame_figures, quantile
from workers.bench.helpers import helpers, pick_cores
from workers.bench.parity import parity_with_litert
from workers.bench.pictures import back_and_forth, load_jpegs, write_jpegs
from workers.models import load_models
from workers.pipeline import Pipeline, PipelineItem, PipelineOptions, PipelineOutput
from workers.relook import RelookOptions

__all__ = ["PipelineBench", "pipeline_job", "run_pipeline"]

_RENDERED = 40
_WARM_BATCHES = 2
_LEAST_BATCHES = 5
_SETTLING_BATCHES = 20
"""With --settled: time for verdicts to form before the clock starts."""


@dataclass(frozen=True, slots=True)
class PipelineBench:
    """What is measured.

    Attributes:
        source: a video or a folder of pictures.
        faces: boxes classified in each frame; None: those that the detector finds.
        seconds: for how long.
        cores: processes, each pinned to a core of its own.
        profile: of the detector.
        engine: what runs the networks.
        detector: name of the face detector.
        batch: frames of as many cameras in one call.
        fps: of the film's own time: how far the frames of a camera are apart.
        settled: whether the tracker may skip what is known.
    """

    source: str
    faces: int | None
    seconds: float
    cores: int
    profile: str = "accurate"
    engine: str = "litert"
    detector: str = "maskwatch"
    batch: int = 8
    fps: float = 5.0
    settled: bool = False


def run_pipeline(bench: PipelineBench) -> dict[str, Any]:
    """Measure and return the figures; see docs/performance.md for their meaning.

    Raises:
        ConfigError: if there are fewer cores.
        SourceError: if the source can't be read.
        MaskwatchError: if a helper process fails.
    """
    cores = pick_cores(bench.cores)
    with TemporaryDirectory(prefix="maskwatch-bench-") as folder:
        pictures = write_jpegs([bench.source], Path(folder), bench.fps)
        job = {"job": "pipeline", "folder": folder, **asdict(bench)}
        with helpers([job] * bench.cores, cores) as running:
            running.go()
            results = running.results(bench.seconds)
    return _figures(bench, pictures, results)


def _figures(bench: PipelineBench, pictures: int, results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        **frame_figures(results, fps_digits=1),
        "render_ms": round(quantile([value for result in results for value in result["render_ms"]], 0.5), 3),
        "pictures": pictures,
        "engine": results[0]["engine"],
        "models": {"classifier": results[0]["classifier"], "detector": bench.detector},
        **({"parity": results[0]["parity"]} if results[0]["parity"] else {}),
        "of": "ms a frame, one value a batch",
    }


def pipeline_job(spec: Mapping[str, Any], wait_for_start: Callable[[], None]) -> dict[str, Any]:
    """Run in a process of its own, pinned: analyse frames for some seconds.

    Args:
        spec: the fields of `PipelineBench`, and the `folder` of the JPEGs.
        wait_for_start: called once everything is warm.

    Returns:
        frames, seconds, faces, frame_ms and stage_ms (a value a batch, per frame), render_ms, engine, classifier, and
        the engine's parity with LiteRT, None where that was measured itself.

    Raises:
        ModelError: if the models can't be loaded or fail.
        MaskwatchError: if another number of faces was classified than was asked for.
    """
    run = _Run(spec)
    for _ in range(_SETTLING_BATCHES if spec["settled"] else _WARM_BATCHES):
        run.step()
    run.reset()
    wait_for_start()
    began_s = time.perf_counter()
    while (seconds := time.perf_counter() - began_s) < spec["seconds"] or len(run.times.frame_ms) < _LEAST_BATCHES:
        run.step()
    frames = len(run.times.frame_ms) * spec["batch"]
    if spec["faces"] is not None and not spec["settled"] and run.classifier.faces != frames * spec["faces"]:
        raise MaskwatchError(
            f"bench pipeline: expected {spec['faces']} faces in each of {frames} frames, "
            f"classified {run.classifier.faces}; give a --source with fewer or smaller faces"
        )
    return {
        "frames": frames,
        "seconds": seconds,
        "faces": run.classifier.faces,
        "frame_ms": run.times.frame_ms,
        "stage_ms": run.times.stage_ms,
        "render_ms": run.rendering_ms(),
        "engine": run.engine,
        "classifier": run.classifier.name,
        "parity": run.parity(),
    }


@dataclass(slots=True)
class _Times:
    """Milliseconds per frame, one value a batch."""

    batch: int
    frame_ms: list[float] = field(default_factory=list)
    stage_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage of a batch."""
        began_s = time.perf_counter()
        yield
        self.stage_ms[name].append((time.perf_counter() - began_s) / self.batch * 1000)


class _Run:
    """As many cameras as a batch has frames, all showing one film from different places on."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        batch, profile = spec["batch"], Profile(spec["profile"])
        models = self._models = load_models(
            spec["engine"], "none", batch=batch, detectors=[spec["detector"]], profiles=[profile]
        )
        faces = spec["faces"]
        self.engine = str(models.engine)
        self.classifier = CountingClassifier(models.classifier)
        self.times = _Times(batch)
        self._profile = profile
        self._detector = spec["detector"]
        self._fps = spec["fps"]
        self._jpegs = load_jpegs(Path(spec["folder"]))
        self._places = [back_and_forth(len(self._jpegs), at * len(self._jpegs) // batch) for at in range(batch)]
        self._states = [b""] * batch
        self._number = 0
        self._outputs: list[PipelineOutput] = []
        self._pipeline = Pipeline(
            lambda name: models.detector(name) if faces is None else ExactFaces(models.detector(name), faces),
            self.classifier,
            _options(faces, spec["settled"]),
            lambda name: self.times.stage(name),
        )

    def step(self) -> None:
        """Analyse one frame of each camera."""
        items = [
            PipelineItem(
                camera=f"camera-{at}",
                epoch="bench",
                kind=TakenKind.FRAME,
                media_time_s=self._number / self._fps,
                jpeg=self._jpegs[next(places)],
                state=self._states[at],
                detector=self._detector,
                profile=self._profile,
            )
            for at, places in enumerate(self._places)
        ]
        self._number += 1
        began_s = time.perf_counter()
        self._outputs = self._pipeline.process(items)
        self.times.frame_ms.append((time.perf_counter() - began_s) / len(items) * 1000)
        self._states = [output.state for output in self._outputs]

    def reset(self) -> None:
        """Forget what was measured so far."""
        self.times = _Times(len(self._states))
        self.classifier.faces = 0

    def parity(self) -> dict[str, Any] | None:
        """Compare with LiteRT on the last batch, unless that was measured."""
        if self._models.engine is EngineName.LITERT:
            return None
        frames = [output.frame_bgr for output in self._outputs if output.frame_bgr is not None]
        return parity_with_litert(self._models, self.classifier.last_rgb, frames, self._detector, self._profile)

    def rendering_ms(self) -> list[float]:
        """Draw and encode the last frames as the site does for somebody who watches, and return ms for each."""
        taken = []
        for number in range(_RENDERED):
            output = self._outputs[number % len(self._outputs)]
            assert output.frame_bgr is not None
            began_s = time.perf_counter()
            picture = output.frame_bgr.copy()
            annotate(picture, output.result)
            encode_jpeg(picture)
            taken.append((time.perf_counter() - began_s) * 1000)
        return taken


def _options(faces: int | None, settled: bool) -> PipelineOptions:
    """Return options with which a box that was asked for is classified, however little is to be seen in it."""
    relook = RelookOptions() if settled else None
    return PipelineOptions(relook=relook) if faces is None else PipelineOptions(
        min_face_px=1.0, min_sharpness=-1.0, relook=relook
    )  # fmt: skip
