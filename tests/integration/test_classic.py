from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from maskwatch.errors import ConfigError
from tests.support_models import LABEL_NAMES, drawn_face
from training.data import Data, split_data
from training.samples import Sample
from training.settings import TrainSettings

pytestmark = [
    pytest.mark.timeout(600),
    # TensorFlow's and Keras' own imports, nothing that this project calls.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(tensorflow|keras|google|h5py|ml_dtypes|astunparse|jax).*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:(tensorflow|keras|h5py).*"),
]


def samples(count: int, source: str, seed: int) -> list[Sample]:
    """Return drawn faces, as many of each of the three labels."""
    rng = np.random.default_rng(seed)
    box = (6.0, 6.0, 66.0, 66.0)
    return [
        Sample(f"{source}/{number}.png", source, number % 3, f"{source}{number:060d}", box,
               drawn_face(LABEL_NAMES[number % 3], rng), box, single=True)
        for number in range(count)
    ]  # fmt: skip


def settings(out: Path, **changes: Any) -> TrainSettings:
    recipe = {"recipe": "classic", "backbone_weights": "none", "size_px": 32, "alpha": 0.35, "batch": 8}
    return TrainSettings(**{"data": (), "val": (), "out": out, "epochs_head": 2, **recipe, **changes})


@pytest.fixture(scope="module")
def data() -> Data:
    return split_data(samples(60, "web", 1), samples(12, "street", 2))


def test_classic_run_measures_the_random_split_and_the_other_source(data: Data, tmp_path: Path) -> None:
    from training.classic import train_classic

    report = train_classic(settings(tmp_path), data)
    assert json.loads((tmp_path / "report.json").read_text()) == json.loads(report.model_dump_json())
    assert len(report.history["val_accuracy"]) == 2
    assert report.random_split["macro avg"]["support"] == sum(report.faces["random_split"].values())
    assert report.across["macro avg"]["support"] == 8
    assert all(count["incorrect_mask"] == 0 for count in report.faces.values())
    picture = cv2.imread(str(tmp_path / "curves.png"))
    assert picture is not None
    assert picture.std() > 1
    with pytest.raises(ConfigError, match="give another --out"):
        train_classic(settings(tmp_path), data)


def test_classic_split_keeps_the_shares_of_the_labels() -> None:
    from training.classic import stratified_split

    labels = [0] * 80 + [1] * 20
    learned, held = stratified_split(labels, seed=1)
    assert sorted([*learned, *held]) == list(range(100))
    assert [labels[i] for i in held].count(1) == 4
