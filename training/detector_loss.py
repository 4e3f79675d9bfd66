"""What the detector's training minimises: who answers for which face, and how wrong the answer is.

Every face is given to the few cells that predict it best already (SimOTA), so no scale has to be set by hand. Class
loss learns how well the box fits, objectness whether there is a face at all.

Source: Z. Ge et al., "YOLOX: Exceeding YOLO Series in 2021", arXiv:2107.08430 (assignment, objectness);
Y.-F. Zhang et al., "Focal and Efficient IOU Loss", arXiv:2101.08157 (box loss).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from maskwatch.arrays import Float32Array
from models.detectors.yunet import HEAD_CHANNELS, STRIDES

__all__ = ["cell_grid", "detection_loss"]

_CANDIDATES = 10  # of a face: the sum of their overlaps says how many cells learn it
_CENTRE_CELLS = 2.5
_FAR = 1e5
_BOX_WEIGHT = 5.0
_LANDMARK_WEIGHT = 0.1


def cell_grid(size_px: int) -> Float32Array:
    """Return (A, 3) float32: left, top and stride in pixels of every cell of a square input, finest stride first."""
    parts = []
    for stride in STRIDES:
        rows, columns = np.mgrid[: size_px // stride, : size_px // stride]
        parts.append(np.stack([columns.ravel() * stride, rows.ravel() * stride, np.full(rows.size, stride)], axis=1))
    return np.concatenate(parts).astype(np.float32)


def detection_loss(maps: Any, boxes: Any, landmarks: Any, ignored: Any, grid: Any) -> dict[str, Any]:
    """Compute the loss of a batch.

    Args:
        maps: the network's outputs, (B, h, w, 16) a stride.
        boxes: (B, G, 4) float32 xyxy in pixels, zeros for no face.
        landmarks: (B, G, 5, 2) float32 pixels, NaN where unknown.
        ignored: (B, G, 4) float32 xyxy in pixels: no objectness is learned there.
        grid: `cell_grid` of the input.

    Returns:
        Scalars: `loss` (the sum), `objectness`, `fit`, `box`, `landmarks`, and `cells`, how many cells have a face.
    """
    batch = tf.shape(boxes)[0]
    flat = tf.concat([tf.reshape(part, (batch, -1, HEAD_CHANNELS)) for part in maps], axis=1)
    corner, stride = grid[:, :2], grid[:, 2:]
    centre = corner + flat[..., 2:4] * stride
    half = tf.exp(tf.clip_by_value(flat[..., 4:6], -6.0, 6.0)) * stride / 2
    predicted = tf.concat([centre - half, centre + half], axis=-1)
    faces = tf.where(boxes[..., 2] > boxes[..., 0])
    face_boxes = tf.gather_nd(boxes, faces)
    owned, overlap = _assign(tf.stop_gradient(flat), tf.stop_gradient(predicted), face_boxes, faces[:, 0], grid)
    where = tf.stack([tf.gather(faces[:, 0], owned[:, 0]), owned[:, 1]], axis=1)
    positive = tf.scatter_nd(where, tf.ones_like(overlap), tf.shape(flat, tf.int64)[:2]) > 0
    cells = tf.maximum(tf.cast(tf.shape(where)[0], tf.float32), 1.0)
    hushed = tf.logical_and(_inside(corner + stride / 2, ignored), ~positive)
    objectness = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(positive, tf.float32), flat[..., 1])
    objectness = tf.reduce_sum(tf.where(hushed, 0.0, objectness)) / cells
    answer = tf.gather_nd(flat, where)
    fit = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(overlap, answer[:, 0])) / cells
    box = tf.reduce_sum(_eiou_loss(tf.gather_nd(predicted, where), tf.gather(face_boxes, owned[:, 0]))) / cells
    place = tf.gather(grid, where[:, 1])
    marks = _landmark_loss(answer[:, 6:], tf.gather_nd(landmarks, tf.gather(faces, owned[:, 0])), place) / cells
    total = objectness + fit + _BOX_WEIGHT * box + _LANDMARK_WEIGHT * marks
    return {"loss": total, "objectness": objectness, "fit": fit, "box": box, "landmarks": marks, "cells": cells}


def _assign(flat: Any, predicted: Any, boxes: Any, picture: Any, grid: Any) -> tuple[Any, Any]:
    """Give cells to faces.

    Faces of all pictures are one list, because pictures differ much in how many they have: most of a padded block
    would be empty, and this was half of a step's time.

    Args:
        flat: (B, A, 16) outputs.
        predicted: (B, A, 4) their boxes.
        boxes: (F, 4) faces of the batch.
        picture: (F,) int64, the picture of each, ascending.
        grid: see `cell_grid`.

    Returns:
        (P, 2) int64 pairs of face and cell, and (P,) float32 how well that cell's box fits; a cell has one face.
    """
    middle = grid[:, :2] + grid[:, 2:] / 2
    low, high = middle - boxes[:, None, :2], boxes[:, None, 2:] - middle
    in_box = tf.reduce_min(tf.minimum(low, high), -1) > 0
    from_centre = tf.abs(middle - (boxes[:, None, :2] + boxes[:, None, 2:]) / 2)
    in_centre = tf.reduce_max(from_centre, -1) < _CENTRE_CELLS * grid[:, 2]
    overlap = _iou(boxes[:, None], tf.gather(predicted, picture))
    score = tf.sqrt(tf.sigmoid(flat[..., 0]) * tf.sigmoid(flat[..., 1]))
    cost = tf.gather(-tf.math.log(score + 1e-7), picture) - 3 * tf.math.log(overlap + 1e-7)
    cost += tf.where(in_box & in_centre, 0.0, _FAR) + tf.where(in_box | in_centre, 0.0, _FAR)
    best = tf.math.top_k(tf.where(in_box | in_centre, overlap, 0.0), _CANDIDATES).values
    count = tf.clip_by_value(tf.cast(tf.reduce_sum(best, -1), tf.int32), 1, _CANDIDATES)
    cheapest = -tf.math.top_k(-cost, _CANDIDATES).values
    cost = tf.where(cost <= tf.gather(cheapest, count - 1, batch_dims=1)[:, None], cost, 10 * _FAR)
    least = tf.math.unsorted_segment_min(cost, picture, tf.shape(flat, tf.int64)[0])
    owned = tf.where((cost < 10 * _FAR) & (cost <= tf.gather(least, picture)))
    return owned, tf.gather_nd(overlap, owned)


def _inside(points: Any, areas: Any) -> Any:
    """Tell which of (A, 2) points lie in any of (B, G, 4) areas: (B, A) bool."""
    real = tf.where(areas[..., 2] > areas[..., 0])
    area = tf.gather_nd(areas, real)
    within = tf.reduce_min(tf.minimum(points - area[:, None, :2], area[:, None, 2:] - points), -1) > 0
    return tf.math.unsorted_segment_max(tf.cast(within, tf.int32), real[:, 0], tf.shape(areas, tf.int64)[0]) > 0


def _iou(one: Any, other: Any) -> Any:
    """Return the overlap (intersection over union) of boxes, broadcast."""
    sides = tf.minimum(one[..., 2:], other[..., 2:]) - tf.maximum(one[..., :2], other[..., :2])
    shared = tf.reduce_prod(tf.maximum(sides, 0.0), -1)
    areas = tf.reduce_prod(one[..., 2:] - one[..., :2], -1) + tf.reduce_prod(other[..., 2:] - other[..., :2], -1)
    return shared / (areas - shared + 1e-7)


def _eiou_loss(predicted: Any, target: Any) -> Any:
    """Return (P,) 1 - IoU, plus how far centres and sides are apart, measured by the box around both."""
    hull = tf.maximum(predicted[:, 2:], target[:, 2:]) - tf.minimum(predicted[:, :2], target[:, :2])
    sides = (predicted[:, 2:] - predicted[:, :2]) - (target[:, 2:] - target[:, :2])
    centres = (predicted[:, :2] + predicted[:, 2:] - target[:, :2] - target[:, 2:]) / 2
    apart = tf.reduce_sum(centres**2, -1) / (tf.reduce_sum(hull**2, -1) + 1e-7)
    return 1 - _iou(predicted, target) + apart + tf.reduce_sum(sides**2 / (hull**2 + 1e-7), -1)


def _landmark_loss(answer: Any, landmarks: Any, place: Any) -> Any:
    """Return the summed smooth L1 distance of known landmarks, in cells."""
    flat = tf.reshape(landmarks, (-1, 5, 2))
    known = tf.logical_not(tf.math.is_nan(flat))
    goal = (tf.where(known, flat, 0.0) - place[:, None, :2]) / place[:, None, 2:]
    distance = tf.abs(tf.reshape(answer, (-1, 5, 2)) - goal)
    smooth = tf.where(distance < 1 / 9, 4.5 * distance**2, distance - 1 / 18)
    return tf.reduce_sum(tf.where(known, smooth, 0.0))
