from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from maskwatch.errors import EngineUnavailable
from models.engines import EngineName, choose_engine
from models.engines.choice import Machine


@dataclass
class FakeMachine(Machine):
    """A machine with these packages and this GPU; notes whether TensorFlow was asked."""

    packages: set[str] = field(default_factory=lambda: {"ai_edge_litert", "keras", "tensorflow"})
    gpu_files: bool = False
    problem: str | None = None
    backend: str = "tensorflow"
    asked: bool = False

    def has_gpu_files(self) -> bool:
        return self.gpu_files

    def has_package(self, name: str) -> bool:
        return name in self.packages

    def keras_backend(self) -> str:
        return self.backend

    def gpu_problem(self) -> str | None:
        self.asked = True
        return self.problem


def test_auto_takes_litert_without_a_gpu_and_never_imports_tensorflow() -> None:
    machine = FakeMachine()
    assert choose_engine("auto", "litert", machine) is EngineName.LITERT
    assert not machine.asked


def test_auto_takes_keras_on_a_working_gpu() -> None:
    assert choose_engine("auto", "litert", FakeMachine(gpu_files=True)) is EngineName.KERAS


def test_auto_takes_litert_when_the_gpu_does_not_work() -> None:
    assert choose_engine("auto", "none", FakeMachine(gpu_files=True, problem="no memory")) is EngineName.LITERT


def test_auto_takes_litert_beside_a_gpu_without_tensorflow() -> None:
    machine = FakeMachine(packages={"ai_edge_litert"}, gpu_files=True)
    assert choose_engine("auto", "litert", machine) is EngineName.LITERT


def test_keras_on_a_cpu_is_allowed() -> None:
    assert choose_engine("keras", "none", FakeMachine()) is EngineName.KERAS


def test_keras_on_jax_is_allowed() -> None:
    machine = FakeMachine(packages={"keras", "jax"}, backend="jax")
    assert choose_engine("keras", "none", machine) is EngineName.KERAS


def test_keras_without_tensorflow_falls_back() -> None:
    assert choose_engine("keras", "litert", FakeMachine(packages={"ai_edge_litert"})) is EngineName.LITERT


@pytest.mark.parametrize(
    ("machine", "says"),
    [
        (FakeMachine(packages={"ai_edge_litert"}), "tensorflow isn't installed; run: pip install"),
        (FakeMachine(gpu_files=True, problem="out of memory"), "out of memory; free the GPU"),
        (FakeMachine(backend="torch"), "received torch; set KERAS_BACKEND"),
    ],
)
def test_keras_that_can_not_run_is_an_error_without_a_fallback(machine: Machine, says: str) -> None:
    with pytest.raises(EngineUnavailable, match=says):
        choose_engine("keras", "none", machine)


def test_missing_litert_is_an_error_whatever_the_fallback() -> None:
    with pytest.raises(EngineUnavailable, match="pip install ai-edge-litert"):
        choose_engine("auto", "litert", FakeMachine(packages=set()))
    with pytest.raises(EngineUnavailable, match="fallback litert can't run either"):
        choose_engine("keras", "litert", FakeMachine(packages=set()))


def test_this_machine_answers_without_importing() -> None:
    machine = Machine()
    assert machine.has_package("numpy")
    assert not machine.has_package("no_such_package_anywhere")
    assert machine.has_gpu_files() in (True, False)
