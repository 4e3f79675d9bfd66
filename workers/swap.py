"""Changing models while a worker runs.

The note of active models is looked at every second, a model is loaded aside, and it is handed over between two batches.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from maskwatch.errors import ModelError
from models.manifest import ModelKind
from models.store import ActiveModel
from workers.models import NetworkModel, WorkerModels

__all__ = ["LOOK_EVERY_S", "ModelSwap"]

LOOK_EVERY_S = 1.0
_CLOSE_WITHIN_S = 2.0


@dataclass(slots=True)
class _Loading:
    """A model that is being loaded, or was: exactly one of `model` and `error` is then set."""

    kind: ModelKind
    chosen: ActiveModel | None
    thread: threading.Thread | None = None
    model: NetworkModel | None = None
    error: str = ""


class ModelSwap:
    """Notices that other models were activated and has them ready when the worker is between two batches.

    Belongs to the worker's thread. The thread that loads a model touches nothing that the worker uses, so frames are
    analysed all the while. A model that can't be used is told once, and tried again only after the next activation.

    Args:
        models: of the worker.
        refused: is told of a model that can't be used.
        every_s: seconds between two looks.
    """

    def __init__(
        self, models: WorkerModels, refused: Callable[[ModelKind], None], every_s: float = LOOK_EVERY_S
    ) -> None:
        self._models = models
        self._refused = refused
        self._every_s = every_s
        self._looked_s = time.monotonic()
        self._stamp = models.stamp
        self._waiting: list[_Loading] = []
        self._log = structlog.get_logger()

    def step(self) -> NetworkModel | None:
        """Look for a change when it is time, and return a model that is ready to be used, or None. Never waits."""
        if not self._waiting and time.monotonic() - self._looked_s >= self._every_s:
            self._looked_s = time.monotonic()
            self._look()
        if not self._waiting:
            return None
        first = self._waiting[0]
        if first.thread is None:
            first.thread = threading.Thread(target=self._load, args=(first,), name="model-load", daemon=True)
            first.thread.start()
            return None
        if first.thread.is_alive():
            return None
        first.thread.join()
        self._waiting.pop(0)
        if first.model is None:
            self._refused(first.kind)
            self._log.error("model.refused", kind=first.kind.value, error=first.error, instead="the one before")
        return first.model

    def close(self) -> None:
        """Wait a moment for a load to end: a thread that is cut off inside a runtime can bring the process down."""
        if self._waiting and self._waiting[0].thread is not None:
            self._waiting[0].thread.join(_CLOSE_WITHIN_S)

    def _look(self) -> None:
        """Compare the note with what was last asked for, when it has changed."""
        stamp = self._models.store.stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            active = self._models.store.active()
        except ModelError as error:
            self._log.error("model.note_unreadable", error=str(error))
            return
        for kind, before in self._models.chosen.items():
            if active.of(kind) != before:
                self._models.chosen[kind] = active.of(kind)
                self._waiting.append(_Loading(kind, active.of(kind)))

    def _load(self, loading: _Loading) -> None:
        try:
            loading.model = self._models.load(loading.kind, loading.chosen)
        except ModelError as error:
            loading.error = str(error)
        except Exception as error:  # noqa: BLE001  # the edge of the thread: a runtime's own errors must not be lost
            self._log.exception("model.load_crashed", kind=loading.kind.value)
            loading.error = f"{type(error).__name__}: {error}; see the log of this worker"
