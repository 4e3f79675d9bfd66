"""The oldest of the ancestors' detectors: Haar cascades for frontal faces, as OpenCV 4 ships them.

Slow, and blind to most masked faces: here for comparison.

Source: P. Viola, M. Jones, "Rapid Object Detection using a Boosted Cascade of Simple Features", CVPR 2001.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from maskwatch.arrays import UInt8Array, require_image_bgr
from maskwatch.errors import ModelError
from maskwatch.types import Detection, Profile
from models.detectors.letterbox import fit_frame

__all__ = ["HaarDetector"]

CASCADE = "haarcascade_frontalface_default.xml"
SCALE_STEP = 1.1
MIN_SIDE_PX = 24  # the side that the cascade was trained at
MIN_NEIGHBOURS = 2

DEFAULT_SCORE = 0.5
_NEIGHBOURS_AT_HALF = 5
"""So many agreeing windows make a score of 0.5: five is what the ancestors asked for."""


class HaarDetector:
    """OpenCV's cascade on the grey frame, fitted into the profile's size.

    A cascade knows no probability; the score is n / (n + 5) for n windows that agree.

    Args:
        score: threshold of a detection; None is 0.5.

    Raises:
        ModelError: if this OpenCV ships no cascades (OpenCV 5 doesn't).
    """

    def __init__(self, score: float | None = None) -> None:
        self.name = "haar"
        self.model = f"haar opencv-{cv2.__version__}"
        self.score = DEFAULT_SCORE if score is None else score
        folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
        path = Path(folder) / CASCADE
        if not hasattr(cv2, "CascadeClassifier") or not path.is_file():
            raise ModelError(
                f"detector haar: OpenCV {cv2.__version__} has no {CASCADE}; install opencv-python-headless<5"
            )
        self._cascade = cv2.CascadeClassifier(str(path))

    def detect(
        self, frames_bgr: Sequence[UInt8Array], profile: Profile, *, min_score: float | None = None
    ) -> list[tuple[Detection, ...]]:
        """Find the faces of a batch of frames, one after the other; see `Detector.detect`."""
        for index, frame in enumerate(frames_bgr):
            require_image_bgr(frame, f"frames_bgr[{index}]")
        least = self.score if min_score is None else min_score
        return [self._detect_one(frame, profile, least) for frame in frames_bgr]

    def _detect_one(self, frame_bgr: UInt8Array, profile: Profile, least: float) -> tuple[Detection, ...]:
        height, width = frame_bgr.shape[:2]
        fit = fit_frame((width, height), profile.detector_size_wh)
        if min(fit.size_wh) < MIN_SIDE_PX:
            return ()
        grey = cv2.cvtColor(cv2.resize(frame_bgr, fit.size_wh, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
        boxes, neighbours = self._cascade.detectMultiScale2(
            cv2.equalizeHist(grey), SCALE_STEP, MIN_NEIGHBOURS, minSize=(MIN_SIDE_PX, MIN_SIDE_PX)
        )
        found = []
        for (left, top, box_width, box_height), count in zip(boxes, neighbours, strict=True):
            corners = np.array([[left, top], [left + box_width, top + box_height]], np.float32)
            (x1, y1), (x2, y2) = fit.to_frame(corners).tolist()
            score = float(count) / (float(count) + _NEIGHBOURS_AT_HALF)
            if score >= least and x2 > x1 and y2 > y1:
                found.append(Detection((x1, y1, x2, y2), score))
        return tuple(sorted(found, key=lambda detection: -detection.score))
