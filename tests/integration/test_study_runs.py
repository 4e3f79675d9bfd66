from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from maskwatch.errors import ConfigError
from tests.support_models import write_class_folders
from training.data import read_data
from training.settings import TrainSettings
from training.studies import Variant, run_variant

pytestmark = [
    pytest.mark.timeout(300),
    # TensorFlow's and Keras' own imports, nothing that this project calls.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(tensorflow|keras|google|h5py|ml_dtypes|astunparse|jax).*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:(tensorflow|keras|h5py).*"),
]


def test_finished_training_is_kept_and_not_repeated(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    settings = TrainSettings(
        data=(write_class_folders(tmp_path / "train", 6),),
        val=(write_class_folders(tmp_path / "val", 2, seed=1),),
        out=folder,
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
