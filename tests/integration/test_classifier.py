"""One contract for every engine, on a small model trained here; then what only the shipped model can show."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskwatch.arrays import UInt8Array
from maskwatch.errors import ChecksumMismatch, EngineUnavailable, LabelMismatch, ModelError, ShapeError
from maskwatch.types import LABELS
from models.classifier import MaskClassifier, load_classifier
from models.engines import EngineName
from models.registry import Registry
from tests.support_models import LABEL_NAMES, copy_model, drawn_face, edit_manifest, reseal

pytestmark = [
    pytest.mark.timeout(1200),
    # TensorFlow's and Keras' own imports, nothing that this project calls.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(tensorflow|keras|google|h5py|ml_dtypes|astunparse|jax).*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:(tensorflow|keras|h5py).*"),
]

INT8_TOLERANCE = 0.15
"""Largest difference of a probability between the int8 file and the Keras model; most differ by less than 0.01."""

BATCHES = (0, 1, 3, 17)


def faces(count: int, side: int = 64) -> UInt8Array:
    """Return drawn faces, (count, side, side, 3) uint8."""
    rng = np.random.default_rng(7)
    drawn = [drawn_face(LABEL_NAMES[number % 3], rng, side) for number in range(count)]
    return np.array(drawn, np.uint8).reshape(count, side, side, 3)


@pytest.fixture(scope="session", params=list(EngineName))
def classifier(request: pytest.FixtureRequest, tiny_models: Path) -> Iterator[MaskClassifier]:
    loaded = load_classifier(request.param, "tiny", registry=Registry(tiny_models))
    yield loaded
    loaded.close()


def test_name_and_size_come_from_the_manifest(classifier: MaskClassifier) -> None:
    assert classifier.name == "tiny 0.1.0"
    assert classifier.size_px == 64


@pytest.mark.parametrize("count", BATCHES)
def test_any_batch_gives_probabilities_of_each_face(classifier: MaskClassifier, count: int) -> None:
    chances = classifier.classify(faces(count))
    assert chances.shape == (count, len(LABELS))
    assert chances.dtype == np.float32
    assert np.allclose(chances.sum(axis=1), 1, atol=0.02)


def test_a_face_gets_the_same_answer_alone_and_in_a_batch(classifier: MaskClassifier) -> None:
    many = faces(17)
    together = classifier.classify(many)
    alone = np.concatenate([classifier.classify(many[i : i + 1]) for i in range(17)])
    assert np.allclose(together, alone, atol=0.01)


def test_answers_belong_to_the_caller(classifier: MaskClassifier) -> None:
    first = classifier.classify(faces(1))
    kept = first.copy()
    classifier.classify(255 - faces(1))
    assert (first == kept).all()


def test_faces_are_not_changed(classifier: MaskClassifier) -> None:
    given = faces(3)
    before = given.copy()
    classifier.classify(given)
    assert (given == before).all()


def test_views_that_are_not_contiguous_are_taken(classifier: MaskClassifier) -> None:
    mirrored = faces(3)[:, :, ::-1]
    expected = classifier.classify(np.ascontiguousarray(mirrored))
    assert np.allclose(classifier.classify(mirrored), expected, atol=1e-5)


@pytest.mark.parametrize(
    "wrong", [faces(2).astype(np.float32), faces(2, 32), faces(2)[0], np.zeros((2, 64, 64, 1), np.uint8)]
)
def test_faces_of_another_form_are_refused(classifier: MaskClassifier, wrong: Any) -> None:
    with pytest.raises(ShapeError, match=r"expected \(N, 64, 64, 3\) uint8"):
        classifier.classify(wrong)


def test_engines_agree(tiny_models: Path) -> None:
    loaded = [load_classifier(engine, "tiny", registry=Registry(tiny_models)) for engine in EngineName]
    litert, keras = (one.classify(faces(17)) for one in loaded)
    assert np.abs(litert - keras).max() < INT8_TOLERANCE
    for one in loaded:
        one.close()


@pytest.mark.parametrize("engine", list(EngineName))
def test_closed_classifier_says_so(tiny_models: Path, engine: EngineName) -> None:
    loaded = load_classifier(engine, "tiny", registry=Registry(tiny_models))
    loaded.close()
    loaded.close()
    with pytest.raises(ModelError, match="closed"):
        loaded.classify(faces(1))


@pytest.mark.parametrize(("engine", "file"), [("litert", "model.int8.tflite"), ("keras", "model.keras")])
class TestRefusals:
    """Files that must never be parsed, or can't be."""

    def test_tampered_file(self, tiny_models: Path, tmp_path: Path, engine: str, file: str) -> None:
        path = copy_model(tiny_models / "tiny", tmp_path) / file
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        with pytest.raises(ChecksumMismatch, match="expected sha256"):
            load_classifier(engine, "tiny", registry=Registry(tmp_path))

    def test_truncated_file(self, tiny_models: Path, tmp_path: Path, engine: str, file: str) -> None:
        path = copy_model(tiny_models / "tiny", tmp_path) / file
        path.write_bytes(path.read_bytes()[:1000])
        with pytest.raises(ChecksumMismatch, match=r"\(1000 bytes\)"):
            load_classifier(engine, "tiny", registry=Registry(tmp_path))

    def test_foreign_file_with_a_fitting_checksum(
        self, tiny_models: Path, tmp_path: Path, engine: str, file: str
    ) -> None:
        model = copy_model(tiny_models / "tiny", tmp_path)
        (model / file).write_bytes(b"\x80\x04\x95 this is a pickle, or nothing")
        reseal(model)
        with pytest.raises(ModelError, match="install the model again"):
            load_classifier(engine, "tiny", registry=Registry(tmp_path))

    def test_swapped_labels(self, tiny_models: Path, tmp_path: Path, engine: str, file: str) -> None:
        model = copy_model(tiny_models / "tiny", tmp_path)
        edit_manifest(model, lambda manifest: manifest.update(labels=[*reversed(LABEL_NAMES)]))
        with pytest.raises(LabelMismatch, match="the order counts"):
            load_classifier(engine, "tiny", registry=Registry(tmp_path))

    def test_manifest_of_another_input_size(self, tiny_models: Path, tmp_path: Path, engine: str, file: str) -> None:
        model = copy_model(tiny_models / "tiny", tmp_path)
        edit_manifest(model, lambda manifest: manifest.update(input={"sizes_wh": [[96, 64]], "colour": "rgb"}))
        with pytest.raises(ModelError):
            load_classifier(engine, "tiny", registry=Registry(tmp_path))

    def test_manifest_of_another_colour_order(self, tiny_models: Path, tmp_path: Path, engine: str, file: str) -> None:
        model = copy_model(tiny_models / "tiny", tmp_path)
        edit_manifest(model, lambda manifest: manifest.update(input={"sizes_wh": [[64, 64]], "colour": "bgr"}))
        with pytest.raises(ModelError, match="expected rgb"):
            load_classifier(engine, "tiny", registry=Registry(tmp_path))


def add_lambda(config: dict[str, Any]) -> None:
    """Put a layer that carries Python code into a Keras model's description."""
    layer = config["config"]["layers"][1]
    layer.update(module="keras.layers", class_name="Lambda", registered_name=None)
    layer["config"] = {
        "name": layer["config"]["name"],
        "function": {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None, "closure": None}},
    }


def add_foreign_class(config: dict[str, Any]) -> None:
    """Put a class of another package into a Keras model's description."""
    config["config"]["layers"][1].update(module="os", class_name="system", registered_name=None)


@pytest.mark.parametrize("change", [add_lambda, add_foreign_class])
def test_keras_file_that_holds_code_is_refused(
    tiny_models: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    model = copy_model(tiny_models / "tiny", tmp_path)
    path = model / "model.keras"
    altered = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(altered, "w") as new:
        for item in old.namelist():
            content = old.read(item)
            if item == "config.json":
                config = json.loads(content)
                change(config)
                content = json.dumps(config).encode()
            new.writestr(item, content)
    path.write_bytes(altered.getvalue())
    reseal(model)
    with pytest.raises(ModelError, match="refused before Keras saw it"):
        load_classifier("keras", "tiny", registry=Registry(tmp_path))


def test_engine_that_can_not_be_imported_says_what_to_install(
    tiny_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(EngineUnavailable, match="pip install ai-edge-litert"):
        load_classifier("litert", "tiny", registry=Registry(tiny_models))
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(EngineUnavailable, match="use --engine litert"):
        load_classifier("keras", "tiny", registry=Registry(tiny_models))


def test_shipped_classifier_gives_the_same_labels_on_both_engines() -> None:
    photograph = shipped_faces()
    loaded = [load_classifier(engine) for engine in EngineName]
    litert, keras = (one.classify(photograph) for one in loaded)
    assert loaded[0].size_px == 128
    assert (litert.argmax(axis=1) == keras.argmax(axis=1)).all()
    assert np.abs(litert - keras).max() < INT8_TOLERANCE
    for one in loaded:
        one.close()


def test_shipped_classifier_sees_that_the_astronaut_wears_no_mask() -> None:
    loaded = load_classifier()
    assert LABELS[int(loaded.classify(shipped_faces()[:1])[0].argmax())] == "without_mask"
    loaded.close()


def shipped_faces() -> UInt8Array:
    """Return the astronaut's face from scikit-image (NASA, public domain), plain and mirrored."""
    from skimage.data import astronaut

    from models.crop import crop_faces

    picture_bgr = np.ascontiguousarray(astronaut()[..., ::-1])  # type: ignore[no-untyped-call]
    face = crop_faces(picture_bgr, np.array([[175, 60, 270, 185]], np.float32))
    return np.concatenate([face, face[:, :, ::-1]])
