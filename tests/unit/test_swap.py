"""When a worker looks for other models, what it does with those that fail, and that it never waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import cast

import pytest

from maskwatch.errors import ModelError
from models.manifest import ModelKind
from models.store import Active, ActiveModel
from tests.support import wait_for
from workers.models import NetworkModel, WorkerModels
from workers.swap import ModelSwap

WITHIN_S = 60


def chosen(name: str, activation: str = "0" * 16) -> ActiveModel:
    return ActiveModel(name=name, version="1.0.0", manifest_sha256="0" * 64, activation=activation)


class FakeStore:
    """A note that tests write."""

    def __init__(self) -> None:
        self.note: Active | ModelError = Active()
        self.changes = 0

    def write(self, note: Active | ModelError) -> None:
        self.note = note
        self.changes += 1

    def stamp(self) -> tuple[int, int, int]:
        return (self.changes, 0, 0)

    def active(self) -> Active:
        if isinstance(self.note, ModelError):
            raise self.note
        return self.note


class FakeModels:
    """Loads what isn't called `bad`; a model is the text of its name."""

    def __init__(self) -> None:
        self.store = FakeStore()
        self.stamp = self.store.stamp()
        self.chosen: dict[ModelKind, ActiveModel | None] = {ModelKind.CLASSIFIER: None, ModelKind.DETECTOR: None}
        self.loads: list[str] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def load(self, kind: ModelKind, model: ActiveModel | None) -> NetworkModel:
        self.may_go_on.wait(WITHIN_S)
        name = model.name if model else f"shipped {kind}"
        self.loads.append(name)
        if name == "bad":
            raise ModelError("bad model")
        if name == "deadly":
            raise ZeroDivisionError("a runtime's own error")
        return cast(NetworkModel, name)


@pytest.fixture
def models() -> FakeModels:
    return FakeModels()


@pytest.fixture
def refused() -> list[ModelKind]:
    return []


@pytest.fixture
def swap(models: FakeModels, refused: list[ModelKind]) -> ModelSwap:
    return ModelSwap(cast(WorkerModels, models), refused.append, every_s=0.0)


def next_model(swap: ModelSwap) -> str:
    return cast(str, wait_for(swap.step, WITHIN_S, "a model is ready", every_s=0.001))


def settled(swap: ModelSwap, condition: Callable[[], object]) -> None:
    """Step until something holds; no model may come."""

    def is_so() -> bool:
        assert swap.step() is None
        return bool(condition())

    wait_for(is_so, WITHIN_S, "it has settled", every_s=0.001)


def test_nothing_is_loaded_while_the_note_stays(swap: ModelSwap, models: FakeModels) -> None:
    assert [swap.step() for _ in range(5)] == [None] * 5
    assert models.loads == []


def test_model_that_was_activated_is_handed_over_once(swap: ModelSwap, models: FakeModels) -> None:
    models.store.write(Active(classifier=chosen("new")))
    assert next_model(swap) == "new"
    assert [swap.step() for _ in range(5)] == [None] * 5
    assert models.loads == ["new"]


def test_going_back_loads_the_shipped_one(swap: ModelSwap, models: FakeModels) -> None:
    models.store.write(Active(detector=chosen("new")))
    assert next_model(swap) == "new"
    models.store.write(Active())
    assert next_model(swap) == "shipped detector"


def test_both_kinds_come_one_after_the_other(swap: ModelSwap, models: FakeModels) -> None:
    models.store.write(Active(classifier=chosen("one"), detector=chosen("two")))
    assert [next_model(swap), next_model(swap)] == ["one", "two"]


def test_step_never_waits_for_a_load(swap: ModelSwap, models: FakeModels) -> None:
    models.may_go_on.clear()
    models.store.write(Active(classifier=chosen("slow")))
    assert [swap.step() for _ in range(20)] == [None] * 20
    models.may_go_on.set()
    assert next_model(swap) == "slow"


def test_choice_that_changes_during_a_load_is_made_after_it(swap: ModelSwap, models: FakeModels) -> None:
    models.may_go_on.clear()
    models.store.write(Active(classifier=chosen("first")))
    assert swap.step() is None
    models.store.write(Active(classifier=chosen("second")))
    models.may_go_on.set()
    assert [next_model(swap), next_model(swap)] == ["first", "second"]


@pytest.mark.parametrize("name", ["bad", "deadly"])
def test_refused_model_is_counted_once_and_not_tried_again(
    swap: ModelSwap, models: FakeModels, refused: list[ModelKind], name: str
) -> None:
    models.store.write(Active(classifier=chosen(name)))
    settled(swap, lambda: refused)
    assert [swap.step() for _ in range(10)] == [None] * 10
    assert (refused, models.loads) == ([ModelKind.CLASSIFIER], [name])


def test_refused_model_is_tried_again_once_it_is_activated_again(
    swap: ModelSwap, models: FakeModels, refused: list[ModelKind]
) -> None:
    models.store.write(Active(classifier=chosen("bad")))
    settled(swap, lambda: len(refused) == 1)
    models.store.write(Active(classifier=chosen("bad", "1" * 16)))
    settled(swap, lambda: len(refused) == 2)


def test_note_that_can_not_be_read_changes_nothing(
    swap: ModelSwap, models: FakeModels, refused: list[ModelKind]
) -> None:
    models.store.write(ModelError("no JSON"))
    assert [swap.step() for _ in range(5)] == [None] * 5
    assert (refused, models.loads) == ([], [])


def test_note_is_looked_at_no_more_often_than_asked(models: FakeModels) -> None:
    swap = ModelSwap(cast(WorkerModels, models), lambda _kind: None, every_s=3600.0)
    models.store.write(Active(classifier=chosen("new")))
    assert [swap.step() for _ in range(5)] == [None] * 5
    assert models.loads == []


def test_close_waits_for_a_load_that_is_nearly_done(
    swap: ModelSwap, models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.swap._CLOSE_WITHIN_S", WITHIN_S)
    models.store.write(Active(classifier=chosen("new")))
    assert swap.step() is None
    swap.close()
    assert models.loads == ["new"]
    swap.close()
