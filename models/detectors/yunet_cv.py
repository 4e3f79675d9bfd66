"""YuNet as the OpenCV Zoo publishes it, run by OpenCV itself: for comparison with our network, which learned from it.

Its weights aren't shipped; `maskwatch models pull yunet` fetches them.

Source: W. Wu, H. Peng, S. Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 20, 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from maskwatch.arrays import Float32Array, UInt8Array, require_image_bgr
from maskwatch.errors import ModelError
from maskwatch.types import Detection, Profile
from models.detectors.letterbox import Fit, fit_frame, input_size_for, paste_frame
from models.pulled import YUNET, read_pulled
from models.registry import Registry

__all__ = ["YuNetDetector"]

DEFAULT_SCORE = 0.6
"""At 0.8 it finds 78 % of the masked faces of the validation scenes, at 0.6 89 %, for 0.12 more false positives a
picture."""

_OVERLAP = 0.3
_MOST_CANDIDATES = 1000
_SIZES_WH = frozenset(
    size for profile in Profile for size in (profile.detector_size_wh, profile.detector_size_wh[::-1])
)


class YuNetDetector:
    """`cv2.FaceDetectorYN` on the letterboxed frame, one network a size, one frame after the other.

    Args:
        content: the ONNX file, checked by the caller.
        score: threshold of a detection; None is 0.6.

    Raises:
        ModelError: if this OpenCV has no such detector or can't read the file.
    """

    def __init__(self, content: bytes, score: float | None = None) -> None:
        self.name = "yunet"
        self.model = f"yunet {YUNET.version}"
        self.score = DEFAULT_SCORE if score is None else score
        if not hasattr(cv2, "FaceDetectorYN"):
            raise ModelError(f"detector yunet: OpenCV {cv2.__version__} has no FaceDetectorYN; install a newer one")
        self._content = np.frombuffer(content, np.uint8)  # OpenCV takes arrays for contents, strings for file names
        self._networks: dict[tuple[int, int], cv2.FaceDetectorYN] = {}
        self._canvases: dict[tuple[int, int], UInt8Array] = {}
        self._network(Profile.FAST.detector_size_wh)

    @classmethod
    def from_registry(cls, registry: Registry, score: float | None = None) -> YuNetDetector:
        """Load the file that was pulled.

        Raises:
            ModelError: if it wasn't, naming the command that does it, or it can't be used.
            ChecksumMismatch: if it isn't the known file.
        """
        return cls(read_pulled(YUNET, registry.roots), score)

    def detect(
        self, frames_bgr: Sequence[UInt8Array], profile: Profile, *, min_score: float | None = None
    ) -> list[tuple[Detection, ...]]:
        """Find the faces of a batch of frames; see `Detector.detect`."""
        for index, frame in enumerate(frames_bgr):
            require_image_bgr(frame, f"frames_bgr[{index}]")
        least = self.score if min_score is None else min_score
        return [self._detect_one(frame, profile, least) for frame in frames_bgr]

    def _network(self, size_wh: tuple[int, int]) -> cv2.FaceDetectorYN:
        """Return the network of one size; giving one network a new size would set it up anew at every change."""
        if size_wh not in self._networks:
            try:
                self._networks[size_wh] = cv2.FaceDetectorYN.create(
                    "onnx", self._content, np.empty(0, np.uint8), size_wh, self.score, _OVERLAP, _MOST_CANDIDATES
                )
            except cv2.error as error:
                raise ModelError(
                    f"detector yunet: OpenCV {cv2.__version__} can't read its file ({error.err})"
                ) from error
            self._canvases[size_wh] = np.empty((size_wh[1], size_wh[0], 3), np.uint8)
        return self._networks[size_wh]

    def _detect_one(self, frame_bgr: UInt8Array, profile: Profile, least: float) -> tuple[Detection, ...]:
        frame_wh = (frame_bgr.shape[1], frame_bgr.shape[0])
        size_wh = input_size_for(frame_wh, profile, _SIZES_WH)
        network = self._network(size_wh)
        fit = fit_frame(frame_wh, size_wh)
        canvas = self._canvases[size_wh]
        paste_frame(frame_bgr, fit, canvas)
        network.setScoreThreshold(least)
        # Rows of: left, top, width, height, five landmarks (x, y) in our order, score.
        rows: Any = network.detect(canvas)[1]
        if rows is None:
            return ()
        return _to_detections(np.asarray(rows, np.float32), fit, least)


def _to_detections(rows: Float32Array, fit: Fit, least: float) -> tuple[Detection, ...]:
    """Make value types of the boxes that have an area in the frame, best first."""
    boxes = rows[:, :4].copy()
    boxes[:, 2:] += boxes[:, :2]
    boxes = fit.to_frame(boxes.reshape(-1, 2, 2)).reshape(-1, 4)
    marks = fit.to_frame(rows[:, 4:14].reshape(-1, 5, 2))
    found = [
        Detection((box[0], box[1], box[2], box[3]), min(1.0, score), tuple((x, y) for x, y in points))
        for box, score, points in zip(boxes.tolist(), rows[:, 14].tolist(), marks.tolist(), strict=True)
        if score >= least and box[2] > box[0] and box[3] > box[1]
    ]
    return tuple(sorted(found, key=lambda detection: -detection.score))
