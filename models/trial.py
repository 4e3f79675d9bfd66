"""Trying a model in a process of its own, before a worker trusts it.

A checksum says that a file is the one that its manifest names, not that it is harmless: runtimes are large C++
programs, and a crafted file may crash them, never end, or ask for all the memory there is. Here a child ends by it.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from maskwatch.errors import ChecksumMismatch, EngineUnavailable, LabelMismatch, MaskwatchError, ModelError
from maskwatch.service import die_with_parent
from models.manifest import EngineName, ModelKind
from models.registry import ModelEntry, Registry

if TYPE_CHECKING:
    from models.classifier import MaskClassifier
    from models.detectors.face_network import FaceNetworkDetector

__all__ = ["load_entry", "try_model"]

_WITHIN_S = 300.0
"""TensorFlow takes 10 s, and took 77 on two cores that trained networks meanwhile."""

_LITERT_MEMORY_BYTES = 4 << 30
"""Address space of a trial on LiteRT, which needs about 1 GB of it. TensorFlow reserves far more than it uses."""

_BATCH = 4

_KINDS = {kind.__name__: kind for kind in (ModelError, ChecksumMismatch, LabelMismatch, EngineUnavailable)}


def load_entry(entry: ModelEntry, engine: EngineName, threads: int = 1) -> MaskClassifier | FaceNetworkDetector:
    """Load a model as what its manifest says it is.

    Args:
        entry: the model.
        engine: what runs it.
        threads: threads inside one call.

    Raises:
        ModelError: if it can't be used; ChecksumMismatch, LabelMismatch, EngineUnavailable: as their names say.
    """
    if entry.manifest.kind is ModelKind.CLASSIFIER:
        from models.classifier import classifier_from

        return classifier_from(entry, engine, threads)
    from models.detectors.face_network import FaceNetworkDetector

    return FaceNetworkDetector.from_entry(entry, engine, threads=threads)


def try_model(entry: ModelEntry, engine: EngineName, within_s: float = _WITHIN_S) -> None:
    """Load a model and run it once in every size, in a process of its own.

    Args:
        entry: from `Registry.get`.
        engine: what is to run it.
        within_s: seconds that it may take.

    Raises:
        ModelError: if it can't be used, crashes its runtime, takes too long, or answers with what is no answer.
        ChecksumMismatch: if a file isn't the one that the manifest names, or the manifest has changed.
        LabelMismatch: if it was made for other labels.
        EngineUnavailable: if the engine can't run on this machine.
    """
    # -P: a folder `models` where the user happens to stand is none of ours.
    words = [sys.executable, "-P", "-m", "models.trial", str(entry.folder), entry.manifest_sha256, engine.value]
    # One thread a library: each of theirs takes address space, which is bounded here.
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environ = {**os.environ, **one_thread, "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        ended = subprocess.run(  # noqa: S603  # our own interpreter and module
            words, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=within_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ModelError(
            f"model {entry.label}: expected an answer on engine {engine} within {within_s:.0f} s, received none; "
            "use another model"
        ) from None
    _raise_what_was_said(entry, engine, ended)


def _raise_what_was_said(entry: ModelEntry, engine: EngineName, ended: subprocess.CompletedProcess[bytes]) -> None:
    lines = ended.stdout.splitlines()
    try:
        said = json.loads(lines[-1]) if lines else {}
    except ValueError:
        said = {}
    if ended.returncode == 0 and said == {"ok": True}:
        return
    if isinstance(said, dict) and isinstance(said.get("error"), str):
        raise _KINDS.get(str(said.get("kind")), ModelError)(said["error"])
    how = f"exit code {ended.returncode}"
    with contextlib.suppress(ValueError):
        how = signal.Signals(-ended.returncode).name
    raise ModelError(
        f"model {entry.label}: engine {engine} broke down over it ({how}) when it was tried; its files are damaged or "
        "malicious: use another model"
    )


def _run_once(entry: ModelEntry, engine: EngineName) -> None:
    """Load a model and run it on noise in every size that a worker uses.

    Raises:
        ModelError: if it can't be used, or answers with what is no answer.
    """
    import numpy as np

    from maskwatch.types import Profile
    from models.classifier import MaskClassifier

    model = load_entry(entry, engine)
    rng = np.random.default_rng(1)
    if isinstance(model, MaskClassifier):
        side = model.size_px
        chances = model.classify(rng.integers(0, 256, (_BATCH, side, side, 3), np.uint8))
        if not np.isfinite(chances).all() or np.abs(chances.sum(axis=1) - 1).max() > 0.05 or chances.min() < -0.01:
            raise ModelError(
                f"model {entry.label}: expected probabilities that sum to 1, received {chances[0].tolist()}; "
                "its last layer must be a softmax"
            )
        return
    lying = rng.integers(0, 256, (360, 640, 3), np.uint8)
    for profile in Profile:
        model.detect([lying, np.ascontiguousarray(lying.transpose(1, 0, 2))], profile)


def _main(folder: Path, manifest_sha256: str, engine: EngineName) -> None:
    """Be the child: say on stdout how it went."""
    die_with_parent()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if engine is EngineName.LITERT:
        resource.setrlimit(resource.RLIMIT_AS, (_LITERT_MEMORY_BYTES, _LITERT_MEMORY_BYTES))
    try:
        entry = Registry(folder.parent).get(folder.name)
        if entry.manifest_sha256 != manifest_sha256:
            raise ChecksumMismatch(f"model {entry.label}: its manifest was changed a moment ago; try again")
        _run_once(entry, engine)
        said: dict[str, object] = {"ok": True}
    except MaskwatchError as error:
        said = {"error": str(error), "kind": type(error).__name__}
    except MemoryError:
        said = {"error": f"model {folder.name}: engine {engine} wants more memory for it than it may have; use another"}
    print(f"\n{json.dumps(said)}", flush=True)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2], EngineName(sys.argv[3]))
