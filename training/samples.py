"""Labelled faces to learn from and to measure on, cut out of labelled pictures (their forms: `maskwatch.labelled`).

Of every face only its surroundings are kept in memory, so that jittered boxes can still be cut as live ones are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import structlog
from tqdm import tqdm

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.errors import ConfigError, SourceError
from maskwatch.labelled import LabelledPicture, read_labelled
from maskwatch.media.images import decode_image, read_image_file
from maskwatch.types import LABELS, Detection, MaskLabel
from models.crop import MIN_FACE_PX
from models.detectors.single import middle_box
from training.facefinder import FaceFinder, assign_detections
from training.picture_hash import difference_hash

__all__ = ["Sample", "count_labels", "read_folder", "read_picture"]

Box = tuple[float, float, float, float]

CONTEXT = 2.0
"""Side of the kept surroundings over the box's longest side: room for the margin, the jitter and a rotation."""

PATCH_SIDE_PX = 320
"""Longest side of the kept surroundings; larger ones are shrunk. The network sees 128."""

BATCH_PICTURES = 16
BATCH_PIXELS = 8_000_000
"""A batch for the finder ends at either: large pictures would fill the memory."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled face.

    Attributes:
        file: path of the picture below the data folder's parent, e.g. "train/a.jpg"; the same on every machine.
        source: where the picture came from; see `maskwatch.labelled`.
        label: index into `LABELS`.
        sha256: of the picture's file.
        box_xyxy: the labelled box in pixels of the picture; in a one-face picture the detector's, or the middle.
        patch_bgr: (h, w, 3) uint8, the face's surroundings.
        patch_box: `box_xyxy` in pixels of the patch.
        single: True for a one-face picture of a class folder.
        landmarks_xy: (5, 2) float32 pixels of the patch, or None where the detector didn't find the face: right eye,
            left eye, tip of the nose, right and left corner of the mouth, as the person has them.
        found_box: the detector's own box of the face in pixels of the patch, or None where it didn't find it.
        cluster: faces of near-duplicate pictures have the same number; -1 before `training.duplicates` has looked.
        picture_hash: of the whole picture, from `training.picture_hash.difference_hash`; empty where nobody asked.
    """

    file: str
    source: str
    label: int
    sha256: str
    box_xyxy: Box
    patch_bgr: UInt8Array
    patch_box: Box
    single: bool
    landmarks_xy: Float32Array | None = None
    found_box: Box | None = None
    cluster: int = -1
    picture_hash: bytes = b""


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A labelled picture and its pixels, (H, W, 3) uint8 BGR."""

    labelled: LabelledPicture
    picture_bgr: UInt8Array
    sha256: str


def read_folder(folder: Path, finder: FaceFinder | None = None) -> list[Sample]:
    """Read every labelled face of one data folder, in a fixed order. Unreadable pictures are left out with a warning.

    Args:
        folder: scenes or class folders; see `maskwatch.labelled.read_labelled`.
        finder: finds the faces as the live pipeline does; None leaves `landmarks_xy` and `found_box` empty and takes
            the middle of one-face pictures.

    Raises:
        ConfigError: if the folder can't be used, or has no face that is large enough.
    """
    pictures = read_labelled(folder)
    samples: list[Sample] = []
    with tqdm(total=len(pictures), desc=f"reading {folder.name}", unit="picture", disable=None) as progress:
        for batch in _batches(pictures):
            found = finder([loaded.picture_bgr for loaded in batch]) if finder else [()] * len(batch)
            for loaded, detections in zip(batch, found, strict=True):
                samples += _faces(loaded, detections)
            progress.update(len(batch))
    if not samples:
        raise ConfigError(f"data folder {folder}: expected labelled faces of at least {MIN_FACE_PX} px, received none")
    return samples


def read_picture(path: Path) -> tuple[UInt8Array, str]:
    """Read one picture within the bounds of `maskwatch.media`.

    Returns:
        (H, W, 3) uint8 BGR, and the file's sha256.

    Raises:
        DecodeError: if it is cut off or corrupt.
        SourceUnsupported: if it is of another format, or has too many bytes or pixels.
        SourceError: if it can't be opened.
    """
    content = read_image_file(path)
    return decode_image(content, str(path)), hashlib.sha256(content).hexdigest()


def _batches(pictures: Iterable[LabelledPicture]) -> Iterator[list[_Loaded]]:
    """Yield the readable pictures in bounded batches."""
    batch: list[_Loaded] = []
    pixels = 0
    for labelled in pictures:
        try:
            loaded = _Loaded(labelled, *read_picture(labelled.path))
        except SourceError as error:
            structlog.get_logger().warning("training.picture_skipped", reason=str(error))
            continue
        batch.append(loaded)
        pixels += loaded.picture_bgr.shape[0] * loaded.picture_bgr.shape[1]
        if len(batch) == BATCH_PICTURES or pixels >= BATCH_PIXELS:
            yield batch
            batch, pixels = [], 0
    if batch:
        yield batch


def _faces(loaded: _Loaded, found: Sequence[Detection]) -> list[Sample]:
    """Cut the faces of one picture that are large enough to be told apart."""
    height, width = loaded.picture_bgr.shape[:2]
    if loaded.labelled.single:
        largest = max(found, key=lambda face: _longest(face.box_xyxy), default=None)
        faces = [(largest.box_xyxy if largest else middle_box(loaded.picture_bgr), loaded.labelled.faces[0].label)]
        own = [largest]
    else:
        faces = [(face.box_xyxy, face.label) for face in loaded.labelled.faces if face.box_xyxy is not None]
        own = assign_detections([box for box, _ in faces], found)
    look = difference_hash(loaded.picture_bgr)
    return [
        _cut(loaded, box, label, detection, look)
        for (box, label), detection in zip(faces, own, strict=True)
        if _longest(box) >= MIN_FACE_PX and _reaches(box, width, height)
    ]


def _longest(box: Box) -> float:
    return max(box[2] - box[0], box[3] - box[1])


def _reaches(box: Box, width: int, height: int) -> bool:
    """Tell whether a box has a part inside the picture."""
    return box[0] < width and box[1] < height and box[2] > 0 and box[3] > 0


def _cut(loaded: _Loaded, box: Box, label: MaskLabel, found: Detection | None, look: bytes) -> Sample:
    """Keep the surroundings of one face, shrunk if they are large."""
    picture = loaded.picture_bgr
    height, width = picture.shape[:2]
    left, top, right, bottom = box
    half = max(_longest(box), _longest(found.box_xyxy) if found else 0.0) * CONTEXT / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    x0, x1 = max(0, int(x - half)), min(width, int(x + half) + 1)
    y0, y1 = max(0, int(y - half)), min(height, int(y + half) + 1)
    patch = picture[y0:y1, x0:x1]
    scale = min(1.0, PATCH_SIDE_PX / max(patch.shape[:2]))
    if scale < 1.0:
        size = (max(1, round(patch.shape[1] * scale)), max(1, round(patch.shape[0] * scale)))
        patch = cv2.resize(patch, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)

    def inside(box: Box) -> Box:
        return ((box[0] - x0) * scale, (box[1] - y0) * scale, (box[2] - x0) * scale, (box[3] - y0) * scale)

    marks = None
    if found and found.landmarks_xy:
        marks = ((np.array(found.landmarks_xy) - (x0, y0)) * scale).astype(np.float32)
    return Sample(
        loaded.labelled.name,
        loaded.labelled.source,
        LABELS.index(label),
        loaded.sha256,
        box,
        patch.copy(),
        inside(box),
        loaded.labelled.single,
        marks,
        inside(found.box_xyxy) if found else None,
        picture_hash=look,
    )


def count_labels(samples: Iterable[Sample]) -> dict[str, int]:
    """Return how many faces there are of each label, absent ones as 0."""
    counts = np.bincount([sample.label for sample in samples], minlength=len(LABELS))
    return dict(zip(map(str, LABELS), counts.tolist(), strict=True))
