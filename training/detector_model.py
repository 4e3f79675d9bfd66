"""The detector's network in memory: behind the interface that exported files have, and between training and use.

Training scales pixels to 0..1 so that the stem learns at the pace of the other layers; the network that is used takes
them as they are, and its stem has the scale in its weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.types import Profile
from models.detectors.face_network import FaceNetworkDetector
from models.detectors.yunet import build_yunet
from training.keras_file import load_keras_file

if TYPE_CHECKING:
    import keras

__all__ = ["PIXEL_SCALE", "SIZES_WH", "detector_of", "for_use", "load_for_training"]

SIZES_WH = tuple(size for profile in Profile for size in (profile.detector_size_wh, profile.detector_size_wh[::-1]))
"""Inputs of the shipped model: each profile's, and the same upright for portrait frames."""

PIXEL_SCALE = 1 / 255
"""What pixels are multiplied by in training."""


class _ModelNetwork:
    """A Keras model in memory behind the `Network` interface."""

    def __init__(self, model: keras.Model, size_wh: tuple[int, int]) -> None:
        import tensorflow as tf

        self.size_wh = size_wh
        self.output_names = tuple(model.output_names)
        shape = (None, size_wh[1], size_wh[0], 3)
        self._call = tf.function(
            lambda images: model(images, training=False), input_signature=[tf.TensorSpec(shape, tf.uint8)]
        )

    def run(self, images: UInt8Array) -> tuple[Float32Array, ...]:
        """Run a batch; see `Network.run`."""
        return tuple(part.numpy() for part in self._call(images))

    def close(self) -> None:
        """Nothing is held beyond the model."""


def detector_of(model: keras.Model, score: float = 0.5) -> FaceNetworkDetector:
    """Wrap a model in memory as a detector.

    Args:
        model: with free sizes; each of `SIZES_WH` is compiled at its first call.
        score: threshold of a detection, 0..1, where nobody asks for another.
    """
    return FaceNetworkDetector(SIZES_WH, lambda size_wh: _ModelNetwork(model, size_wh), score)


def for_use(model: keras.Model) -> keras.Model:
    """Return the same network without the scaling of pixels that training adds: the stem's weights take it over."""
    return _rescaled(model, build_yunet(), PIXEL_SCALE)


def load_for_training(file: Path) -> keras.Model:
    """Load a file that `for_use` made, with the scaling of pixels back in its place.

    Raises:
        ConfigError: if it can't be read.
        ModelError: if it holds no network of ours.
    """
    return _rescaled(load_keras_file(file), build_yunet(scale=PIXEL_SCALE), 1 / PIXEL_SCALE)


def _rescaled(model: keras.Model, target: keras.Model, factor: float) -> keras.Model:
    """Copy the weights into a new network and multiply the stem's kernel."""
    target.set_weights(model.get_weights())
    stem = target.get_layer("stem")
    kernel, bias = stem.get_weights()
    stem.set_weights([kernel * factor, bias])
    return target
