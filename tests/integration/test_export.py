from __future__ import annotations

import json
from pathlib import Path

import pytest

from maskwatch.errors import ConfigError, MaskwatchError, ModelError
from tests.support_models import TinyRun
from training.samples import read_folder

pytestmark = [
    pytest.mark.timeout(1200),
    # TensorFlow's and Keras' own imports, nothing that this project calls.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(tensorflow|keras|google|h5py|ml_dtypes|astunparse|jax).*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:(tensorflow|keras|h5py).*"),
]


@pytest.mark.slow
def test_export_of_a_run_writes_both_files_and_how_they_compare(tiny_run: TinyRun, tmp_path: Path) -> None:
    from training.export_model import export_model

    faces = read_folder(tiny_run.data)
    report = export_model(tiny_run.out, tmp_path / "out", faces, faces)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"model.keras", "model.float32.tflite", "model.int8.tflite", "parity.json"}
    assert json.loads((tmp_path / "out" / "parity.json").read_text()) == json.loads(report.model_dump_json())
    assert report.parity["model.float32.tflite"]["largest_difference"] < 1e-3
    assert report.parity["model.int8.tflite"]["faces"] == 24
    assert report.size_bytes["model.int8.tflite"] < report.size_bytes["model.float32.tflite"] / 2


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (None, ConfigError, "give a run's folder or a .keras file"),
        (b"\x80\x04\x95 a pickle", ModelError, "a pickle, which is code"),
        (b"\x89HDF\r\n\x1a\n", ModelError, "an HDF5 file"),
    ],
)
def test_what_is_no_model_is_refused(
    tmp_path: Path, content: bytes | None, error: type[MaskwatchError], says: str
) -> None:
    from training.export_model import load_classifier_file

    path = tmp_path / "odd.keras"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=says):
        load_classifier_file(path)


def test_parity_counts_in_points_of_two_and_of_three_labels() -> None:
    import numpy as np

    from training.export import parity

    reference = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8], [0.4, 0.3, 0.3]], np.float32)
    exported = reference.copy()
    exported[3] = (0.3, 0.4, 0.3)
    exported[2] = (0.6, 0.3, 0.1)
    measured = parity(reference, exported, [0, 1, 2, 0])
    assert measured["same_label"] == 0.5
    assert measured["two_class_difference"] == pytest.approx(-1 / 3, abs=1e-4)
    assert measured["three_class_difference"] == -0.5
