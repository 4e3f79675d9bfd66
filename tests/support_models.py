"""A small classifier trained on drawn faces, for tests that need a real model and no data of the developers."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from maskwatch.arrays import UInt8Array
from models.registry import sha256_of

__all__ = [
    "TinyRun",
    "copy_model",
    "drawn_face",
    "edit_manifest",
    "reseal",
    "run_maskwatch",
    "tiny_models",
    "tiny_run",
    "train_tiny",
    "write_class_folders",
]

LABEL_NAMES = ("with_mask", "without_mask", "incorrect_mask")

MAKE_BACKBONE = """
import sys, keras
keras.utils.set_random_seed(1)
model = keras.applications.MobileNetV2(input_shape=(64, 64, 3), alpha=0.35, include_top=False, weights=None)
model.save_weights(sys.argv[1])
"""


def drawn_face(label: str, rng: np.random.Generator, side: int = 72) -> UInt8Array:
    """Draw a face, (side, side, 3) uint8 BGR: an oval with eyes and, by its label, a mask, a mouth, or both."""
    # A background of its own: otherwise all drawings are near-duplicates, which never cross a split.
    coarse = rng.integers(0, 256, (12, 12, 3)).astype(np.uint8)
    picture = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)
    centre = side // 2
    cv2.ellipse(picture, (centre, centre), (side // 3, side * 4 // 9), 0, 0, 360, (140, 170, 220), -1)
    for x in (centre - side // 8, centre + side // 8):
        cv2.circle(picture, (x, centre - side // 8), 3, (20, 20, 20), -1)
    if label != "with_mask":
        cv2.ellipse(picture, (centre, centre + side // 6), (side // 9, 3), 0, 0, 360, (60, 60, 190), -1)
    if label != "without_mask":
        top = centre if label == "with_mask" else centre + side // 4
        cv2.rectangle(picture, (side // 4, top), (side * 3 // 4, side * 8 // 9), (230, 200, 60), -1)
    return picture


def write_class_folders(folder: Path, faces_per_label: int, seed: int = 0) -> Path:
    """Write drawn faces as class folders and return the folder."""
    rng = np.random.default_rng(seed)
    for label in LABEL_NAMES:
        (folder / label).mkdir(parents=True)
        for number in range(faces_per_label):
            cv2.imwrite(str(folder / label / f"{number}.png"), drawn_face(label, rng))
    return folder


def run_maskwatch(*words: str | Path, timeout_s: float = 900) -> subprocess.CompletedProcess[str]:
    """Run the program as a user does and return what it printed."""
    return subprocess.run(
        [sys.executable, "-m", "maskwatch", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
    )


@dataclass(frozen=True, slots=True)
class TinyRun:
    """A finished training run on drawn faces, installed as model `tiny`.

    Attributes:
        data: class folders it learned from.
        out: the run's folder.
        models: folder of models that holds `tiny`.
        options: the words that must be given again to resume it.
        stdout: what the program printed there.
    """

    data: Path
    out: Path
    models: Path
    options: tuple[str | Path, ...]
    stdout: str


def train_tiny(folder: Path) -> TinyRun:
    """Train on 24 drawn pictures for one epoch, as a user does; what was trained in a folder before is taken."""
    data, backbone, told = folder / "drawn" / "train", folder / "backbone.weights.h5", folder / "stdout"
    size = ("--size", "64", "--alpha", "0.35", "--backbone-weights", backbone, "--threads", "1")
    # Only the last layers learn: tracing the gradient of all of them would take most of the time.
    options = (*size, "--fine-from", "Conv_1", "--epochs-head", "0", "--epoch-faces", "24", "--batch", "8")
    if not told.exists():
        make = [sys.executable, "-c", MAKE_BACKBONE, str(backbone)]
        subprocess.run(make, check=True, capture_output=True, timeout=600)
        write_class_folders(data, 8)
        write_class_folders(folder / "drawn" / "val", 2, seed=1)
        install = ("--install", "tiny", "--install-version", "0.1.0", "--models", folder / "models")
        words = ("--data", data, "--out", folder / "run", *options, "--epochs-fine", "1", *install, "--json")
        result = run_maskwatch("train", *words)
        assert result.returncode == 0, result.stderr
        told.write_text(result.stdout)
    return TinyRun(data, folder / "run", folder / "models", options, told.read_text())


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """One training run for all tests that look at one, those in another process of this run of tests included."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    folder /= "tiny"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return train_tiny(folder)


@pytest.fixture(scope="session")
def tiny_models(tiny_run: TinyRun) -> Path:
    """A folder of models with a small classifier `tiny` in it; copy it before changing anything."""
    return tiny_run.models


def edit_manifest(model: Path, change: Callable[[dict[str, object]], None]) -> None:
    """Change a model's manifest in place."""
    path = model / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def reseal(model: Path) -> None:
    """Bring the manifest's checksums and sizes up to the files as they are: for files that are wrong on purpose."""

    def change(manifest: dict[str, object]) -> None:
        files = manifest["files"]
        assert isinstance(files, list)
        for file in files:
            file["sha256"] = sha256_of(model / file["path"])
            file["size_bytes"] = (model / file["path"]).stat().st_size
            file["exported_from"] = None

    edit_manifest(model, change)


def copy_model(model: Path, root: Path) -> Path:
    """Copy a model's folder below another root and return it."""
    return Path(shutil.copytree(model, root / model.name))
