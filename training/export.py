"""From the Keras model to LiteRT files, float32 and int8, and how far they say the same."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# pydantic reads these, and before Python 3.12 it needs this one.
from typing_extensions import TypedDict

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.errors import ModelError
from maskwatch.types import LABELS, MaskLabel
from training.batches import plain_faces
from training.samples import Sample

__all__ = ["Parity", "calibration_faces", "export_float", "export_int8", "parity", "require_converter"]

WRONG = LABELS.index(MaskLabel.INCORRECT_MASK)

TWO = np.cumsum([label != WRONG for label in range(len(LABELS))]) - 1
"""Index of each label among the two others; that of the third means nothing."""

CALIBRATION_FACES = 300
"""Enough: 300 crops lost 0.1 to 0.2 points of two-class accuracy where this was measured first."""


class Parity(TypedDict):
    """How an exported file compares with the Keras model on the same faces.

    Keys:
        faces: how many there were.
        same_label: share of the faces that get the same label.
        mean_difference: mean absolute difference of the probabilities.
        largest_difference: the largest one.
        two_class_difference: its accuracy less the Keras model's, as a share, with masks worn wrongly left out of
            truth and choice.
        three_class_difference: the same with all labels.
    """

    faces: int
    same_label: float
    mean_difference: float
    largest_difference: float
    two_class_difference: float
    three_class_difference: float


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
    converter = _converter(float_twin(model))
    import tensorflow as tf

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


def require_converter() -> None:
    """Refuse what needs an export where there can be none.

    Raises:
        ModelError: if TensorFlow, which the converter is a part of, isn't installed or isn't Keras' backend.
    """
    import keras

    backend = keras.backend.backend()
    if find_spec("tensorflow") is None:
        raise ModelError(
            f"export to LiteRT: expected TensorFlow, which the converter is a part of, received Keras on {backend} "
            "alone; run pip install 'maskwatch[train]', then resume the finished run with KERAS_BACKEND=tensorflow"
        )
    if backend != "tensorflow":
        raise ModelError(
            f"export to LiteRT: expected the Keras backend tensorflow, received {backend}; "
            "resume the finished run with KERAS_BACKEND=tensorflow to export it"
        )


def _converter(model: Any) -> Any:
    """Return TensorFlow's converter for a model.

    Raises:
        ModelError: if there is none; see `require_converter`.
    """
    require_converter()
    import tensorflow as tf

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


def calibration_faces(samples: Sequence[Sample], size_px: int, seed: int) -> UInt8Array:
    """Draw the faces that an int8 file is calibrated on: (N, size_px, size_px, 3) uint8 RGB."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(samples), min(CALIBRATION_FACES, len(samples)), replace=False)
    return plain_faces([samples[i] for i in chosen], size_px)


def parity(reference: Float32Array, exported: Float32Array, truth: Sequence[int]) -> Parity:
    """Compare an exported file with the Keras model.

    Args:
        reference: (N, 3) probabilities of the Keras model.
        exported: (N, 3) of the exported file, for the same faces.
        truth: N indices into `LABELS`.
    """
    difference = np.abs(reference - exported)
    true = np.asarray(truth, np.int64)
    plain = true != WRONG
    two = [_hits(np.delete(part[plain], WRONG, axis=1), TWO[true[plain]]) for part in (reference, exported)]
    three = [_hits(part, true) for part in (reference, exported)]
    return Parity(
        faces=len(true),
        same_label=round(float((reference.argmax(1) == exported.argmax(1)).mean()), 4),
        mean_difference=round(float(difference.mean()), 5),
        largest_difference=round(float(difference.max()), 4),
        two_class_difference=round(two[1] - two[0], 5),
        three_class_difference=round(three[1] - three[0], 5),
    )


def _hits(chances: Float32Array, true: NDArray[np.int64]) -> float:
    """Return the share of right choices; 0 without a face."""
    return float((chances.argmax(1) == true).mean()) if len(true) else 0.0
