"""From a trained detector to the folder that is shipped: Keras file, LiteRT files, manifest.

`python -m training.detector_export --model RUN/best.keras --out models/weights/maskwatch-face --version 1.0.0`
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maskwatch.errors import ModelError
from models.detectors.face_network import FACE_MODEL
from models.detectors.yunet import HEAD_CHANNELS, STRIDES, build_yunet
from models.registry import sha256_of
from training.commands import TrainingCommand
from training.detector_model import SIZES_WH
from training.keras_file import load_keras_file

if TYPE_CHECKING:
    import keras

__all__ = ["export_detector", "to_litert"]

DEFAULT_SCORE = 0.6
"""From which score on something is a detection."""

MAX_OVERLAP = 0.4
"""Intersection over union above which two boxes are one face."""


def to_litert(model: keras.Model, size_wh: tuple[int, int]) -> bytes:
    """Convert to a LiteRT file of one input size and any batch.

    Weights are stored as float16, which halves the file and changes no time: the runtime widens them when it loads.
    int8 was measured slower than float32 here: many cells, few channels.

    Args:
        model: from `build_yunet` with free sizes.
        size_wh: width and height of the input in pixels, multiples of 32.
    """
    import tensorflow as tf

    fixed = build_yunet(size_wh)
    fixed.set_weights(model.get_weights())
    converter = tf.lite.TFLiteConverter.from_keras_model(fixed)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    converted: bytes = converter.convert()
    return converted


def output_tensors(content: bytes, size_wh: tuple[int, int]) -> list[str]:
    """Return the names of a LiteRT file's outputs, finest stride first; the converter may reorder them.

    Raises:
        ModelError: if the outputs are not one map a stride.
    """
    from ai_edge_litert.interpreter import Interpreter

    details: list[Any] = Interpreter(model_content=content).get_output_details()
    names = {tuple(detail["shape"][1:]): str(detail["name"]) for detail in details}
    wanted = [(size_wh[1] // stride, size_wh[0] // stride, HEAD_CHANNELS) for stride in STRIDES]
    if len(details) != len(wanted) or set(names) != set(wanted):
        raise ModelError(f"LiteRT export {size_wh}: expected outputs {wanted}, received {sorted(names)}")
    return [names[shape] for shape in wanted]


def export_detector(model_file: Path, out: Path, version: str, score: float = DEFAULT_SCORE) -> None:
    """Write the shipped folder; a card and reports that lie in it stay.

    Args:
        model_file: the trained `.keras` file.
        out: folder; files of the same names are replaced.
        version: MAJOR.MINOR.PATCH of this state of the weights.
        score: from which on something is a detection, 0..1.

    Raises:
        ConfigError: if the file can't be read.
        ModelError: if it holds another network.
    """
    model = load_keras_file(model_file)
    out.mkdir(parents=True, exist_ok=True)
    target = out / f"{FACE_MODEL}.keras"
    shutil.copyfile(model_file, target)
    source = sha256_of(target)
    files: list[dict[str, Any]] = [_file_entry(target, "keras")]
    for size_wh in SIZES_WH:
        content = to_litert(model, size_wh)
        path = out / f"{FACE_MODEL}-{size_wh[0]}x{size_wh[1]}.tflite"
        path.write_bytes(content)
        entry = _file_entry(path, "litert")
        entry |= {
            "size_wh": size_wh,
            "precision": "float16",
            "exported_from": source,
            "output_tensors": output_tensors(content, size_wh),
        }
        files.append(entry)
    manifest = {
        "schema_version": 1,
        "name": FACE_MODEL,
        "version": version,
        "kind": "detector",
        "labels": ["face"],
        "input": {"sizes_wh": SIZES_WH, "dtype": "uint8", "colour": "bgr"},
        "outputs": [{"name": f"stride{stride}", "shape": [0, 0, HEAD_CHANNELS]} for stride in STRIDES],
        "files": files,
        "licence": "Apache-2.0",
        "thresholds": {"score": score, "overlap": MAX_OVERLAP},
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


def _file_entry(path: Path, engine: str) -> dict[str, Any]:
    return {"path": path.name, "engine": engine, "sha256": sha256_of(path), "size_bytes": path.stat().st_size}


@click.command(cls=TrainingCommand)
@click.option("--model", type=click.Path(path_type=Path), required=True, help="The trained .keras file.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the shipped model.")
@click.option("--version", required=True, help="MAJOR.MINOR.PATCH.")
@click.option("--score", type=click.FloatRange(0, 1), default=DEFAULT_SCORE, show_default=True)
def main(model: Path, out: Path, version: str, score: float) -> None:
    """Export a trained face detector."""
    export_detector(model, out, version, score)


if __name__ == "__main__":
    main()
