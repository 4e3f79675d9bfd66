"""A user's folder of models: which model is active, who may say so, and what is believed of what lies there."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from maskwatch.errors import ChecksumMismatch, LabelMismatch, ModelError
from models.activate import activate
from models.classifier import DEFAULT_CLASSIFIER
from models.cli import models
from models.manifest import EngineName, ModelKind
from models.registry import SHIPPED, SHIPPED_ROOT, Registry
from models.store import ACTIVE, ModelStore
from tests.support_models import edit_manifest
from tests.support_store import copy_shipped, litert_file
from workers.models import WorkerModels

CLASSIFIER, DETECTOR = ModelKind.CLASSIFIER, ModelKind.DETECTOR


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "state" / "models")


def folder_of(store: ModelStore) -> Path:
    assert store.folder is not None
    return store.folder


def run(store: ModelStore, *words: str) -> tuple[int, str]:
    """Run `maskwatch models`; return exit code, and output with the error."""
    result = CliRunner().invoke(models, list(words), env={"MASKWATCH_MODELS__DIR": str(store.folder)})
    return result.exit_code, result.output + (str(result.exception) if result.exception else "")


def test_nothing_is_active_where_there_is_no_folder(store: ModelStore) -> None:
    assert store.stamp() is None
    for kind in ModelKind:
        assert store.active().of(kind) is None
        assert store.entry(kind, None).folder == SHIPPED_ROOT / SHIPPED[kind]
    assert not folder_of(store).exists(), "looking makes nothing"


def test_default_classifier_is_the_shipped_one() -> None:
    assert SHIPPED[CLASSIFIER] == DEFAULT_CLASSIFIER


def test_users_model_comes_before_a_shipped_one_of_its_name_but_is_not_the_default(store: ModelStore) -> None:
    mine = copy_shipped(CLASSIFIER, folder_of(store), SHIPPED[CLASSIFIER], "9.0.0")
    assert store.registry.get(SHIPPED[CLASSIFIER]).folder == mine
    assert store.entry(CLASSIFIER, None).folder == SHIPPED_ROOT / SHIPPED[CLASSIFIER]


def test_activation_of_one_kind_leaves_the_other(store: ModelStore) -> None:
    copy_shipped(CLASSIFIER, folder_of(store), "door-mask")
    copy_shipped(DETECTOR, folder_of(store), "door-face")
    before = store.stamp()
    store.activate(store.registry.get("door-mask"))
    assert store.stamp() != before
    store.activate(store.registry.get("door-face"))
    active = store.active()
    assert [active.of(kind) and active.of(kind).name for kind in ModelKind] == ["door-mask", "door-face"]  # type: ignore[union-attr]
    assert store.entry(CLASSIFIER, active.classifier).label == "door-mask 2.0.0"
    store.activate_shipped()
    assert [store.active().of(kind) for kind in ModelKind] == [None, None]


def test_activating_the_shipped_model_is_going_back(store: ModelStore) -> None:
    copy_shipped(CLASSIFIER, folder_of(store), "door-mask")
    store.activate(store.registry.get("door-mask"))
    store.activate(Registry().get(SHIPPED[CLASSIFIER]))
    assert store.active().classifier is None


def test_each_activation_is_a_new_one(store: ModelStore) -> None:
    copy_shipped(CLASSIFIER, folder_of(store), "door-mask")
    store.activate(store.registry.get("door-mask"))
    first = store.active().classifier
    store.activate(store.registry.get("door-mask"))
    assert store.active().classifier != first


def test_activations_at_once_forget_none(store: ModelStore) -> None:
    copy_shipped(CLASSIFIER, folder_of(store), "door-mask")
    copy_shipped(DETECTOR, folder_of(store), "door-face")
    entries = [store.registry.get(name) for name in ("door-mask", "door-face")]
    threads = [threading.Thread(target=store.activate, args=(entry,)) for entry in entries * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(store.active().of(kind) for kind in ModelKind)
    assert sorted(path.name for path in folder_of(store).glob("*active*")) == ["active.json", "active.lock"]


def test_folders_above_are_for_the_user_alone(store: ModelStore) -> None:
    store.activate_shipped()
    assert stat.S_IMODE(folder_of(store).parent.stat().st_mode) == 0o700


def test_manifest_that_was_changed_after_the_activation_is_refused(store: ModelStore) -> None:
    model = copy_shipped(CLASSIFIER, folder_of(store), "door-mask")
    store.activate(store.registry.get("door-mask"))
    edit_manifest(model, lambda manifest: manifest.update(version="2.0.1"))
    with pytest.raises(ChecksumMismatch, match="run: maskwatch models activate door-mask"):
        store.entry(CLASSIFIER, store.active().classifier)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\x80\x04.",
        b"[]",
        b'{"classifier": {"name": "../../etc"}}',
        b'{"surprise": 1}',
        b'{"schema_version": 2}',
        b" " * 20_000,
    ],
)
def test_note_of_another_form_is_an_error_that_tells_the_way_out(store: ModelStore, content: bytes) -> None:
    folder_of(store).mkdir(parents=True)
    (folder_of(store) / ACTIVE).write_bytes(content)
    with pytest.raises(ModelError, match="maskwatch models activate --default"):
        store.active()
    code, output = run(store, "list")
    assert (code, "active models" in output) == (1, True)
    assert run(store, "activate", "--default") == (0, "the shipped models are active\n")
    assert store.active().classifier is None


def test_folder_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match=r"can't be written .*models\.dir"):
        ModelStore(tmp_path / "file" / "models").activate_shipped()


def test_model_is_activated_listed_and_left_again(store: ModelStore) -> None:
    copy_shipped(CLASSIFIER, folder_of(store), "door-mask")
    code, output = run(store, "activate", "door-mask")
    assert (code, output) == (0, "door-mask 2.0.0 is the active classifier (tried on engine litert)\n")
    lines = run(store, "list")[1].splitlines()
    assert [line.split(":")[0] for line in lines if line.endswith(", active")] == [
        "door-mask 2.0.0",
        Registry().get(SHIPPED[DETECTOR]).label,
    ]
    items = json.loads(run(store, "list", "--json")[1])["items"]
    assert {item["name"]: item.get("active") for item in items} == {
        "door-mask": True,
        SHIPPED[CLASSIFIER]: False,
        SHIPPED[DETECTOR]: True,
        "yunet": None,
    }


def test_model_that_can_not_be_used_is_not_activated(store: ModelStore) -> None:
    folder = folder_of(store)
    flipped = litert_file(copy_shipped(CLASSIFIER, folder, "flipped"))
    flipped.write_bytes(flipped.read_bytes()[:-1] + b"!")
    with pytest.raises(ChecksumMismatch):
        activate(store, "flipped", EngineName.LITERT)
    copy_shipped(CLASSIFIER, folder, "swapped", change=lambda manifest: manifest["labels"].reverse())
    with pytest.raises(LabelMismatch):
        activate(store, "swapped", EngineName.LITERT)
    copy_shipped(DETECTOR, folder, "narrow", change=lambda manifest: manifest["input"].update(colour="rgb"))
    with pytest.raises(ModelError, match="expected bgr pictures of 320x192 and 640x384"):
        activate(store, "narrow", EngineName.LITERT)
    copy_shipped(DETECTOR, folder, "light")
    with pytest.raises(ModelError, match="no keras file"):
        activate(store, "light", EngineName.KERAS)
    with pytest.raises(ModelError, match="did you mean flipped"):
        activate(store, "fliped", EngineName.LITERT)
    assert not (folder / ACTIVE).exists()


@pytest.mark.parametrize("words", [["activate"], ["activate", "door-mask", "--default"]])
def test_activate_wants_one_of_the_two(store: ModelStore, words: list[str]) -> None:
    code, output = run(store, *words)
    assert (code, "give either the NAME of a model or --default" in output) == (2, True)


def test_worker_that_starts_with_a_model_it_can_not_use_takes_the_shipped_one(store: ModelStore) -> None:
    model = copy_shipped(CLASSIFIER, folder_of(store), "door-mask")
    store.activate(store.registry.get("door-mask"))
    litert_file(model).write_bytes(b"something else")
    refused: list[ModelKind] = []
    started = WorkerModels(EngineName.LITERT, store=store, refused=refused.append)
    assert started.classifier.name == Registry().get(SHIPPED[CLASSIFIER]).label
    assert refused == [CLASSIFIER]
    assert started.detector("maskwatch").model == Registry().get(SHIPPED[DETECTOR]).label
    assert started.chosen == {CLASSIFIER: store.active().classifier, DETECTOR: None}


def test_worker_starts_with_the_shipped_models_when_the_note_is_broken(store: ModelStore) -> None:
    folder_of(store).mkdir(parents=True)
    (folder_of(store) / ACTIVE).write_bytes(b"{")
    assert WorkerModels(EngineName.LITERT, store=store).classifier.name.startswith(SHIPPED[CLASSIFIER])
