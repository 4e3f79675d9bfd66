"""Faces that nobody labelled, and what was taken for one: lists that were checked by eye.

The scenes' labels leave out faces, mostly blurred, turned or half hidden ones in the background. A detector that finds
one is right, so training on it as background is wrong, and counting it as a false positive is unfair. `curated/`
holds what a detector of ours found in the scenes that no label covers, sorted by eye.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskwatch.arrays import Float32Array
from maskwatch.errors import ConfigError
from training.detector_data import Scene

__all__ = ["Unboxed", "add_unboxed", "read_unboxed"]

_GROUPS = ("faces", "doubtful", "not_faces")


@dataclass(frozen=True, slots=True)
class Unboxed:
    """Places by picture name, (N, 4) float32 pixels xyxy each.

    Attributes:
        faces: faces without a label, printed ones too.
        doubtful: what the eye couldn't decide: too blurred, too much hidden, or half a face.
        not_faces: no faces: hands, cloth, signs, the backs of heads.
    """

    faces: Mapping[str, Float32Array]
    doubtful: Mapping[str, Float32Array]
    not_faces: Mapping[str, Float32Array]


def read_unboxed(*files: Path) -> Unboxed:
    """Read lists and join them.

    Args:
        files: JSON, gzipped if the name ends so: `{"faces": {picture: [[l, t, r, b], ...]}, "doubtful": ...,
            "not_faces": ...}`, or the faces alone: `{picture: [[l, t, r, b], ...]}`.

    Raises:
        ConfigError: if one is missing or has another form.
    """
    groups: dict[str, dict[str, Float32Array]] = {group: {} for group in _GROUPS}
    for file in files:
        try:
            content = json.loads(gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_text())
            parts = content if content.keys() == groups.keys() else {_GROUPS[0]: content}
            for group, pictures in parts.items():
                groups[group] |= {name: _boxes(boxes) for name, boxes in pictures.items()}
        except (OSError, EOFError, ValueError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"{file}: expected JSON with {', '.join(_GROUPS)}, each a picture's name to its boxes, or one of those "
                f"alone, received {error!r}; give a list like those in training/curated"
            ) from error
    return Unboxed(**groups)


def _boxes(boxes: object) -> Float32Array:
    """Make (N, 4) float32 of a list of boxes; ValueError if it isn't one."""
    array = np.asarray(boxes, np.float32)
    if array.ndim != 2 or array.shape[1] != 4:
        raise ValueError(f"{boxes} is no list of boxes")
    return array


def add_unboxed(scenes: Sequence[Scene], unboxed: Unboxed) -> None:
    """Tell scenes which places to ignore and which are decoys; changes the scenes.

    Faces are neither face nor background. They aren't made faces to learn from: whether such a face gets a label
    differs from picture to picture, and their boxes are a detector's. Doubtful places are background: where the eye
    can't tell, a detector should be unsure. A decoy that touches a labelled face is left out, because what is wrong
    there is the box and not the place.
    """
    for scene in scenes:
        name = scene.path.name
        scene.ignore_xyxy = np.concatenate([scene.ignore_xyxy, unboxed.faces.get(name, scene.ignore_xyxy[:0])])
        decoys = unboxed.not_faces.get(name, np.zeros((0, 4), np.float32))
        scene.decoys_xyxy = decoys[[not _touches(box, scene.boxes_xyxy) for box in decoys]]


def _touches(box: Float32Array, others: Float32Array) -> bool:
    """Tell whether a tenth of the box or more lies in one of the others."""
    sides = np.minimum(others[:, 2:], box[2:]) - np.maximum(others[:, :2], box[:2])
    return bool(np.any(np.prod(np.maximum(sides, 0), axis=1) >= 0.1 * np.prod(box[2:] - box[:2])))
