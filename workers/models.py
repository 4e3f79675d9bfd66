"""The models of one worker, loaded and warm before the first frame is taken."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from maskwatch.types import Profile
from models.classifier import MaskClassifier, load_classifier
from models.detectors import DETECTORS, Detector, load_detector
from models.engines import EngineName, choose_engine
from models.registry import Registry

__all__ = ["WorkerModels", "load_models"]

_WARM_SIZE_WH = (640, 360)


class WorkerModels:
    """A classifier, and detectors by name that are loaded when first wanted.

    Args:
        engine: what runs the networks.
        threads: inside one call.
        registry: where models are found; None takes the shipped ones.

    Raises:
        ModelError: if the classifier can't be used.
    """

    def __init__(self, engine: EngineName, threads: int = 1, registry: Registry | None = None) -> None:
        self.engine = engine
        self._threads = threads
        self._registry = registry
        self._detectors: dict[str, Detector] = {}
        self.classifier: MaskClassifier = load_classifier(engine, threads=threads, registry=registry)

    def detector(self, name: str) -> Detector:
        """Return the detector of a name.

        Raises:
            ConfigError: if there is none of that name.
            ModelError: if its files are missing or can't be used.
        """
        if name not in self._detectors:
            self._detectors[name] = load_detector(name, self.engine, threads=self._threads, registry=self._registry)
        return self._detectors[name]

    def warm_up(self, detectors: Iterable[str], profiles: Iterable[Profile], batch: int) -> None:
        """Run every network once in the batch sizes to come: the first run of each allocates or compiles.

        Raises:
            ConfigError, ModelError: as `detector`.
        """
        width, height = _WARM_SIZE_WH
        frame_bgr = np.zeros((height, width, 3), np.uint8)
        side = self.classifier.size_px
        sizes = [size for size in (1, 2, 4, 8, 16) if size <= batch]
        for name in detectors:
            for profile in profiles:
                for size in sizes:
                    self.detector(name).detect([frame_bgr] * size, profile)
        for size in sizes:
            self.classifier.classify(np.zeros((size, side, side, 3), np.uint8))


def load_models(
    engine: Literal["auto", "litert", "keras"] = "auto",
    fallback: Literal["litert", "none"] = "litert",
    *,
    threads: int = 1,
    batch: int = 8,
    detectors: Iterable[str] = (),
    profiles: Iterable[Profile] = (),
    models_dir: Path | None = None,
) -> WorkerModels:
    """Choose an engine, load what a worker needs and warm it up.

    Args:
        engine: what the owner asked for.
        fallback: what to take when it can't run.
        threads: inside one call of a network.
        batch: frames in one call, at most.
        detectors: names to load now; empty is the default one. Others are loaded when a frame wants them.
        profiles: to warm up; empty is the default one.
        models_dir: folder of models; None takes the shipped ones.

    Raises:
        ConfigError: if a detector's name is unknown.
        ModelError: if a model can't be used; EngineUnavailable: if no engine can run.
    """
    # OpenCV's threads would fight with those of the other workers: one process, one core.
    cv2.setNumThreads(threads)
    chosen = choose_engine(engine, fallback)
    models = WorkerModels(chosen, threads, Registry(models_dir) if models_dir else None)
    models.warm_up(list(detectors) or DETECTORS[:1], list(profiles) or [Profile.ACCURATE], batch)
    return models
