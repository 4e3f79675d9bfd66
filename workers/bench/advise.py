"""`bench advise`: how many of the configured cameras this machine holds, from stages that are measured here."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from maskwatch.errors import ConfigError, SourceError
from maskwatch.media import encode_jpeg, open_source
from maskwatch.settings import CameraSettings, Settings, Source, SourceKind
from workers.bench.broker import BrokerBench, run_broker
from workers.bench.clips import moving_pattern, write_clip
from workers.bench.facts import usable_cores
from workers.bench.figures import summarise
from workers.bench.pictures import SIZE_WH
from workers.bench.pipeline import PipelineBench, run_pipeline

__all__ = ["CameraCost", "advise", "conclusion"]

_USABLE = 0.85
"""Of the cores: the rest is for the site, for Redis' own housekeeping and for the system."""
_ASSUMED = {
    SourceKind.RTSP: ((1920, 1080), 25),
    SourceKind.URL: ((1280, 720), 25),
    SourceKind.WEBCAM: ((1280, 720), 30),
    SourceKind.VIDEO: ((1920, 1080), 25),
    SourceKind.FOLDER: ((1280, 720), 5),
}
"""Size and frames a second of a source that doesn't answer."""
_CLIP_S = 2
_PATTERNS = 20
_WORKER_STAGES = ("decode", "detect", "track", "classify", "verdict")


@dataclass(frozen=True, slots=True)
class CameraCost:
    """What one camera costs.

    Attributes:
        name: of the camera.
        size_wh: of its source in pixels.
        assumed: whether the source didn't answer, so that a film of a usual size was measured in its place.
        cores: by stage, seconds of a core for each second of the camera.
    """

    name: str
    size_wh: tuple[int, int]
    assumed: bool
    cores: Mapping[str, float]

    @property
    def total(self) -> float:
        """Of all stages."""
        return sum(self.cores.values())


def advise(settings: Settings, seconds: float, faces: int = 1) -> dict[str, Any]:
    """Measure every stage and say how many cameras fit.

    Args:
        settings: whose enabled cameras are looked at.
        seconds: for each measurement.
        faces: in each frame, on the average.

    Raises:
        ConfigError: if no camera is enabled.
        MaskwatchError: if a stage can't be measured.
    """
    cameras = {name: camera for name, camera in settings.cameras.items() if camera.enabled}
    if not cameras:
        raise ConfigError("bench advise: no enabled camera in the configuration; add some under cameras:")
    with TemporaryDirectory(prefix="maskwatch-bench-") as folder:
        work = {
            key: _worker_ms(Path(folder), key[0], key[1], faces, seconds)
            for key in sorted({(camera.detector, str(camera.profile)) for camera in cameras.values()})
        }
        queue_ms = _queue_ms(seconds)
        readers = _Readers(Path(folder), seconds)
        costs = []
        for name, camera in cameras.items():
            reading = readers.measure(camera, settings.base)
            costs.append(_cost(name, camera, reading, work[camera.detector, str(camera.profile)], queue_ms))
    per_frame = [sum(stages.values()) for stages in work.values()]
    return {
        **conclusion(costs, len(usable_cores())),
        "worker_ms": {f"{detector}, {profile}": stages for (detector, profile), stages in work.items()},
        "queue_ms": round(queue_ms, 3),
        "faces_assumed": faces,
        "of": "ms a frame in a worker, one value a detector and profile",
        **asdict(summarise(per_frame)),
    }


def conclusion(costs: Sequence[CameraCost], cores: int) -> dict[str, Any]:
    """Return how many of the cameras fit into so many cores, and which stage takes most of it.

    Where not all fit, those that fit are counted in the order of the configuration.
    """
    usable = _USABLE * cores
    total = sum(cost.total for cost in costs)
    left, holds = usable, 0
    for cost in costs:
        left -= cost.total
        if left < 0:
            break
        holds += 1
    stages: dict[str, float] = {}
    for cost in costs:
        for stage, used in cost.cores.items():
            stages[stage] = stages.get(stage, 0.0) + used
    limit = max(stages, key=lambda name: stages[name])
    return {
        "holds": holds,
        "of_cameras": len(costs),
        "limit": limit,
        "cores_needed": round(total, 3),
        "cores_usable": round(usable, 2),
        "such_cameras": int(usable / (total / len(costs))) if total else 0,
        "workers_needed": max(1, round(sum(used for name, used in stages.items() if name.startswith("worker")) + 0.5)),
        "cores_by_stage": {name: round(used, 4) for name, used in stages.items()},
        "cameras": [
            {
                "name": cost.name,
                "size": f"{cost.size_wh[0]}x{cost.size_wh[1]}",
                "assumed": cost.assumed,
                "cores": round(cost.total, 4),
            }
            for cost in costs
        ],
    }


def _cost(
    name: str, camera: CameraSettings, reading: _Reading, work_ms: Mapping[str, float], queue_ms: float
) -> CameraCost:
    cores = {"ingest: read and decode": reading.cores, "ingest: JPEG": reading.jpeg_ms / 1000 * camera.fps}
    cores["queue"] = queue_ms / 1000 * camera.fps
    cores |= {f"worker: {stage}": ms / 1000 * camera.fps for stage, ms in work_ms.items()}
    return CameraCost(name, reading.size_wh, reading.assumed, cores)


def _worker_ms(folder: Path, detector: str, profile: str, faces: int, seconds: float) -> dict[str, float]:
    """Return ms a frame by stage of a worker."""
    pictures = folder / "pattern"
    if not pictures.exists():
        pictures.mkdir()
        for number, picture in enumerate(moving_pattern(_PATTERNS, SIZE_WH)):
            (pictures / f"{number:04d}.jpg").write_bytes(encode_jpeg(picture))
    said = run_pipeline(PipelineBench(str(pictures), faces, seconds, 1, profile, detector=detector))
    return {stage: float(said["ms"].get(stage, 0.0)) for stage in _WORKER_STAGES}


def _queue_ms(seconds: float) -> float:
    """Return ms that a frame's way through the queue takes, producer, server and consumer together."""
    said = run_broker(BrokerBench(clients=(1,), seconds=seconds))
    (row,) = said["rows"]
    trips = row["round_trip_ms"]
    return float(trips["offer"]["p50"] + (trips["take"]["p50"] + trips["done"]["p50"]) / BrokerBench().batch)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What reading one camera costs: cores for decoding, ms a JPEG."""

    size_wh: tuple[int, int]
    assumed: bool
    cores: float
    jpeg_ms: float


class _Readers:
    """Reads each camera for some seconds, or a film that stands in for it."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._folder = folder
        self._seconds = seconds

    def measure(self, camera: CameraSettings, base: Path) -> _Reading:
        """Read a camera with the size and rate that it is analysed with."""
        source = camera.parsed(base)
        try:
            return self._read(camera, source, self._size(camera, source), assumed=False)
        except SourceError:
            size_wh, fps = _ASSUMED[source.kind]
            clip = self._folder / f"clip-{size_wh[0]}x{size_wh[1]}-{fps}.mp4"
            if not clip.exists():
                write_clip(clip, moving_pattern(_CLIP_S * fps, size_wh), size_wh, fps, _CLIP_S)
            return self._read(camera, Source(SourceKind.VIDEO, str(clip)), size_wh, assumed=True)

    def _size(self, camera: CameraSettings, source: Source) -> tuple[int, int]:
        """Return a source's own size; raises SourceError when it gives no picture."""
        with open_source(source, timeout_s=camera.timeout_s, transport=camera.transport, width=None) as opened:
            frame = opened.read()
        if frame is None:
            raise SourceError("no picture")
        return frame.size_wh

    def _read(self, camera: CameraSettings, source: Source, size_wh: tuple[int, int], *, assumed: bool) -> _Reading:
        cpu_s = media_s = jpeg_s = 0.0
        frames = 0
        ends_s = time.monotonic() + self._seconds
        while media_s == 0.0 or time.monotonic() < ends_s:
            with open_source(
                source, timeout_s=camera.timeout_s, transport=camera.transport, width=camera.width, fps=camera.fps
            ) as opened:
                before_s, last_s = time.process_time(), 0.0
                while (frame := opened.read()) is not None and (frames < 2 or time.monotonic() < ends_s):
                    last_s = frame.media_time_s
                    began_s = time.process_time()
                    encode_jpeg(frame.frame_bgr)
                    jpeg_s += time.process_time() - began_s
                    frames += 1
                cpu_s += time.process_time() - before_s
                # The last frame lasts as long as the others.
                media_s += last_s + 1.0 / camera.fps
        return _Reading(size_wh, assumed, max(0.0, cpu_s - jpeg_s) / media_s, jpeg_s * 1000 / max(1, frames))
