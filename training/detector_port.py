"""Bring YuNet's published weights (ONNX) into the Keras model, as the place where training starts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from maskwatch.arrays import Float32Array
from maskwatch.errors import ModelError
from models.detectors.yunet import STEM_SHIFT_PX, STRIDES, build_yunet

if TYPE_CHECKING:
    import keras

__all__ = ["load_published"]

_HEADS = ("cls", "obj", "bbox", "kps")
_BACKBONE_UNITS = ("stem_unit", *(f"stage{stage}_unit{number}" for stage in range(1, 6) for number in (1, 2)))
_NECK_UNITS = ("neck32", "neck16", "neck8")


def load_published(path: Path, *, scale: float = 1.0) -> keras.Model:
    """Read the published network.

    Args:
        path: `yunet_s_*.onnx` of ShiqiYu/libfacedetection.train (Apache-2.0); batch normalisation is folded into it.
        scale: as in `build_yunet`; the stem's weights are divided by it, so that the outputs are the same.

    Returns:
        The Keras model, with free sizes.

    Raises:
        ModelError: if the file holds another network.
    """
    convolutions = _convolutions(path)
    plain = 2 * (len(_BACKBONE_UNITS) + len(_NECK_UNITS)) + 1
    expected = plain + 2 * len(_HEADS) * len(STRIDES)
    if len(convolutions) != expected:
        raise ModelError(
            f"{path}: expected the {expected} convolutions of yunet_s, received {len(convolutions)}; "
            "take yunet_s_dynamic.onnx"
        )
    model = build_yunet(scale=scale)
    kernel, bias = convolutions[0]
    model.get_layer("stem").set_weights([kernel.transpose(2, 3, 1, 0) / scale, bias])
    names = [f"{unit}_{part}" for unit in (*_BACKBONE_UNITS, *_NECK_UNITS) for part in ("point", "depth")]
    for name, (kernel, bias) in zip(names, convolutions[1:plain], strict=True):
        model.get_layer(name).set_weights([_to_keras(kernel, depthwise=name.endswith("depth")), bias])
    _set_heads(model, convolutions[plain:])
    return model


def _convolutions(path: Path) -> list[tuple[Float32Array, Float32Array]]:
    """Return kernel (out, in, h, w) and bias of every convolution, in the graph's order."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    return [(arrays[node.input[1]], arrays[node.input[2]]) for node in graph.node if node.op_type == "Conv"]


def _to_keras(kernel: Float32Array, *, depthwise: bool) -> Float32Array:
    """Reorder (out, in, h, w) to Keras' (h, w, in, out), or (h, w, channels, 1) of a depthwise kernel."""
    return kernel.transpose(2, 3, 0, 1) if depthwise else kernel.transpose(2, 3, 1, 0)


def _set_heads(model: keras.Model, convolutions: list[tuple[Float32Array, Float32Array]]) -> None:
    """Put the four heads of each level side by side into one.

    The file lists them class (8, 16, 32), box, objectness, landmarks, two convolutions each.
    """
    order = {"cls": 0, "bbox": 1, "obj": 2, "kps": 3}
    for level, stride in enumerate(STRIDES):
        pairs = [convolutions[2 * (order[head] * len(STRIDES) + level) :][:2] for head in _HEADS]
        for part, name in enumerate(("point", "depth")):
            kernel = np.concatenate(
                [_to_keras(pair[part][0], depthwise=part == 1) for pair in pairs], axis=2 + (part == 0)
            )
            bias = np.concatenate([pair[part][1] for pair in pairs])
            if part == 1:
                bias = bias + _shift_of_positions(stride)
            model.get_layer(f"head{stride}_{name}").set_weights([kernel, bias])


def _shift_of_positions(stride: int) -> Float32Array:
    """Return what the head adds to its positions because the stem sees the picture shifted."""
    shift = np.zeros(16, np.float32)
    shift[[2, 3, *range(6, 16)]] = STEM_SHIFT_PX / stride
    return shift
