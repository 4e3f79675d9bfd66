"""From the Keras model to LiteRT files, float32 and int8, and how far they say the same."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

# pydantic reads these, and before Python 3.12 it needs this one.
from typing_extensions import TypedDict

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.errors import ModelError

__all__ = ["Parity", "export_float", "export_int8", "parity"]

CALIBRATION_FACES = 300
"""Enough: 300 crops lost 0.1 to 0.2 points of two-class accuracy where this was measured first."""


class Parity(TypedDict):
    """How an exported file compares with the Keras model on the same faces.

    Keys:
        same_label: share of the faces that get the same label.
        mean_difference: mean absolute difference of the probabilities.
        largest_difference: the largest one.
    """

    same_label: float
    mean_difference: float
    largest_difference: float


def export_float(model: Any, path: Path) -> None:
    """Write a float32 `.tflite` with uint8 input.

    Raises:
        ModelError: if TensorFlow isn't the backend, or the converter fails.
    """
    path.write_bytes(_convert(_converter(model)))


def export_int8(model: Any, path: Path, faces: UInt8Array) -> None:
    """Write a `.tflite` whose weights and activations are int8, with uint8 input and output.

    Args:
        model: the classifier.
        path: the file to write.
        faces: (N, S, S, 3) uint8 RGB training crops; at most `CALIBRATION_FACES` are used.

    Raises:
        ModelError: if TensorFlow isn't the backend, or the converter fails.

    Source:
        Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
        CVPR 2018.
    """
    import tensorflow as tf

    converter = _converter(float_twin(model))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _calibration(faces)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.uint8
    path.write_bytes(_convert(converter))


def float_twin(model: Any) -> Any:
    """Return the same network with float32 input: the converter can quantise no other."""
    config = model.get_config()
    for layer in config["layers"]:
        if layer["class_name"] == "InputLayer":
            layer["config"]["dtype"] = "float32"
    twin = type(model).from_config(config)
    twin.set_weights(model.get_weights())
    return twin


def _converter(model: Any) -> Any:
    """Return TensorFlow's converter for a model.

    Raises:
        ModelError: if Keras runs on another backend, whose models the converter can't read.
    """
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        raise ModelError(
            f"export to LiteRT: expected the Keras backend tensorflow, received {keras.backend.backend()}; "
            "resume the finished run with KERAS_BACKEND=tensorflow to export it"
        )
    return tf.lite.TFLiteConverter.from_keras_model(model)


def _convert(converter: Any) -> bytes:
    """Run the converter.

    Raises:
        ModelError: if it fails.
    """
    try:
        with warnings.catch_warnings():
            # It asks for the range of a uint8 input, which the calibration's black and white pictures have fixed.
            warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected", UserWarning)
            content: bytes = converter.convert()
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"export to LiteRT: the converter failed ({str(error).splitlines()[0]})") from error
    return content


def _calibration(faces: UInt8Array) -> Iterator[list[Float32Array]]:
    """Yield single faces as float32, then black and white, which fix the input's scale at exactly one."""
    step = max(1, len(faces) // CALIBRATION_FACES)
    for face in faces[::step][:CALIBRATION_FACES]:
        yield [face[None].astype(np.float32)]
    for value in (0.0, 255.0):
        yield [np.full((1, *faces.shape[1:]), value, np.float32)]


def parity(reference: Float32Array, exported: Float32Array) -> Parity:
    """Compare probabilities (N, 3) of the Keras model with those of an exported file."""
    difference = np.abs(reference - exported)
    return Parity(
        same_label=round(float((reference.argmax(1) == exported.argmax(1)).mean()), 4),
        mean_difference=round(float(difference.mean()), 5),
        largest_difference=round(float(difference.max()), 4),
    )
