"""Models of others, measured on the same footing: AIZOO's one-stage mask detector.

It finds faces and tells with mask from without in one network; a mask worn wrongly it doesn't know. Its file isn't ours
and isn't shipped: give it by its path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.errors import ConfigError
from maskwatch.labelled import LabelledPicture
from maskwatch.labelled.pictures import Box
from maskwatch.media import read_image
from maskwatch.types import LABELS, MaskLabel
from models.detectors.decode import suppress
from models.scores import JudgedPicture

__all__ = ["AizooDetector", "aizoo_anchors", "judge_with_aizoo"]

INPUT_PX = 260
LEVELS = ((33, (0.04, 0.056)), (17, (0.08, 0.11)), (9, (0.16, 0.22)), (5, (0.32, 0.45)), (3, (0.64, 0.72)))
"""Cells a side, and the sides of its square anchors over the picture's."""

RATIOS = (0.62, 0.42)
"""Width over height of the anchors that aren't square; they have the area of the first one."""

CENTRE_SCALE, SIDE_SCALE = 0.1, 0.2
"""What the network's numbers are multiplied with, as in SSD.

Source: W. Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016, and its published code.
"""

SCORE, MAX_OVERLAP = 0.5, 0.4
"""As its authors use it. Source: github.com/AIZOOTech/FaceMaskDetection, `tflite_infer.py`."""

LEAST_SCORE = 0.05

_WORN, _BARE = LABELS.index(MaskLabel.WITH_MASK), LABELS.index(MaskLabel.WITHOUT_MASK)


@dataclass(frozen=True, slots=True)
class PeerFaces:
    """What it finds in one picture, best first.

    Attributes:
        boxes_xyxy: (D, 4) float32 pixels.
        scores: (D,) float32.
        chances: (D, 3) float32 in the order of `LABELS`; never a mask worn wrongly.
    """

    boxes_xyxy: Float32Array
    scores: Float32Array
    chances: Float32Array


class AizooDetector:
    """The published LiteRT file, one picture at a time.

    Args:
        path: `face_mask_detection.tflite`.

    Raises:
        ConfigError: if it can't be used.
    """

    def __init__(self, path: Path) -> None:
        self.score = SCORE
        self._anchors = aizoo_anchors()
        try:
            from ai_edge_litert.interpreter import Interpreter

            self._runtime = Interpreter(model_content=path.read_bytes(), num_threads=1)
            self._runtime.allocate_tensors()
        except (OSError, ValueError, RuntimeError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ConfigError(f"peer {path}: expected AIZOO's face_mask_detection.tflite; {reason}") from error
        self._input = self._runtime.get_input_details()[0]["index"]
        outputs = {int(detail["shape"][-1]): detail for detail in self._runtime.get_output_details()}
        if {side: tuple(detail["shape"]) for side, detail in outputs.items()} != {
            4: (1, len(self._anchors), 4),
            2: (1, len(self._anchors), 2),
        }:
            raise ConfigError(f"peer {path}: expected boxes and two classes of {len(self._anchors)} anchors")
        self._boxes, self._classes = outputs[4]["index"], outputs[2]["index"]

    def find(self, picture_bgr: UInt8Array, min_score: float = LEAST_SCORE) -> PeerFaces:
        """Find the faces of one picture, (H, W, 3) uint8 BGR."""
        # Stretched to a square, RGB, 0..1: as it was trained.
        small = cv2.resize(picture_bgr, (INPUT_PX, INPUT_PX))[..., ::-1].astype(np.float32) / 255
        self._runtime.set_tensor(self._input, small[None])
        self._runtime.invoke()
        raw, classes = self._tensor(self._boxes), self._tensor(self._classes)
        scores = classes.max(axis=1)
        likely = np.flatnonzero(scores >= min_score)
        boxes = _decode(raw[likely], self._anchors[likely])
        kept = suppress(boxes, scores[likely], MAX_OVERLAP)
        height, width = picture_bgr.shape[:2]
        size = np.array([width, height, width, height], np.float32)
        chances = np.zeros((len(kept), len(LABELS)), np.float32)
        chances[:, (_WORN, _BARE)] = classes[likely][kept]
        return PeerFaces(np.clip(boxes[kept], 0, 1) * size, scores[likely][kept], chances)

    def _tensor(self, index: Any) -> Float32Array:
        return np.asarray(self._runtime.get_tensor(index)[0], np.float32)


def aizoo_anchors() -> Float32Array:
    """Return the 5972 anchors: (N, 4) centre x and y, width and height, in 0..1 of the picture."""
    parts = []
    for cells, (first, second) in LEVELS:
        middles = (np.arange(cells) + 0.5) / cells
        x, y = np.meshgrid(middles, middles)
        sides = [(first, first), (second, second)] + [(first * ratio**0.5, first / ratio**0.5) for ratio in RATIOS]
        centres = np.repeat(np.stack([x, y], axis=-1).reshape(-1, 1, 2), len(sides), axis=1)
        shapes = np.broadcast_to(np.array(sides), centres.shape)
        parts.append(np.concatenate([centres, shapes], axis=-1).reshape(-1, 4))
    return np.concatenate(parts).astype(np.float32)


def _decode(raw: Float32Array, anchors: Float32Array) -> Float32Array:
    """Turn the network's numbers into corners in 0..1 of the picture."""
    centres = anchors[:, :2] + raw[:, :2] * CENTRE_SCALE * anchors[:, 2:]
    half = anchors[:, 2:] * np.exp(raw[:, 2:] * SIDE_SCALE) / 2
    return np.concatenate([centres - half, centres + half], axis=1)


def judge_with_aizoo(
    pictures: Sequence[LabelledPicture], detector: AizooDetector, unboxed: Mapping[str, Sequence[Box]]
) -> list[JudgedPicture]:
    """Look at scenes with it; of the labelled faces it is asked nothing, because it takes whole pictures only.

    Args:
        pictures: with boxes.
        detector: loaded.
        unboxed: faces that nobody labelled, by the picture's file name.
    """
    judged = []
    for picture in tqdm(pictures, unit="picture", disable=None, leave=False):
        found = detector.find(read_image(picture.path))
        drawn = [face.box_xyxy for face in picture.faces if face.box_xyxy is not None]
        judged.append(
            JudgedPicture(
                name=picture.path.name,
                source=picture.source,
                boxes_xyxy=np.array(drawn, np.float32).reshape(-1, 4),
                labels=np.array([LABELS.index(face.label) for face in picture.faces], np.int32),
                probabilities=np.full((len(drawn), len(LABELS)), np.nan, np.float32),
                found_xyxy=found.boxes_xyxy,
                scores=found.scores,
                said=found.chances,
                unboxed_xyxy=np.array(unboxed.get(picture.path.name, []), np.float32).reshape(-1, 4),
            )
        )
    return judged
