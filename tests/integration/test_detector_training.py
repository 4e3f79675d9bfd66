"""One command from scenes to a model, its report and its shipped folder; an interrupted run goes on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from maskwatch.types import Profile
from models.detectors import load_detector
from models.registry import Registry
from tests.support import shared_path

SCENES = 24


@pytest.fixture
def few_scenes(tmp_path: Path) -> Path:
    """A folder laid out like the real one, with some of its pictures."""
    data = shared_path("data/scenes")
    folder = tmp_path / "scenes"
    for part in ("train", "val"):
        (folder / part).mkdir(parents=True)
        content = json.loads((data / f"{part}.json").read_text())
        images = content["images"][:: len(content["images"]) // SCENES][:SCENES]
        kept = {image["id"] for image in images}
        faces = [face for face in content["annotations"] if face["image_id"] in kept]
        (folder / f"{part}.json").write_text(json.dumps({**content, "images": images, "annotations": faces}))
        for image in images:
            shutil.copy(data / part / image["file_name"], folder / part)
    return folder


# Keras copies TensorFlow's variables in a way that numpy 2 warns of.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.timeout(600)
def test_run_is_resumed_reported_exported_and_still_finds_faces(few_scenes: Path, tmp_path: Path) -> None:
    from training.detector import main as train
    from training.detector_export import main as export

    run, start = tmp_path / "run", shared_path("data/weights/yunet_s_dynamic.onnx")
    arguments = ["--data", str(few_scenes), "--start", str(start), "--out", str(run), "--batch", "4"]
    arguments += ["--unboxed", "training/curated/unboxed-train.json.gz"]
    for epochs in ("1", "2"):
        result = CliRunner().invoke(train, [*arguments, "--epochs", epochs], catch_exceptions=False)
        assert result.exit_code == 0
    report = json.loads((run / "report.json").read_text())
    first, second = (row["steps"] for row in report["history"])
    assert second == 2 * first
    assert report["validation"]["after"][0]["recall"]["with_mask"] > 0.5
    registry = tmp_path / "models"
    target = ["--model", str(run / "best.keras"), "--out", str(registry / "maskwatch-face"), "--version", "9.0.0"]
    assert CliRunner().invoke(export, target, catch_exceptions=False).exit_code == 0
    detector = load_detector("maskwatch", registry=Registry(registry))
    from training.detector_scenes import read_scenes

    frames = [scene.read_bgr() for scene in read_scenes(few_scenes / "val")]
    assert sum(len(found) for found in detector.detect(frames, Profile.ACCURATE)) >= SCENES // 2
