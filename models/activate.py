"""Making a model the one that workers use: everything about it is checked first."""

from __future__ import annotations

from models.manifest import EngineName
from models.registry import ModelEntry
from models.store import ModelStore
from models.trial import try_model

__all__ = ["activate"]


def activate(store: ModelStore, name: str, engine: EngineName) -> ModelEntry:
    """Verify a model, try it, and write down that it is active; workers that run take it within seconds.

    Args:
        store: the user's models and the shipped ones.
        name: of the model; its kind follows from its manifest.
        engine: what workers run it on.

    Returns:
        The model.

    Raises:
        ModelError: if it isn't there or can't be used, or the note can't be written.
        ChecksumMismatch: if a file isn't the one that the manifest names.
        LabelMismatch: if it was made for other labels.
        EngineUnavailable: if the engine can't run on this machine.
    """
    store.registry.verify(name)
    entry = store.registry.get(name)
    try_model(entry, engine)
    store.activate(entry)
    return entry
