"""Putting a finished run where workers find it: `models/weights/<name>/` with manifest, card, report and data list."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.errors import ConfigError
from maskwatch.types import LABELS
from models.classifier import UNKNOWN
from models.engines import load_network
from models.manifest import EngineName, FileSpec, InputSpec, Manifest, ModelKind, OutputSpec
from models.registry import ModelEntry, Registry, sha256_of
from training.card import card_text
from training.datalist import DATA_LIST
from training.report import REPORT, Report

__all__ = ["FLOAT_LITERT", "INT8_LITERT", "KERAS_FILE", "ask_litert", "describe", "publish"]

KERAS_FILE, FLOAT_LITERT, INT8_LITERT = "model.keras", "model.float32.tflite", "model.int8.tflite"


def publish(run: Path, name: str, version: str, root: Path | None = None) -> Path:
    """Install a run's model; an older model of that name is replaced in one step.

    Args:
        run: a finished run's folder.
        name: of the model.
        version: MAJOR.MINOR.PATCH; raise it whenever the weights change.
        root: folder of models; None takes the shipped ones.

    Returns:
        The model's folder.

    Raises:
        ConfigError: if the run isn't finished.
        ModelError: if what was installed doesn't pass the registry's checks.
    """
    missing = [file for file in (KERAS_FILE, INT8_LITERT, REPORT, DATA_LIST) if not (run / file).is_file()]
    if missing:
        raise ConfigError(f"run {run}: not finished, {', '.join(missing)} missing; go on with --resume")
    report = Report.model_validate_json((run / REPORT).read_text())
    root = root or Registry().root
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".new-") as folder:
        new = Path(folder) / name
        new.mkdir()
        for file in (KERAS_FILE, INT8_LITERT, REPORT, DATA_LIST):
            shutil.copyfile(run / file, new / file)
        size_px = int(str(report.settings["size_px"]))
        manifest = describe(new, name, version, size_px, unknown_below=report.calibration.unknown_below)
        (new / "manifest.json").write_text(manifest.model_dump_json(indent=2) + "\n")
        (new / "CARD.md").write_text(card_text(name, version, report))
        Registry(Path(folder)).verify(name)
        if (root / name).exists():
            (root / name).rename(Path(folder) / "replaced")
        new.rename(root / name)
    return root / name


def describe(
    folder: Path, name: str, version: str, size_px: int, litert: str = INT8_LITERT, unknown_below: float = 0.0
) -> Manifest:
    """Describe the Keras file and one LiteRT file of a folder in a manifest.

    Args:
        folder: where both lie.
        name: of the model.
        version: MAJOR.MINOR.PATCH.
        size_px: side of the input.
        litert: which LiteRT file.
        unknown_below: highest probability below which the answer is `unknown`.
    """
    source = sha256_of(folder / KERAS_FILE)
    keras_file = FileSpec(
        path=KERAS_FILE,
        engine=EngineName.KERAS,
        sha256=source,
        size_bytes=(folder / KERAS_FILE).stat().st_size,
    )
    litert_file = FileSpec(
        path=litert,
        engine=EngineName.LITERT,
        sha256=sha256_of(folder / litert),
        size_bytes=(folder / litert).stat().st_size,
        precision="int8" if litert == INT8_LITERT else "float32",
        exported_from=source,
    )
    return Manifest(
        name=name,
        version=version,
        kind=ModelKind.CLASSIFIER,
        labels=tuple(label.value for label in LABELS),
        input=InputSpec(sizes_wh=((size_px, size_px),), colour="rgb"),
        outputs=(OutputSpec(name="probabilities", shape=(len(LABELS),)),),
        files=(keras_file, litert_file),
        licence="Apache-2.0",
        thresholds={UNKNOWN: unknown_below},
    )


def ask_litert(folder: Path, file: str, size_px: int, faces: UInt8Array) -> Float32Array:
    """Ask an exported file about faces through the engine that workers use.

    Args:
        folder: where it and the Keras model lie.
        file: its name.
        size_px: side of its input.
        faces: (N, size_px, size_px, 3) uint8 RGB.

    Returns:
        (N, 3) float32 probabilities.
    """
    entry = ModelEntry(folder, describe(folder, "run", "0.0.0", size_px, file))
    network = load_network(entry, EngineName.LITERT)
    try:
        return network.run(faces)[0]
    finally:
        network.close()
