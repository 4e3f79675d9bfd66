"""A user's folder of models for tests: copies of the shipped ones under other names, whole or broken on purpose."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.manifest import ModelKind
from models.registry import SHIPPED, SHIPPED_ROOT, ModelEntry

__all__ = ["copy_shipped", "entry_of", "litert_file"]

Change = Callable[[dict[str, Any]], None]


def copy_shipped(
    kind: ModelKind, root: Path, name: str, version: str = "2.0.0", change: Change | None = None, keras: bool = False
) -> Path:
    """Copy a shipped model under another name.

    Args:
        kind: which one.
        root: folder of models.
        name: of the copy.
        version: of the copy.
        change: edits the manifest.
        keras: also copy the Keras file; few tests need it.

    Returns:
        The folder of the copy.
    """
    source = SHIPPED_ROOT / SHIPPED[kind]
    manifest = json.loads((source / "manifest.json").read_text())
    manifest |= {"name": name, "version": version}
    if not keras:
        manifest["files"] = [file | {"exported_from": None} for file in manifest["files"] if file["engine"] == "litert"]
    if change:
        change(manifest)
    folder = root / name
    folder.mkdir(parents=True)
    for file in ("CARD.md", *(file["path"] for file in manifest["files"])):
        shutil.copyfile(source / file, folder / file)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def litert_file(model: Path) -> Path:
    """Return a model's first LiteRT file."""
    return sorted(model.glob("*.tflite"))[0]


def entry_of(model: Path) -> ModelEntry:
    """Read a model's manifest without any of the registry's checks."""
    from models.manifest import read_manifest

    return ModelEntry(model, *read_manifest(model / "manifest.json"))
