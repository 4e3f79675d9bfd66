"""`bench classic`: the loop of the well-known mask detector scripts, written anew as the baseline.

One frame at a time: OpenCV's res10 SSD at 300 px, each face cut, resized to 224 px and scaled, then one
`model.predict` over the faces of the frame. TensorFlow is imported here and nowhere else in the benchmark.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.errors import EngineUnavailable
from maskwatch.media import decode_jpeg
from workers.bench.boxes import exactly
from workers.bench.figures import frame_figures
from workers.bench.helpers import helpers, pick_cores
from workers.bench.pictures import load_jpegs, write_jpegs

__all__ = ["ClassicBench", "classic_job", "run_classic"]

SIZE_PX = 224
_DETECTOR_PX = 300
_MEAN_BGR = (104.0, 177.0, 123.0)
_STAGES = ("decode", "detect", "classify")


@dataclass(frozen=True, slots=True)
class ClassicBench:
    """What is measured; as in `PipelineBench`."""

    source: str
    faces: int | None
    seconds: float
    cores: int
    fps: float = 5.0


def run_classic(bench: ClassicBench) -> dict[str, Any]:
    """Measure and return the figures.

    Raises:
        EngineUnavailable: if TensorFlow isn't installed.
        ModelError: if the SSD's files aren't installed.
        ConfigError, SourceError, MaskwatchError: as `run_pipeline`.
    """
    from models.detectors.ssd import find_ssd_files

    find_ssd_files()
    if find_spec("tensorflow") is None:
        raise EngineUnavailable("bench classic: TensorFlow isn't installed; run: pip install 'maskwatch[train,ssd]'")
    cores = pick_cores(bench.cores)
    with TemporaryDirectory(prefix="maskwatch-bench-") as folder:
        pictures = write_jpegs([bench.source], Path(folder), bench.fps)
        job = {"job": "classic", "folder": folder, **asdict(bench)}
        with helpers([job] * bench.cores, cores) as running:
            running.go()
            results = running.results(bench.seconds)
    return {**frame_figures(results, fps_digits=2), "pictures": pictures, "of": "ms a frame"}


def classic_job(spec: Mapping[str, Any], wait_for_start: Callable[[], None]) -> dict[str, Any]:
    """Run in a process of its own: the loop, for some seconds.

    Args:
        spec: the fields of `ClassicBench`, and the `folder` of the JPEGs.
        wait_for_start: called once everything is warm.

    Returns:
        frames, seconds, faces, frame_ms and stage_ms (a value a frame).

    Raises:
        ModelError: if the SSD's files can't be used.
    """
    loop = _Loop(spec["faces"])
    jpegs = load_jpegs(Path(spec["folder"]))
    for jpeg in jpegs[:2]:
        loop.frame(jpeg)
    loop.reset()
    wait_for_start()
    began_s = time.perf_counter()
    number = 0
    while (seconds := time.perf_counter() - began_s) < spec["seconds"] or number == 0:
        loop.frame(jpegs[number % len(jpegs)])
        number += 1
    frame_ms = [sum(parts) for parts in zip(*loop.stage_ms.values(), strict=True)]
    return {
        "frames": number, "seconds": seconds, "faces": loop.faces, "frame_ms": frame_ms, "stage_ms": loop.stage_ms,
    }  # fmt: skip


class _Loop:
    """The two networks, and what one frame costs."""

    def __init__(self, faces: int | None) -> None:
        import keras

        from models.detectors.ssd import find_ssd_files

        cv2.setNumThreads(1)
        self._keras = keras
        self._wanted = faces
        self._detector = cv2.dnn.readNetFromCaffe(*(np.frombuffer(data, np.uint8) for data in find_ssd_files()))
        self._classifier = _build(keras)
        self.reset()

    def reset(self) -> None:
        """Forget what was measured so far."""
        self.faces = 0
        self.stage_ms: dict[str, list[float]] = {name: [] for name in _STAGES}

    def frame(self, jpeg: bytes) -> None:
        """Analyse one frame."""
        marks = [time.perf_counter()]
        frame_bgr = decode_jpeg(jpeg)
        marks.append(time.perf_counter())
        boxes = self._detect(frame_bgr)
        marks.append(time.perf_counter())
        if len(boxes):
            faces = np.stack([self._cut(frame_bgr, box) for box in boxes])
            self._classifier.predict(faces, batch_size=32, verbose=0)
        marks.append(time.perf_counter())
        self.faces += len(boxes)
        for name, before_s, after_s in zip(_STAGES, marks, marks[1:], strict=False):
            self.stage_ms[name].append((after_s - before_s) * 1000)

    def _detect(self, frame_bgr: UInt8Array) -> list[tuple[float, float, float, float]]:
        from maskwatch.types import Detection

        height, width = frame_bgr.shape[:2]
        blob = cv2.dnn.blobFromImage(frame_bgr, 1.0, (_DETECTOR_PX, _DETECTOR_PX), _MEAN_BGR)
        self._detector.setInput(blob)
        rows = np.asarray(self._detector.forward(), np.float32).reshape(-1, 7)
        scale = np.array([width, height, width, height], np.float32)
        found = []
        for row in rows[rows[:, 2] > 0.5]:
            left, top, right, bottom = np.clip(row[3:7] * scale, 0, scale).tolist()
            if right - left >= 1 and bottom - top >= 1:
                found.append(Detection((left, top, right, bottom), float(row[2])))
        kept = tuple(found) if self._wanted is None else exactly(self._wanted, found, (width, height))
        return [one.box_xyxy for one in kept]

    def _cut(self, frame_bgr: UInt8Array, box: Sequence[float]) -> Float32Array:
        height, width = frame_bgr.shape[:2]
        left, top = max(0, int(box[0])), max(0, int(box[1]))
        right, bottom = min(width, max(left + 1, int(box[2]))), min(height, max(top + 1, int(box[3])))
        face = cv2.cvtColor(frame_bgr[top:bottom, left:right], cv2.COLOR_BGR2RGB)
        face = cv2.resize(face, (SIZE_PX, SIZE_PX))
        scaled = self._keras.applications.mobilenet_v2.preprocess_input(face.astype(np.float32))
        return np.asarray(scaled, np.float32)


def _build(keras: Any) -> Any:
    """Return the scripts' network; its weights are random, which costs the same time."""
    base = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(SIZE_PX, SIZE_PX, 3))
    head = keras.layers.AveragePooling2D(pool_size=(7, 7))(base.output)
    head = keras.layers.Flatten()(head)
    head = keras.layers.Dense(128, activation="relu")(head)
    head = keras.layers.Dropout(0.5)(head)
    return keras.Model(base.input, keras.layers.Dense(2, activation="softmax")(head))
