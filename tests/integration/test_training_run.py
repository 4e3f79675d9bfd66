from __future__ import annotations

import csv
import gzip
import json
import shutil
import zipfile
from pathlib import Path

import cv2
import pytest

from models.classifier import load_classifier
from models.engines import EngineName
from models.registry import Registry, sha256_of
from tests.support_models import TinyRun, run_maskwatch, write_class_folders

pytestmark = pytest.mark.timeout(1200)


def test_run_leaves_model_exports_report_and_pictures(tiny_run: TinyRun) -> None:
    names = {path.name for path in tiny_run.out.iterdir()}
    files = "model.keras model.float32.tflite model.int8.tflite report.json report.md CARD.md data.csv.gz data"
    pictures = "curves.png confusion.png precision_recall.png reliability.png worst.png"
    assert {*files.split(), *pictures.split()} <= names
    assert not [name for name in names if name.startswith(("part-", "small-"))]
    for name in pictures.split():
        picture = cv2.imread(str(tiny_run.out / name))
        assert picture is not None, name
        assert picture.std() > 1, name


def test_stdout_is_the_report_and_nothing_else(tiny_run: TinyRun) -> None:
    assert json.loads(tiny_run.stdout) == json.loads((tiny_run.out / "report.json").read_text())


def test_report_holds_figures_by_source_and_parity(tiny_run: TinyRun) -> None:
    report = json.loads(tiny_run.stdout)
    assert report["faces"]["train"] == {"with_mask": 8, "without_mask": 8, "incorrect_mask": 8}
    assert [record["phase"] for record in report["epochs"]] == ["fine"]
    assert report["figures"]["int8"]["by_source"]["drawn"]["faces"] == 6
    assert report["parity"]["float32"]["largest_difference"] < 1e-3
    assert report["parity"]["int8"]["faces"] == 6
    assert 0.2 <= report["calibration"]["temperature"] <= 10
    assert report["sha256"]["model.keras"] == sha256_of(tiny_run.out / "model.keras")
    assert report["size_bytes"]["model.keras"] == (tiny_run.out / "model.keras").stat().st_size


def test_keras_file_is_packed(tiny_run: TinyRun) -> None:
    with zipfile.ZipFile(tiny_run.out / "model.keras") as archive:
        weights = archive.getinfo("model.weights.h5")
    assert weights.compress_size < 0.8 * weights.file_size


def test_data_list_names_each_picture_with_its_checksum(tiny_run: TinyRun) -> None:
    with gzip.open(tiny_run.out / "data.csv.gz", "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30
    first = next(row for row in rows if row["file"] == "train/with_mask/0.png")
    assert first["sha256"] == sha256_of(tiny_run.data / "with_mask" / "0.png")
    assert (first["split"], first["source"], first["label"], first["faces"]) == ("train", "drawn", "with_mask", "1")


def test_installed_model_passes_the_registry(tiny_run: TinyRun) -> None:
    registry = Registry(tiny_run.models)
    assert registry.names() == ("tiny",)
    files = registry.verify("tiny")
    assert files[1].exported_from == files[0].sha256
    card = (tiny_run.models / "tiny" / "CARD.md").read_text()
    for part in (
        "# tiny 0.1.0",
        "must not be used",
        "## Data and licences",
        "## Who is in the data",
        "## Limits and bias",
    ):
        assert part in card


def test_installed_model_knows_when_it_cant_tell(tiny_run: TinyRun) -> None:
    unknown_below = json.loads(tiny_run.stdout)["calibration"]["unknown_below"]
    loaded = load_classifier(EngineName.LITERT, "tiny", registry=Registry(tiny_run.models))
    assert loaded.unknown_below == unknown_below
    loaded.close()


def test_run_that_is_there_already_is_not_overwritten(tiny_run: TinyRun) -> None:
    result = run_maskwatch("train", "--data", tiny_run.data, "--out", tiny_run.out)
    assert result.returncode == 2
    assert "give --resume to go on, or another --out" in result.stderr


def test_resumed_run_goes_on_after_the_last_epoch(tiny_run: TinyRun, tmp_path: Path) -> None:
    out = Path(shutil.copytree(tiny_run.out, tmp_path / "run"))
    before = json.loads(tiny_run.stdout)["epochs"]
    words = ("--data", tiny_run.data, "--out", out, *tiny_run.options, "--epochs-fine", "2", "--resume", "--json")
    result = run_maskwatch("train", *words)
    assert result.returncode == 0, result.stderr
    epochs = json.loads(result.stdout)["epochs"]
    assert epochs[:1] == before
    assert [record["epoch"] for record in epochs] == [0, 1]


def test_resume_with_other_settings_is_refused(tiny_run: TinyRun) -> None:
    result = run_maskwatch("train", "--data", tiny_run.data, "--out", tiny_run.out, "--resume", "--batch", "4")
    assert result.returncode == 2
    assert "can't resume with other settings; it had" in result.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--data", "nowhere"), "data folder nowhere: not found"),
        (("--data", "drawn", "--size", "100"), "--size: Input should be a multiple of 32, received 100"),
        (("--data", "odd"), "received 'some_other_class'"),
        (("--data", "empty"), "expected pictures, received none"),
    ],
)
def test_bad_input_exits_2_and_says_what_to_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_class_folders(tmp_path / "drawn", 1)
    (tmp_path / "odd" / "some_other_class").mkdir(parents=True)
    (tmp_path / "empty" / "with_mask").mkdir(parents=True)
    result = run_maskwatch("train", *words, "--out", tmp_path / "run")
    assert result.returncode == 2
    assert says in result.stderr
    assert "Traceback" not in result.stderr
