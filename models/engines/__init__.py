"""What runs a network: LiteRT on CPUs, Keras on GPUs, behind one `Network`."""

from __future__ import annotations

from models.engines.choice import choose_engine
from models.engines.network import Network
from models.manifest import EngineName
from models.registry import ModelEntry

__all__ = ["EngineName", "Network", "choose_engine", "load_network"]


def load_network(
    entry: ModelEntry, engine: EngineName | str, size_wh: tuple[int, int] | None = None, threads: int = 1
) -> Network:
    """Load one network of a model; the runtime is imported here and nowhere before.

    Args:
        entry: the model, from `Registry.get`.
        engine: what runs it.
        size_wh: input width and height in pixels, one of the manifest's; None takes its first.
        threads: threads inside one call.

    Raises:
        EngineUnavailable: if the engine can't run on this machine.
        ModelError: if the model has no such file, or it can't be used.
        ChecksumMismatch: if the file isn't the one that the manifest names.
    """
    if EngineName(engine) is EngineName.LITERT:
        from models.engines.litert_network import LiteRtNetwork

        return LiteRtNetwork(entry, size_wh, threads)
    from models.engines.keras_network import KerasNetwork

    return KerasNetwork(entry, size_wh, threads)
