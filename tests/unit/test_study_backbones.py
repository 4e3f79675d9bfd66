from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from maskwatch.errors import ConfigError
from models.scores import classification_figures
from tests.support_faces import bare_sample
from training.data import Data
from training.settings import TrainSettings
from training.studies import main
from training.study_backbones import BackboneOutcome, backbone_table, backbone_variants, by_backbone, starts_of
from training.study_runs import Variant

SETTINGS = TrainSettings(data=(Path("d"),), val=(Path("v"),), out=Path("o"), size_px=96)
FACES = [replace(bare_sample(label), file=f"{label}.png", sha256=str(label)) for label in range(3)]
DATA = Data(FACES, FACES, [], [], {}, {})


def outcome(variant: Variant, seed: int = 1, ms: float = 0.5) -> BackboneOutcome:
    figures = classification_figures([0, 1, 2], np.eye(3, dtype=np.float32))
    return BackboneOutcome(
        name=variant.name,
        seed=seed,
        recipe={},
        learned={},
        figures=dict.fromkeys(("validation", "validation, int8"), figures),
        wrong_ap=dict.fromkeys(("validation", "validation, int8"), 1.0),
        backbone=variant.settings.backbone_name,
        start="random",
        parameters=2_261_827,
        keras_bytes=4_700_000,
        int8_bytes=2_600_000,
        ms_a_face=ms,
        calls=51,
    )


def test_each_backbone_starts_from_a_file_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "mobile.weights.h5"
    file.touch()
    words = ("inception_v3=random", f"mobilenet_v2={file}", "mobilenet_v2=random")
    assert starts_of(words) == [("mobilenet_v2", file), ("mobilenet_v2", "none"), ("inception_v3", "none")]
    variants = backbone_variants(SETTINGS, DATA, starts_of(words), {"inception_v3": "mixed4"})
    assert [variant.name for variant in variants] == [
        "mobilenet_v2 from mobile",
        "mobilenet_v2 from random",
        "inception_v3 from random",
    ]
    assert [variant.settings.fine_from for variant in variants] == ["", "", "mixed4"]
    assert [variant.settings.backbone_weights for variant in variants] == [file, "none", "none"]


def test_backbone_that_isnt_named_starts_from_kerass_download() -> None:
    assert starts_of(()) == [("mobilenet_v2", "imagenet"), ("inception_v3", "imagenet")]
    assert starts_of(("mobilenet_v2=random",))[1] == ("inception_v3", "imagenet")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("resnet=random",), "expected NAME=VALUE with a NAME of mobilenet_v2, inception_v3"),
        (("mobilenet_v2",), "expected NAME=VALUE"),
        (("mobilenet_v2=nowhere.h5",), "no such file"),
        (("mobilenet_v2=random", "mobilenet_v2=random"), "received one of a name twice"),
    ],
)
def test_start_that_cant_be_used_is_refused(words: tuple[str, ...], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        starts_of(words)


def test_first_layer_is_given_by_backbone() -> None:
    assert dict(by_backbone(("mobilenet_v2=block_6",), "--fine-from")) == {"mobilenet_v2": "block_6"}
    with pytest.raises(ConfigError, match="--fine-from block_6: expected NAME=VALUE"):
        by_backbone(("block_6",), "--fine-from")


def test_picture_that_is_too_small_for_a_backbone_is_refused_before_anything_is_trained() -> None:
    small = SETTINGS.model_copy(update={"size_px": 64})
    with pytest.raises(ValidationError, match="inception_v3 takes pictures from 75 px on"):
        backbone_variants(small, DATA, [("inception_v3", "none")], {})


def test_table_has_a_row_for_the_keras_and_the_int8_file_of_each_start() -> None:
    variants = backbone_variants(SETTINGS, DATA, [("mobilenet_v2", "none"), ("inception_v3", "none")], {})
    runs = [outcome(variant, seed, ms) for variant in variants for seed, ms in ((1, 0.5), (2, 0.7))]
    rows = backbone_table(runs).splitlines()
    assert len(rows) == 6
    assert rows[2].startswith("| mobilenet_v2 | random | Keras | 2.26 | 4.7 ± 0.0 | - | 1.000 ± 0.000 |")
    assert rows[3].startswith("| mobilenet_v2 | random | int8 | 2.26 | 2.6 ± 0.0 | 0.60 ± 0.10 | 1.000 ± 0.000 |")
    assert rows[5].startswith("| inception_v3 | random | int8 |")
    assert {row.count("|") for row in rows} == {rows[0].count("|")}


def test_backbones_study_writes_its_file_and_prints_the_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    frozen: list[tuple[int, int]] = []

    def run(variant: Variant, folder: Path) -> BackboneOutcome:
        frozen.append((variant.settings.epochs_head, variant.settings.epochs_fine))
        return outcome(variant, variant.settings.seed)

    monkeypatch.setattr("training.studies.read_data", lambda settings: DATA)
    monkeypatch.setattr("training.studies.run_backbone", run)
    monkeypatch.setattr("maskwatch.log.configure", lambda *_: None)
    words = ["backbones", "--data", "d", "--val", "v", "--out", str(tmp_path), "--epochs-head", "3", "--epochs", "0"]
    starts = ["--weights", "inception_v3=random", "--weights", "mobilenet_v2=random"]
    result = CliRunner().invoke(main, [*words, *starts], catch_exceptions=False)
    assert result.exit_code == 0
    assert "| inception_v3 | random | int8 |" in result.stdout
    assert frozen == [(3, 0)] * 2
    written = json.loads((tmp_path / "backbones.json").read_text())
    assert [run["name"] for run in written] == ["mobilenet_v2 from random", "inception_v3 from random"]
    assert written[0]["calls"] == 51
