"""Our own detector: letterbox, network, boxes, in batches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from maskwatch.arrays import Float32Array, UInt8Array, require_image_bgr
from maskwatch.errors import ModelError
from maskwatch.types import Detection, Profile
from models.detectors.decode import Candidates, decode_maps, suppress
from models.detectors.letterbox import Fit, fit_frame, input_size_for, paste_frame
from models.detectors.yunet import HEAD_CHANNELS, STRIDES
from models.engines import Network, load_network
from models.manifest import EngineName, ModelKind
from models.registry import SHIPPED, ModelEntry

__all__ = ["FACE_MODEL", "FaceNetworkDetector"]

FACE_MODEL = SHIPPED[ModelKind.DETECTOR]
"""Name of the shipped network."""

DEFAULT_SCORE = 0.5
DEFAULT_OVERLAP = 0.4
MAX_BATCH = 16
"""Pictures of one call of the network: beyond it memory grows and speed doesn't."""


class FaceNetworkDetector:
    """Runs one network a size; a portrait frame takes the upright size of its profile, where the model has one.

    Args:
        sizes_wh: the inputs that the model can have, in pixels; both sizes of `Profile` must be there.
        load: makes the network of one size; called when that size is first needed, because a worker of one profile
            and one kind of camera needs only one of them.
        score: threshold of a detection, 0..1.
        max_overlap: intersection over union above which the worse of two boxes goes.
        model: name and version of the network.
    """

    def __init__(
        self,
        sizes_wh: Collection[tuple[int, int]],
        load: Callable[[tuple[int, int]], Network],
        score: float = DEFAULT_SCORE,
        max_overlap: float = DEFAULT_OVERLAP,
        model: str = FACE_MODEL,
    ) -> None:
        self.name = "maskwatch"
        self.model = model
        self.score = score
        self._sizes_wh = frozenset(sizes_wh)
        self._load = load
        self._networks: dict[tuple[int, int], Network] = {}
        self._max_overlap = max_overlap
        self._canvases: dict[tuple[int, int], UInt8Array] = {}

    @classmethod
    def from_entry(
        cls, entry: ModelEntry, engine: EngineName, *, threads: int = 1, score: float | None = None
    ) -> FaceNetworkDetector:
        """Load a model from the registry, with the thresholds that its manifest states unless a score is given.

        Raises:
            ModelError: if it is no detector of this form, or its files can't be used.
            LabelMismatch: if it finds something else than faces.
            EngineUnavailable: if the engine can't run on this machine.
        """
        _require_detector(entry)
        stated = entry.manifest.thresholds
        sizes_wh = entry.manifest.input.sizes_wh
        detector = cls(
            sizes_wh,
            lambda size_wh: load_network(entry, engine, size_wh, threads),
            stated.get("score", DEFAULT_SCORE) if score is None else score,
            stated.get("overlap", DEFAULT_OVERLAP),
            entry.label,
        )
        detector._network(sizes_wh[0])  # a machine or a file that can't do it says so now, not at the first frame
        return detector

    def detect(
        self, frames_bgr: Sequence[UInt8Array], profile: Profile, *, min_score: float | None = None
    ) -> list[tuple[Detection, ...]]:
        """Find the faces of a batch of frames; see `Detector.detect`."""
        groups: dict[tuple[int, int], list[int]] = {}
        for index, frame in enumerate(frames_bgr):
            require_image_bgr(frame, f"frames_bgr[{index}]")
            size_wh = input_size_for((frame.shape[1], frame.shape[0]), profile, self._sizes_wh)
            groups.setdefault(size_wh, []).append(index)
        results: list[tuple[Detection, ...]] = [()] * len(frames_bgr)
        least = self.score if min_score is None else min_score
        for size_wh, indices in groups.items():
            for start in range(0, len(indices), MAX_BATCH):
                part = indices[start : start + MAX_BATCH]
                found = self._detect_batch([frames_bgr[index] for index in part], size_wh, least)
                for index, detections in zip(part, found, strict=True):
                    results[index] = detections
        return results

    def close(self) -> None:
        """Give the networks' memory back; calling it twice is harmless."""
        while self._networks:
            self._networks.popitem()[1].close()

    def _network(self, size_wh: tuple[int, int]) -> Network:
        if size_wh not in self._networks:
            self._networks[size_wh] = self._load(size_wh)
        return self._networks[size_wh]

    def _detect_batch(
        self, frames_bgr: Sequence[UInt8Array], size_wh: tuple[int, int], least: float
    ) -> list[tuple[Detection, ...]]:
        width, height = size_wh
        canvas = self._canvases.get(size_wh)
        if canvas is None or len(canvas) < len(frames_bgr):
            canvas = self._canvases[size_wh] = np.empty((len(frames_bgr), height, width, 3), np.uint8)
        fits = []
        for frame, picture in zip(frames_bgr, canvas[: len(frames_bgr)], strict=True):
            fit = fit_frame((frame.shape[1], frame.shape[0]), size_wh)
            paste_frame(frame, fit, picture)
            fits.append(fit)
        maps = self._network(size_wh).run(canvas[: len(frames_bgr)])
        candidates = decode_maps(maps, least)
        return [self._collect(candidates, index, fit) for index, fit in enumerate(fits)]

    def _collect(self, candidates: Candidates, index: int, fit: Fit) -> tuple[Detection, ...]:
        """Suppress repeats among one frame's candidates and map the rest to the frame."""
        own = np.flatnonzero(candidates.frame == index)
        if len(own) == 0:
            return ()
        kept = own[suppress(candidates.boxes_xyxy[own], candidates.scores[own], self._max_overlap)]
        boxes = fit.to_frame(candidates.boxes_xyxy[kept].reshape(-1, 2, 2)).reshape(-1, 4)
        marks = fit.to_frame(candidates.landmarks_xy[kept])
        return _to_detections(boxes, candidates.scores[kept], marks)


def _require_detector(entry: ModelEntry) -> None:
    """Refuse a model that doesn't take and return what this detector does.

    Raises:
        LabelMismatch: if its labels differ; ModelError: if the kind, the sizes, the colour order or the outputs differ.
    """
    entry.require(ModelKind.DETECTOR, ("face",))
    manifest = entry.manifest
    wanted_wh = {profile.detector_size_wh for profile in Profile}
    shapes = [output.shape for output in manifest.outputs]
    if (
        manifest.input.colour != "bgr"
        or wanted_wh - set(manifest.input.sizes_wh)
        or shapes != [(0, 0, HEAD_CHANNELS)] * len(STRIDES)
    ):
        wanted = " and ".join(f"{width}x{height}" for width, height in sorted(wanted_wh))
        received = ", ".join(f"{width}x{height}" for width, height in manifest.input.sizes_wh)
        raise ModelError(
            f"model {entry.label}: expected bgr pictures of {wanted} and {len(STRIDES)} outputs of (0, 0, "
            f"{HEAD_CHANNELS}), received {manifest.input.colour} of {received} and {shapes}; use a detector's files"
        )


def _to_detections(boxes: Float32Array, scores: Float32Array, marks: Float32Array) -> tuple[Detection, ...]:
    """Make value types of the boxes that have an area; those that lay in the padding have none."""
    return tuple(
        Detection((box[0], box[1], box[2], box[3]), score, tuple((x, y) for x, y in points))
        for box, score, points in zip(boxes.tolist(), scores.tolist(), marks.tolist(), strict=True)
        if box[2] > box[0] and box[3] > box[1]
    )
