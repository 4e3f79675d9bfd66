from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from maskwatch.errors import ConfigError
from tests.support_models import write_class_folders
from training.data import read_data
from training.settings import TrainSettings
from training.study_backbones import backbone_table, backbone_variants, run_backbone
from training.study_runs import Variant, run_variant

pytestmark = [
    pytest.mark.timeout(600),
    # TensorFlow's and Keras' own imports, nothing that this project calls.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(tensorflow|keras|google|h5py|ml_dtypes|astunparse|jax).*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:(tensorflow|keras|h5py).*"),
]


def tiny(folder: Path) -> TrainSettings:
    """Return settings of a training that takes seconds, on drawn faces."""
    return TrainSettings(
        data=(write_class_folders(folder / "train", 6),),
        val=(write_class_folders(folder / "val", 2, seed=1),),
        out=folder / "study",
        backbone_weights="none",
        size_px=32,
        alpha=0.35,
        fine_from="Conv_1",
        epochs_head=0,
        epochs_fine=1,
        epoch_faces=16,
        batch=8,
        threads=1,
    )


@pytest.mark.slow
def test_finished_training_is_kept_and_not_repeated(tmp_path: Path) -> None:
    settings = tiny(tmp_path)
    folder = settings.out
    data = read_data(settings)
    variant = Variant("all on", settings, data, {"validation": data.val})
    first = run_variant(variant, folder)
    assert first.figures["validation"]["faces"] == len(data.val)
    assert first.learned["incorrect_mask"] == 6
    kept = folder / "all_on-1.json"
    assert [path.name for path in folder.iterdir()] == [kept.name]
    written = kept.stat().st_mtime_ns
    assert run_variant(variant, folder) == first
    assert kept.stat().st_mtime_ns == written
    other = replace(variant, settings=settings.model_copy(update={"without": ("flip",)}))
    with pytest.raises(ConfigError, match="other settings"):
        run_variant(other, folder)


@pytest.mark.slow
def test_backbone_is_measured_as_keras_and_as_int8_with_its_sizes_and_time(tmp_path: Path) -> None:
    settings = tiny(tmp_path)
    data = read_data(settings)
    (variant,) = backbone_variants(settings, data, [("mobilenet_v2", "none")], {"mobilenet_v2": "Conv_1"})
    outcome = run_backbone(variant, settings.out)
    assert [path.name for path in settings.out.iterdir()] == ["mobilenet_v2_from_random-1.json"]
    assert run_backbone(variant, settings.out) == outcome
    assert {name: figures["faces"] for name, figures in outcome.figures.items()} == dict.fromkeys(
        ("validation", "validation, int8"), len(data.val)
    )
    assert outcome.parameters == 414_051  # MobileNetV2 of width 0.35, and a head of 1280 * 3 + 3
    assert outcome.int8_bytes < outcome.keras_bytes
    assert outcome.ms_a_face > 0
    keras_row, int8_row = backbone_table([outcome]).splitlines()[2:]
    assert keras_row.startswith("| mobilenet_v2 | random | Keras | 0.41 |")
    assert int8_row.startswith("| mobilenet_v2 | random | int8 | 0.41 |")
