from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskwatch.errors import ConfigError
from training.samples import Sample
from training.settings import TrainSettings

pytestmark = [
    pytest.mark.timeout(1200),
    # TensorFlow's and Keras' own imports, nothing that this project calls.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(tensorflow|keras|google|h5py|ml_dtypes|astunparse|jax).*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:(tensorflow|keras|h5py).*"),
]


def samples(count: int) -> list[Sample]:
    """Return faces of noise, as many of each label."""
    rng = np.random.default_rng(2)
    box = (5.0, 5.0, 55.0, 55.0)
    return [
        Sample(
            f"a/{i}.png", "a", i % 3, f"{i:064d}", box, rng.integers(0, 256, (60, 60, 3), np.uint8), box, single=False
        )
        for i in range(count)
    ]


def recipe(out: Path, **changes: Any) -> TrainSettings:
    sizes = {"size_px": 32, "alpha": 0.35, "epoch_faces": 24, "batch": 2, "threads": 1}
    epochs = {"epochs_head": 2, "epochs_fine": 0, "backbone_weights": "none"}
    return TrainSettings(**{"data": (), "val": (), "out": out, **sizes, **epochs, **changes})


def stored(path: Path, name: str) -> Any:
    """Return one array of a `.keras` file."""
    import h5py

    with zipfile.ZipFile(path) as archive:
        return h5py.File(io.BytesIO(archive.read("model.weights.h5")))[name][()]


@pytest.mark.slow
def test_interrupted_run_goes_on_with_its_optimizer_and_keeps_averages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training import fit as module

    class Interrupted(Exception):
        pass

    whole = module._epoch

    def interrupted(*words: Any) -> Any:
        if words[-1] == 1:
            raise Interrupted
        return whole(*words)

    faces, settings = samples(12), recipe(tmp_path)
    monkeypatch.setattr(module, "_epoch", interrupted)
    with pytest.raises(Interrupted):
        module.fit(settings, faces, faces, resume=False)
    assert stored(tmp_path / "last.keras", "optimizer/vars/0") == 12
    bias = "layers/dense/vars/1"
    assert not np.array_equal(stored(tmp_path / "best.keras", bias), stored(tmp_path / "last.keras", bias))

    monkeypatch.setattr(module, "_epoch", whole)
    progress = module.fit(settings, faces, faces, resume=True)
    assert [record.epoch for record in progress.epochs] == [0, 1]
    assert stored(tmp_path / "last.keras", "optimizer/vars/0") == 24

    before = (tmp_path / "last.keras").stat().st_mtime_ns
    assert module.fit(settings, faces, faces, resume=True) == progress
    assert (tmp_path / "last.keras").stat().st_mtime_ns == before


@pytest.mark.parametrize(("patience", "expected"), [(0, 6), (2, 4), (3, 5)])
def test_fine_tuning_stops_when_it_hasnt_got_better(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience: int, expected: int
) -> None:
    from training import fit as module

    figures = [0.2, 0.6, 0.5, 0.6, 0.5, 0.4]

    def measured(model: Any, settings: Any, *words: Any) -> Any:
        phase, epoch = words[-2:]
        record = module.EpochRecord(
            phase=phase, epoch=epoch, rate=0, loss=0, accuracy=0, val_loss=0, val_accuracy=0, seconds=0,
            val_balanced_accuracy=figures[epoch],
        )  # fmt: skip
        return record, []

    monkeypatch.setattr(module, "_epoch", measured)
    monkeypatch.setattr(module, "_prepare", lambda *words: None)
    monkeypatch.setattr(module, "_save", lambda *words: None)
    monkeypatch.setattr(
        module, "build_classifier", lambda *words: type("Model", (), {"set_weights": lambda *w: None})()
    )
    settings = recipe(tmp_path, epochs_head=1, epochs_fine=5, patience=patience)
    progress = module.fit(settings, samples(3), samples(3), resume=False)
    assert (len(progress.epochs), progress.best) == (expected, 1)
    assert module.fit(settings, samples(3), samples(3), resume=True) == progress


@pytest.mark.slow
def test_going_on_from_a_trained_model_begins_with_its_weights(tmp_path: Path) -> None:
    from training.fit import fit

    faces = samples(12)
    for run in ("first", "second"):
        (tmp_path / run).mkdir()
    first = recipe(tmp_path / "first", epochs_head=1)
    fit(first, faces, faces, resume=False)
    changes = {"start_from": tmp_path / "first" / "best.keras", "epochs_head": 0, "epochs_fine": 1, "rate_fine": 1e-12}
    fit(recipe(tmp_path / "second", ema=0.0, **changes), faces, faces, resume=False)
    kernel = "layers/dense/vars/0"
    before, after = (
        stored(tmp_path / "first" / "best.keras", kernel),
        stored(tmp_path / "second" / "best.keras", kernel),
    )
    np.testing.assert_allclose(before, after, atol=1e-9)


def test_a_share_of_the_start_stays_in_what_is_kept(tmp_path: Path) -> None:
    from models.backbones import build_classifier
    from training.start import blend

    start, learned = (build_classifier("mobilenet_v2", 32, 0.35, "none") for _ in range(2))
    start.save(tmp_path / "start.keras")
    before = learned.get_layer("probabilities").get_weights()[0]
    blend(learned, tmp_path / "start.keras", 0.25)
    expected = 0.75 * before + 0.25 * start.get_layer("probabilities").get_weights()[0]
    np.testing.assert_allclose(learned.get_layer("probabilities").get_weights()[0], expected, rtol=1e-5)


def test_a_model_of_another_shape_is_refused_as_a_start(tmp_path: Path) -> None:
    from models.backbones import build_classifier
    from training.fit import fit

    faces = samples(6)
    build_classifier("mobilenet_v2", 32, 0.35, "none").save(tmp_path / "best.keras")
    other = recipe(tmp_path / "second", alpha=0.5, start_from=tmp_path / "best.keras")
    with pytest.raises(ConfigError, match=r"--start-from .*best\.keras: expected a classifier of this backbone"):
        fit(other, faces, faces, resume=False)
