"""The scenes that the detector learns from and is measured on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.errors import ConfigError
from maskwatch.labelled import LabelledPicture, read_labelled
from maskwatch.labelled.unboxed import Unboxed
from maskwatch.media import read_image
from maskwatch.types import MaskLabel

__all__ = ["Scene", "mark_unboxed", "no_places", "read_scenes", "split_scenes"]


def no_places() -> Float32Array:
    """Return (0, 4) float32."""
    return np.zeros((0, 4), np.float32)


@dataclass(slots=True)
class Scene:
    """One picture and its faces.

    Attributes:
        path: the picture's file.
        boxes_xyxy: (N, 4) float32 pixels, every labelled face.
        labels: N, what the person said of each.
        landmarks_xy: (N, 5, 2) float32 pixels, NaN where unknown.
        ignore_xyxy: (M, 4) float32 pixels: places that look like faces and carry no label.
        decoys_xyxy: (K, 4) float32 pixels: places that were taken for faces and are none; shown often.
    """

    path: Path
    boxes_xyxy: Float32Array
    labels: tuple[MaskLabel, ...]
    landmarks_xy: Float32Array
    ignore_xyxy: Float32Array = field(default_factory=no_places)
    decoys_xyxy: Float32Array = field(default_factory=no_places)

    def read_bgr(self) -> UInt8Array:
        """Decode the picture: (H, W, 3) uint8 BGR.

        Raises:
            SourceError: if the file can't be read, or is no picture.
        """
        return read_image(self.path)


def read_scenes(folder: Path) -> list[Scene]:
    """Read a folder of scenes, in the order of the pictures' names; no picture is opened.

    Args:
        folder: e.g. `scenes/train`, with its COCO file `scenes/train.json`, or with Pascal VOC files; see
            `maskwatch.labelled.read_labelled`.

    Raises:
        ConfigError: if something is missing or has another form, or the folder holds cut-out faces.
    """
    pictures = read_labelled(folder)
    if any(picture.single for picture in pictures):
        raise ConfigError(f"data folder {folder}: expected scenes with boxes, received class folders of single faces")
    return [_to_scene(picture) for picture in pictures]


def _to_scene(picture: LabelledPicture) -> Scene:
    boxes = [face.box_xyxy for face in picture.faces]
    return Scene(
        path=picture.path,
        boxes_xyxy=np.array(boxes, np.float32).reshape(-1, 4),
        labels=tuple(face.label for face in picture.faces),
        landmarks_xy=np.full((len(boxes), 5, 2), np.nan, np.float32),
    )


def split_scenes(scenes: Sequence[Scene], held_out: float = 0.1) -> tuple[list[Scene], list[Scene]]:
    """Divide by a hash of the file's name, so that the same pictures are held out in every run.

    Args:
        scenes: all of them.
        held_out: share of the second part, 0..1.

    Returns:
        Pictures to train on, and pictures to pick the best epoch with.
    """
    kept: list[Scene] = []
    held: list[Scene] = []
    for scene in scenes:
        share = int(hashlib.sha256(scene.path.name.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF
        (held if share < held_out else kept).append(scene)
    return kept, held


def mark_unboxed(scenes: Sequence[Scene], lists: Iterable[Unboxed]) -> None:
    """Tell scenes which places to ignore and which are decoys; changes the scenes.

    Faces are neither face nor background. They aren't made faces to learn from: whether such a face gets a label
    differs from picture to picture, and their boxes are a detector's. Doubtful places are background: where the eye
    can't tell, a detector should be unsure. A decoy that touches a labelled face is left out, because what is wrong
    there is the box and not the place.

    Args:
        scenes: what to learn from or to measure on.
        lists: of places by picture; those of other pictures are passed over.
    """
    for unboxed in lists:
        for scene in scenes:
            name = scene.path.name
            faces = np.array(unboxed.faces.get(name, ()), np.float32).reshape(-1, 4)
            scene.ignore_xyxy = np.concatenate([scene.ignore_xyxy, faces])
            decoys = np.array(unboxed.not_faces.get(name, ()), np.float32).reshape(-1, 4)
            far = [not _touches(box, scene.boxes_xyxy) for box in decoys]
            scene.decoys_xyxy = np.concatenate([scene.decoys_xyxy, decoys[far]])


def _touches(box: Float32Array, others: Float32Array) -> bool:
    """Tell whether a tenth of a box (4,) or more lies in one of the others (N, 4)."""
    sides = np.minimum(others[:, 2:], box[2:]) - np.maximum(others[:, :2], box[:2])
    return bool(np.any(np.prod(np.maximum(sides, 0), axis=1) >= 0.1 * np.prod(box[2:] - box[:2])))
