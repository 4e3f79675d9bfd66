"""What every face detector offers, and how one is loaded by its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from maskwatch.arrays import UInt8Array
from maskwatch.errors import ConfigError
from maskwatch.types import DETECTORS, Detection, Profile
from models.manifest import EngineName
from models.registry import Registry

__all__ = ["Detector", "load_detector"]


class Detector(Protocol):
    """Finds faces in frames. Belongs to one thread: buffers are kept between calls.

    Attributes:
        name: one of `maskwatch.types.DETECTORS`.
        model: what is behind the name, with its version, e.g. "maskwatch-face 1.0.0".
        score: its threshold of a detection, 0..1; what a score is worth differs from detector to detector.
    """

    name: str
    model: str
    score: float

    def detect(
        self, frames_bgr: Sequence[UInt8Array], profile: Profile, *, min_score: float | None = None
    ) -> list[tuple[Detection, ...]]:
        """Find the faces of a batch of frames.

        Args:
            frames_bgr: (H, W, 3) uint8 BGR each; sizes may differ; not modified.
            profile: how much work to spend.
            min_score: lowest score to return, above 0; None is the detector's own threshold. A tracker asks for less,
                to follow a face that it knows through a bad frame
                (Source: Y. Zhang et al., "ByteTrack", arXiv:2110.06864).

        Returns:
            One tuple a frame, in the same order, best first; boxes in pixels of that frame, clipped to it, never
            without an area.

        Raises:
            ShapeError: if a frame has another shape or dtype.
            ModelError: if the runtime fails.
        """
        ...


def load_detector(
    name: str = DETECTORS[0],
    engine: EngineName | str = EngineName.LITERT,
    *,
    threads: int = 1,
    score: float | None = None,
    registry: Registry | None = None,
) -> Detector:
    """Load a face detector; what it needs is imported here and nowhere before.

    Args:
        name: one of `DETECTORS`: our own network, OpenCV's YuNet, or the two that the ancestors used.
        engine: what runs our network; the others run in OpenCV whatever it says.
        threads: threads inside one call of our network.
        score: threshold of a detection, above 0 and at most 1; None is the detector's own.
        registry: where our network and YuNet's pulled file are found; None takes the shipped models.

    Raises:
        ConfigError: if there is no detector of that name, or the score is out of bounds.
        ModelError: if its files are missing or can't be used.
        EngineUnavailable: if the engine can't run on this machine.
    """
    if score is not None and not 0 < score <= 1:
        raise ConfigError(f"detector {name}: expected a score above 0 and at most 1, received {score}")
    if name == "maskwatch":
        from models.detectors.face_network import FACE_MODEL, FaceNetworkDetector

        entry = (registry or Registry()).get(FACE_MODEL)
        return FaceNetworkDetector.from_entry(entry, EngineName(engine), threads=threads, score=score)
    if name == "yunet":
        from models.detectors.yunet_cv import YuNetDetector

        return YuNetDetector.from_registry(registry or Registry(), score)
    if name == "haar":
        from models.detectors.haar import HaarDetector

        return HaarDetector(score)
    if name == "ssd":
        from models.detectors.ssd import SsdDetector

        return SsdDetector(score)
    raise ConfigError(f"detector {name}: unknown; choose one of {', '.join(DETECTORS)}")
