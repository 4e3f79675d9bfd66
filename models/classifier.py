"""The mask classifier as the pipeline asks it about faces; `models.backbones` has its architecture."""

from __future__ import annotations

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.errors import ModelError
from maskwatch.types import LABELS
from models.engines import EngineName, Network, load_network
from models.manifest import ModelKind
from models.registry import ModelEntry, Registry

__all__ = ["DEFAULT_CLASSIFIER", "MaskClassifier", "classifier_from", "load_classifier"]

DEFAULT_CLASSIFIER = "maskwatch-mask"
"""Name of the classifier that is shipped."""

UNKNOWN = "unknown"
"""The manifest's threshold below which a classifier can't tell."""


class MaskClassifier:
    """Says of each face how the mask is worn.

    Args:
        network: the loaded network: one output, (N, 3) probabilities.
        name: name and version of the model, e.g. "maskwatch-mask 1.0.0".
        unknown_below: highest probability below which the answer is `unknown`, 0..1; 0 always answers.

    Raises:
        ModelError: if the network's input isn't square or it has other outputs.
    """

    def __init__(self, network: Network, name: str, unknown_below: float = 0.0) -> None:
        width, height = network.size_wh
        if width != height or len(network.output_names) != 1:
            raise ModelError(
                f"model {name}: expected a square input and one output, received {width}x{height} and "
                f"{len(network.output_names)} outputs; use a classifier's files"
            )
        self.name = name
        self.size_px = width
        self.unknown_below = unknown_below
        self._network = network

    def classify(self, faces_rgb: UInt8Array) -> Float32Array:
        """Classify a batch of any size.

        Args:
            faces_rgb: (N, size_px, size_px, 3) uint8 RGB from `crop_faces`; N may be 0; not modified.

        Returns:
            (N, 3) float32, probabilities in the order of `LABELS`; a new array.

        Raises:
            ShapeError: if the faces have another shape or dtype.
            ModelError: if the runtime fails.
        """
        return self._network.run(faces_rgb)[0]

    def close(self) -> None:
        """Give the memory back; calling it twice is harmless."""
        self._network.close()


def load_classifier(
    engine: EngineName | str = EngineName.LITERT,
    name: str = DEFAULT_CLASSIFIER,
    threads: int = 1,
    registry: Registry | None = None,
) -> MaskClassifier:
    """Load a classifier whose file and labels have been checked.

    Args:
        engine: what runs it; see `models.engines.choose_engine`.
        name: which model.
        threads: threads inside one call.
        registry: where to look; None takes the shipped models.

    Raises:
        ModelError: if there is no such model, or it can't be used.
        ChecksumMismatch: if a file isn't the one that the manifest names.
        LabelMismatch: if it was made for other labels.
        EngineUnavailable: if the engine can't run on this machine.
    """
    return classifier_from((registry or Registry()).get(name), engine, threads)


def classifier_from(entry: ModelEntry, engine: EngineName | str, threads: int = 1) -> MaskClassifier:
    """Load the classifier of an entry; see `load_classifier`, which finds it by its name."""
    _require_classifier(entry)
    unknown_below = entry.manifest.thresholds.get(UNKNOWN, 0.0)
    return MaskClassifier(load_network(entry, engine, threads=threads), entry.label, unknown_below)


def _require_classifier(entry: ModelEntry) -> None:
    """Refuse a model that doesn't take and return what a mask classifier does.

    Raises:
        LabelMismatch: if the labels differ; ModelError: if the kind, the colour order or the output differ.
    """
    entry.require(ModelKind.CLASSIFIER, LABELS)
    manifest = entry.manifest
    shapes = [output.shape for output in manifest.outputs]
    if manifest.input.colour != "rgb" or shapes != [(len(LABELS),)]:
        raise ModelError(
            f"model {entry.label}: expected rgb pictures and one output of ({len(LABELS)},), "
            f"received {manifest.input.colour} and {shapes}; use a classifier's files"
        )
