"""Which engine a worker uses, by what the machine has and what its owner asked for."""

from __future__ import annotations

import glob
import importlib
import os
from importlib.util import find_spec
from typing import Literal

import structlog

from maskwatch.errors import EngineUnavailable
from models.manifest import EngineName

__all__ = ["Fallback", "Machine", "Requested", "choose_engine"]

Requested = Literal["auto", "litert", "keras"]
Fallback = Literal["litert", "none"]

GPU_DEVICE_FILES = ("/dev/nvidia[0-9]*", "/dev/nvidiactl", "/dev/dxg")
"""NVIDIA's driver makes the first two, WSL the last; without any of them TensorFlow can't see a GPU."""


class Machine:
    """What this machine has; tests give their own."""

    def has_gpu_files(self) -> bool:
        """Say whether the driver's device files exist; takes microseconds, where asking TensorFlow takes 7 s."""
        return any(glob.glob(pattern) for pattern in GPU_DEVICE_FILES)

    def has_package(self, name: str) -> bool:
        """Say whether a package is installed, without importing it."""
        return find_spec(name) is not None

    def keras_backend(self) -> str:
        """Return the backend that Keras will take."""
        return os.environ.get("KERAS_BACKEND", "tensorflow")

    def gpu_problem(self) -> str | None:
        """Import TensorFlow, run one operation on the GPU, and return what is wrong, or None."""
        try:
            tf = importlib.import_module("tensorflow")
        except ImportError as error:
            return f"TensorFlow can't be imported ({error})"
        try:
            gpus = tf.config.list_physical_devices("GPU")
            if not gpus:
                return "TensorFlow sees no GPU (its CUDA libraries are missing or don't fit the driver)"
            for gpu in gpus:
                tf.config.experimental.set_memory_growth(gpu, True)
            with tf.device("/GPU:0"):
                tf.linalg.matmul(tf.ones((64, 64)), tf.ones((64, 64))).numpy()
        except (RuntimeError, ValueError, tf.errors.OpError) as error:
            return (str(error).strip() or type(error).__name__).splitlines()[0]
        return None


def choose_engine(
    requested: Requested = "auto", fallback: Fallback = "litert", machine: Machine | None = None
) -> EngineName:
    """Choose what runs the networks on this machine.

    `auto` takes keras only where TensorFlow is installed and works on a GPU, litert otherwise. `keras` on a machine
    without a GPU is allowed, with a warning.

    Args:
        requested: what the owner asked for.
        fallback: what to take when it can't run; "none" makes that an error.
        machine: what to ask; None asks this machine.

    Raises:
        EngineUnavailable: if the engine can't run and there is no fallback, or the fallback can't run either.
    """
    machine = machine or Machine()
    log = structlog.get_logger()
    wanted = _automatic(machine) if requested == "auto" else EngineName(requested)
    problem = _problem(wanted, machine)
    if problem is None:
        log.debug("engine.chosen", engine=wanted.value, requested=requested)
        return wanted
    reason, next_step = problem
    if fallback == "none" or wanted is EngineName.LITERT:
        raise EngineUnavailable(f"engine {wanted}: {reason}; {next_step}")
    other = _problem(EngineName.LITERT, machine)
    if other is not None:
        raise EngineUnavailable(
            f"engine {wanted}: {reason}; {next_step}. Its fallback litert can't run either: {other[0]}; {other[1]}"
        )
    log.warning("engine.fallback", requested=requested, engine="litert", reason=reason, next_step=next_step)
    return EngineName.LITERT


def _automatic(machine: Machine) -> EngineName:
    """Return keras where a GPU works with TensorFlow, else litert; TensorFlow is imported only beside a GPU."""
    if machine.keras_backend() != "tensorflow" or not machine.has_gpu_files() or not machine.has_package("tensorflow"):
        return EngineName.LITERT
    problem = machine.gpu_problem()
    if problem is None:
        return EngineName.KERAS
    structlog.get_logger().warning(
        "engine.gpu_unused", reason=problem, next_step="install maskwatch[gpu], or ignore this to run on the CPU"
    )
    return EngineName.LITERT


def _problem(engine: EngineName, machine: Machine) -> tuple[str, str] | None:
    """Return why an engine can't run here and what to do, or None when it can."""
    if engine is EngineName.LITERT:
        if machine.has_package("ai_edge_litert"):
            return None
        return "ai-edge-litert isn't installed", "run: pip install ai-edge-litert"
    backend = machine.keras_backend()
    if backend not in ("tensorflow", "jax"):
        return f"expected the backend tensorflow or jax, received {backend}", "set KERAS_BACKEND=tensorflow"
    if not machine.has_package(backend) or not machine.has_package("keras"):
        return f"keras with {backend} isn't installed", "run: pip install 'maskwatch[gpu]', or use --engine litert"
    if not machine.has_gpu_files():
        structlog.get_logger().warning(
            "engine.keras_on_cpu", next_step="use --engine litert, which is many times faster on a CPU"
        )
        return None
    problem = machine.gpu_problem() if backend == "tensorflow" else None
    return None if problem is None else (problem, "free the GPU or correct its driver, or use --engine litert")
