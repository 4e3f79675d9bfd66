"""The models of one worker, loaded and warm before the first frame is taken, and changed while it runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Literal

import cv2
import numpy as np
import structlog

from maskwatch.errors import ModelError
from maskwatch.memory import keep_freed_memory
from maskwatch.types import DETECTORS, Profile
from models.classifier import MaskClassifier
from models.detectors import Detector, load_detector
from models.detectors.face_network import FaceNetworkDetector
from models.engines import EngineName, choose_engine
from models.manifest import ModelKind
from models.registry import SHIPPED_ROOT
from models.store import ActiveModel, ModelStore
from models.trial import load_entry, try_model

__all__ = ["NetworkModel", "WorkerModels", "load_models"]

_WARM_SIZE_WH = (640, 360)

_WARM_BATCHES = {EngineName.LITERT: (4,), EngineName.KERAS: (1, 4, 16)}
"""LiteRT cuts every batch into calls of four faces or one frame at most; Keras compiles a function for each size."""

_OURS = DETECTORS[0]
"""The detector's name that stands for the active detector model."""

NetworkModel = MaskClassifier | FaceNetworkDetector
Refused = Callable[[ModelKind], None]


class WorkerModels:
    """A classifier, and detectors by name that are loaded when first wanted.

    Args:
        engine: what runs the networks.
        threads: inside one call.
        store: where models are found, and which are active; None takes the shipped ones.
        refused: is told of an active model that can't be used; the shipped one speaks in its place.

    Raises:
        ModelError: if the shipped classifier can't be used either.
    """

    def __init__(
        self,
        engine: EngineName,
        threads: int = 1,
        store: ModelStore | None = None,
        refused: Refused = lambda _kind: None,
    ) -> None:
        self.engine = engine
        self.store = store or ModelStore()
        self._threads = threads
        self._refused = refused
        self._detectors: dict[str, Detector] = {}
        self._warm_for: tuple[list[str], list[Profile], int] = ([], [], 1)
        self.stamp = self.store.stamp()
        """The note of active models as it was when they were looked for; see `ModelStore.stamp`."""
        self.chosen: dict[ModelKind, ActiveModel | None] = {}
        """What was last asked for of each kind that is loaded, refused or not."""
        classifier = self._first(ModelKind.CLASSIFIER)
        assert isinstance(classifier, MaskClassifier)
        self.classifier: MaskClassifier = classifier

    def detector(self, name: str) -> Detector:
        """Return the detector of a name.

        Raises:
            ConfigError: if there is none of that name.
            ModelError: if its files are missing or can't be used.
        """
        if name not in self._detectors:
            if name == _OURS:
                model = self._first(ModelKind.DETECTOR)
                assert isinstance(model, FaceNetworkDetector)
                self._detectors[name] = model
            else:
                self._detectors[name] = load_detector(
                    name, self.engine, threads=self._threads, registry=self.store.registry
                )
        return self._detectors[name]

    def spoken(self) -> tuple[tuple[ModelKind, str], ...]:
        """Return kind and label (name and version) of everything that is loaded, the classifier first."""
        detectors = sorted(detector.model for detector in self._detectors.values())
        return ((ModelKind.CLASSIFIER, self.classifier.name), *((ModelKind.DETECTOR, one) for one in detectors))

    def load(self, kind: ModelKind, chosen: ActiveModel | None) -> NetworkModel:
        """Load and warm up a model aside; what speaks now goes on. May run in another thread.

        A model that wasn't shipped is tried in a process of its own first: what it breaks is not this one.

        Raises:
            ModelError: if it can't be used.
        """
        entry = self.store.entry(kind, chosen)
        if entry.folder.parent != SHIPPED_ROOT:
            try_model(entry, self.engine)
        model = load_entry(entry, self.engine, self._threads)
        self._warm(model)
        return model

    def adopt(self, model: NetworkModel) -> None:
        """Let a model from `load` take the place of its kind; the one that it replaces is closed."""
        if isinstance(model, MaskClassifier):
            self.classifier.close()
            self.classifier = model
            return
        replaced = self._detectors.get(_OURS)
        if isinstance(replaced, FaceNetworkDetector):
            replaced.close()
        self._detectors[_OURS] = model

    def warm_up(self, detectors: Collection[str], profiles: Collection[Profile], batch: int) -> None:
        """Run every network in the sizes to come: the first run of each allocates or compiles.

        Raises:
            ConfigError, ModelError: as `detector`.
        """
        self._warm_for = (list(detectors), list(profiles), batch)
        for name in detectors:
            self._warm(self.detector(name))
        self._warm(self.classifier)

    def _warm(self, model: Detector | MaskClassifier) -> None:
        _, profiles, batch = self._warm_for
        sizes = _WARM_BATCHES[self.engine]
        if isinstance(model, MaskClassifier):
            for size in sizes:
                model.classify(np.zeros((size, model.size_px, model.size_px, 3), np.uint8))
            return
        frame_bgr = np.zeros((_WARM_SIZE_WH[1], _WARM_SIZE_WH[0], 3), np.uint8)
        for profile in profiles:
            for size in sorted({min(size, batch) for size in sizes}):
                model.detect([frame_bgr] * size, profile)

    def _first(self, kind: ModelKind) -> NetworkModel:
        """Load the active model of a kind, or the shipped one where that one can't be used.

        Raises:
            ModelError: if the shipped one can't be used.
        """
        log = structlog.get_logger()
        chosen = None
        try:
            chosen = self.store.active().of(kind)
        except ModelError as error:
            log.error("model.note_unreadable", error=str(error), instead="the shipped models")
        self.chosen[kind] = chosen
        if chosen is not None:
            try:
                return self.load(kind, chosen)
            except ModelError as error:
                self._refused(kind)
                log.error("model.refused", kind=kind.value, error=str(error), instead="the shipped one")
        return self.load(kind, None)


def load_models(
    engine: Literal["auto", "litert", "keras"] = "auto",
    fallback: Literal["litert", "none"] = "litert",
    *,
    threads: int = 1,
    batch: int = 8,
    detectors: Iterable[str] = (),
    profiles: Iterable[Profile] = (),
    store: ModelStore | None = None,
    refused: Refused = lambda _kind: None,
) -> WorkerModels:
    """Choose an engine, load what a worker needs and warm it up.

    Args:
        engine: what the owner asked for.
        fallback: what to take when it can't run.
        threads: inside one call of a network.
        batch: frames in one call, at most.
        detectors: names to load now; empty is the default one. Others are loaded when a frame wants them.
        profiles: to warm up; empty is the default one.
        store: where models are found, and which are active; None takes the shipped ones.
        refused: is told of an active model that can't be used.

    Raises:
        ConfigError: if a detector's name is unknown.
        ModelError: if a model can't be used; EngineUnavailable: if no engine can run.
    """
    # OpenCV's threads would fight with those of the other workers: one process, one core.
    cv2.setNumThreads(threads)
    keep_freed_memory()
    chosen = choose_engine(engine, fallback)
    models = WorkerModels(chosen, threads, store, refused)
    models.warm_up(list(detectors) or [_OURS], list(profiles) or [Profile.ACCURATE], batch)
    return models
