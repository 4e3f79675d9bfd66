"""Training as a job: `maskwatch train` on pictures below the allowed folders, and a new model at its end."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from maskwatch.errors import JobError
from maskwatch.jobs import resolve_named
from workers.jobs.child import run_verb
from workers.jobs.context import JobContext, Outcome

__all__ = ["do_train", "train_words"]

_NUMBERS = ("epochs_head", "epochs_fine", "epoch_faces", "batch", "seed", "size", "alpha", "threads")
_PATHS = ("data", "val")
_KEYS = frozenset({*_PATHS, "name", "version", "backbone_weights", "fine_from", *_NUMBERS})
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_LAYER = re.compile(r"[A-Za-z0-9_]{1,60}")
_VERSION = re.compile(r"\d{1,4}\.\d{1,4}\.\d{1,4}")
_MADE = (("report.json", "application/json"), ("report.md", "text/markdown"), ("CARD.md", "text/markdown"))


def do_train(job: JobContext) -> Outcome:
    """Train a classifier and install it; it speaks after `maskwatch models activate`.

    Raises:
        JobError: if something asked for is wrong.
        ChildFailed: if the training ends with an error.
        BlobError: if its report can't be kept.
        Cancelled, Interrupted: as `JobContext.tell`; it goes on after its last epoch.
    """
    run = job.make_folder() / "run"
    words = train_words(job.view.spec, job.settings.named_folders)
    install = ["--models", str(job.settings.models_folder)]
    said = run_verb(job, [*words, *install, "--out", str(run), "--resume"], lambda: _progress(run))
    results = [job.keep(name, run / name, mimetype) for name, mimetype in _MADE if (run / name).is_file()]
    return Outcome(tuple(results), {"model": str(job.view.spec["name"]), "says": said.strip().splitlines()[-1][:200]})


def train_words(spec: Mapping[str, Any], folders: Sequence[Path]) -> list[str]:
    """Return the command line of what was asked for, all but where it is done and kept.

    Args:
        spec: `{"data": [PATH, ...], "val": [...], "name": NAME, "version": "1.0.0", "epochs_fine": 6, ...}`.
        folders: below which pictures may be.

    Raises:
        JobError: naming the key that is wrong.
    """
    unknown = sorted(set(spec) - _KEYS)
    if unknown:
        raise JobError(f"unknown key {unknown[0]!r}; expected {', '.join(sorted(_KEYS))}")
    words = ["train"]
    for key in _PATHS:
        paths = spec.get(key, [])
        if not isinstance(paths, list) or not all(isinstance(one, str) for one in paths):
            raise JobError(f"{key}: expected a list of folders")
        for one in paths:
            words += [f"--{key}", str(resolve_named(one, folders))]
    name, version = str(spec.get("name", "")), str(spec.get("version", "1.0.0"))
    if not spec.get("data"):
        raise JobError("data: expected at least one folder to learn from")
    if _NAME.fullmatch(name) is None:
        raise JobError(f"name: expected lower-case letters, digits and -, received {name[:40]!r}")
    if _VERSION.fullmatch(version) is None:
        raise JobError(f"version: expected MAJOR.MINOR.PATCH, received {version[:40]!r}")
    words += ["--install", name, "--install-version", version]
    if spec.get("backbone_weights") == "none":
        words += ["--backbone-weights", "none"]
    if "fine_from" in spec:
        if _LAYER.fullmatch(str(spec["fine_from"])) is None:
            raise JobError(f"fine_from: expected the beginning of a layer's name, received {spec['fine_from']!r:.40}")
        words += ["--fine-from", str(spec["fine_from"])]
    for key in _NUMBERS:
        if key in spec:
            value = spec[key]
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e6:
                raise JobError(f"{key}: expected a number from 0 to a million, received {str(value)[:20]!r}")
            words += ["--" + key.replace("_", "-"), str(value)]
    return words


def _progress(run: Path) -> float | None:
    """Return the share of the epochs that are done, as the run itself writes it down."""
    try:
        data = json.loads((run / "progress.json").read_text("utf-8"))
        return len(data["epochs"]) / max(1, int(data["planned"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
