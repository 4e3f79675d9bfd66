from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maskwatch.errors import ChecksumMismatch, LabelMismatch, ModelError
from maskwatch.types import LABELS
from models.manifest import EngineName, ModelKind, read_manifest
from models.registry import Registry, sha256_of


def write_model(root: Path, name: str = "some-mask", change: Callable[[dict[str, Any]], None] | None = None) -> Path:
    """Write a model whose files are no networks: enough for everything that doesn't parse weights."""
    folder = root / name
    folder.mkdir()
    (folder / "CARD.md").write_text("# card\n")
    (folder / "model.keras").write_bytes(b"keras weights")
    (folder / "model.int8.tflite").write_bytes(b"litert weights")
    files = [
        {"path": path, "engine": engine, "sha256": sha256_of(folder / path), "size_bytes": size}
        for path, engine, size in (("model.keras", "keras", 13), ("model.int8.tflite", "litert", 14))
    ]
    manifest: dict[str, Any] = {
        "name": name,
        "version": "1.2.3",
        "kind": "classifier",
        "labels": list(LABELS),
        "input": {"sizes_wh": [[64, 64]], "colour": "rgb"},
        "outputs": [{"name": "probabilities", "shape": [3]}],
        "files": files,
        "licence": "Apache-2.0",
    }
    if change:
        change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_models_are_found_by_their_folders(tmp_path: Path) -> None:
    write_model(tmp_path, "b-mask")
    write_model(tmp_path, "a-mask")
    (tmp_path / "no-model").mkdir()
    assert Registry(tmp_path).names() == ("a-mask", "b-mask")
    assert [entry.label for entry in Registry(tmp_path).list()] == ["a-mask 1.2.3", "b-mask 1.2.3"]


def test_folder_that_is_missing_holds_no_models(tmp_path: Path) -> None:
    assert Registry(tmp_path / "nowhere").list() == ()


def test_unknown_name_is_answered_with_a_near_one(tmp_path: Path) -> None:
    write_model(tmp_path)
    with pytest.raises(ModelError, match="did you mean some-mask"):
        Registry(tmp_path).get("some-mash")
    with pytest.raises(ModelError, match="there are: some-mask"):
        Registry(tmp_path).get("zzz")


def test_untouched_files_pass_the_check(tmp_path: Path) -> None:
    write_model(tmp_path)
    assert [file.path for file in Registry(tmp_path).verify("some-mask")] == ["model.keras", "model.int8.tflite"]


@pytest.mark.parametrize("content", [b"other weights!", b"litert", b"", b"litert weights and more"])
def test_changed_or_cut_file_is_refused_with_the_checksum_that_was_expected(tmp_path: Path, content: bytes) -> None:
    folder = write_model(tmp_path)
    expected = sha256_of(folder / "model.int8.tflite")
    (folder / "model.int8.tflite").write_bytes(content)
    entry = Registry(tmp_path).get("some-mask")
    with pytest.raises(ChecksumMismatch, match=f"expected sha256 {expected} .*install the model again"):
        entry.read(entry.file_for(EngineName.LITERT))
    with pytest.raises(ChecksumMismatch):
        Registry(tmp_path).verify("some-mask")


def test_missing_file_and_missing_card_are_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path)
    (folder / "model.keras").unlink()
    with pytest.raises(ModelError, match="can't be read"):
        Registry(tmp_path).verify("some-mask")
    (folder / "CARD.md").unlink()
    with pytest.raises(ModelError, match=r"no CARD\.md"):
        Registry(tmp_path).verify("some-mask")


def test_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path)
    elsewhere = tmp_path / "elsewhere.keras"
    (folder / "model.keras").rename(elsewhere)
    (folder / "model.keras").symlink_to(elsewhere)
    with pytest.raises(ModelError, match="leads out of the model's folder"):
        Registry(tmp_path).verify("some-mask")


@pytest.mark.parametrize("labels", [["without_mask", "with_mask", "incorrect_mask"], ["mask", "no_mask"]])
def test_classifier_of_other_labels_is_refused(tmp_path: Path, labels: list[str]) -> None:
    write_model(tmp_path, change=lambda manifest: manifest.update(labels=labels))
    with pytest.raises(LabelMismatch, match=f"received {', '.join(labels)}"):
        Registry(tmp_path).get("some-mask")


def test_detector_may_have_its_own_labels(tmp_path: Path) -> None:
    write_model(tmp_path, change=lambda manifest: manifest.update(kind="detector", labels=["face"]))
    entry = Registry(tmp_path).get("some-mask")
    with pytest.raises(ModelError, match="expected a classifier, received a detector"):
        entry.require(ModelKind.CLASSIFIER, LABELS)


def set_file(key: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(manifest: dict[str, Any]) -> None:
        manifest["files"][0][key] = value

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (set_file("path", "../model.keras"), "files.0.path"),
        (set_file("path", "model.h5"), r"reads \.keras files only"),
        (set_file("path", "model.pkl"), r"reads \.keras files only"),
        (set_file("sha256", "abc"), "files.0.sha256"),
        (set_file("size_wh", [99, 99]), "not one of input.sizes_wh"),
        (lambda manifest: manifest.update(surprise=1), "surprise"),
        (lambda manifest: manifest["input"].update(dtype="float32"), "input.dtype"),
        (lambda manifest: manifest["outputs"].append({"name": "more", "shape": [1]}), "output_tensors must name each"),
        (lambda manifest: manifest["files"][1].update(exported_from="0" * 64), "exported_from names no"),
    ],
)
def test_manifest_of_another_form_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], says: str
) -> None:
    folder = write_model(tmp_path, change=change)
    with pytest.raises(ModelError, match=says):
        read_manifest(folder / "manifest.json")


@pytest.mark.parametrize("content", [b"", b"not json", b"[]", b"\x80\x04pickle", b" " * 300_000])
def test_file_that_is_no_manifest_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = write_model(tmp_path)
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(ModelError, match="model manifest"):
        Registry(tmp_path).get("some-mask")


def test_manifest_of_another_name_than_its_folder_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path).rename(tmp_path / "renamed")
    with pytest.raises(ModelError, match=r"expected name renamed .* received some-mask"):
        Registry(tmp_path).get("renamed")


def test_size_that_the_model_does_not_take_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path)
    with pytest.raises(ModelError, match="expected an input of 64x64, received 32x32"):
        Registry(tmp_path).get("some-mask").file_for(EngineName.KERAS, (32, 32))


def test_engine_without_a_file_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path, change=lambda manifest: manifest["files"].pop())
    with pytest.raises(ModelError, match="no litert file"):
        Registry(tmp_path).get("some-mask").file_for(EngineName.LITERT)
