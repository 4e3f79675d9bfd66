"""Where models are found, and the check that a file is the one its manifest names before a byte of it is parsed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from maskwatch.errors import LabelMismatch, ModelError
from maskwatch.types import LABELS
from models.files import read_checked
from models.manifest import EngineName, FileSpec, Manifest, ModelKind, read_manifest

__all__ = ["SHIPPED", "SHIPPED_ROOT", "ModelEntry", "Registry", "sha256_of"]

SHIPPED: Mapping[ModelKind, str] = {ModelKind.CLASSIFIER: "maskwatch-mask", ModelKind.DETECTOR: "maskwatch-face"}
"""Names of the models that are used unless others are activated."""

SHIPPED_ROOT = Path(__file__).parent / "weights"

MANIFEST = "manifest.json"
CARD = "CARD.md"


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that is here: its folder and its manifest.

    Attributes:
        folder: where the files lie.
        manifest: what the model says of itself.
        manifest_sha256: of the manifest's file. It holds the checksums of all other files, so it stands for them;
            empty for an entry that was made of something else than a manifest's file.
    """

    folder: Path
    manifest: Manifest
    manifest_sha256: str = ""

    @property
    def label(self) -> str:
        """Return name and version as shown to people, e.g. "maskwatch-mask 1.0.0"."""
        return f"{self.manifest.name} {self.manifest.version}"

    def file_for(self, engine: EngineName, size_wh: tuple[int, int] | None = None) -> FileSpec:
        """Pick the file for an engine and an input size.

        Args:
            engine: what will read it.
            size_wh: width and height in pixels; None takes the manifest's first size.

        Raises:
            ModelError: if the model has no such size, or no file of it for this engine.
        """
        sizes = self.manifest.input.sizes_wh
        wanted = size_wh or sizes[0]
        if wanted not in sizes:
            known = ", ".join(f"{w}x{h}" for w, h in sizes)
            raise ModelError(
                f"model {self.label}: expected an input of {known}, received {wanted[0]}x{wanted[1]}; "
                "use one of its sizes"
            )
        for file in self.manifest.files:
            if file.engine is engine and file.size_wh in (wanted, None):
                return file
        engines = ", ".join(sorted({file.engine.value for file in self.manifest.files}))
        raise ModelError(
            f"model {self.label}: no {engine} file for {wanted[0]}x{wanted[1]} (it has files for: {engines}); "
            "use another engine"
        )

    def read(self, file: FileSpec) -> bytes:
        """Read one file whole and check it; what is parsed afterwards are exactly the bytes that were checked.

        Raises:
            ModelError: if the file is missing, unreadable, or outside the model's folder.
            ChecksumMismatch: if it isn't the file that the manifest names.
        """
        path = self.folder / file.path
        if path.resolve().parent != self.folder.resolve():
            raise ModelError(f"model file {path}: leads out of the model's folder; install the model again")
        return read_checked(path, file.sha256, file.size_bytes, "install the model again", what="model file")

    def require(self, kind: ModelKind, labels: Sequence[str]) -> None:
        """Check that this model is of a kind and speaks of these labels in this order.

        Raises:
            ModelError: if it is of another kind.
            LabelMismatch: if its labels or their order differ.
        """
        if self.manifest.kind is not kind:
            raise ModelError(
                f"model {self.label}: expected a {kind}, received a {self.manifest.kind}; name another model"
            )
        if self.manifest.labels != tuple(labels):
            raise LabelMismatch(
                f"model {self.label}: expected labels {', '.join(labels)}, received {', '.join(self.manifest.labels)}; "
                "the order counts: use a model that was trained with these labels"
            )


class Registry:
    """The models in some folders, each in a sub-folder of its own name.

    Args:
        roots: the folders. Of two models of one name the one in the earlier folder counts. None stands for the models
            that are shipped with Maskwatch, and so does giving none at all.
    """

    def __init__(self, *roots: Path | None) -> None:
        self.roots = tuple(SHIPPED_ROOT if root is None else root for root in roots or (None,))

    @property
    def root(self) -> Path:
        """The folder that is looked in first."""
        return self.roots[0]

    def names(self) -> tuple[str, ...]:
        """Return the names of the sub-folders that hold a manifest, sorted; nothing is opened."""
        roots = [root for root in self.roots if os.path.isdir(root)]  # Path.glob fails below what may not be entered
        found = {path.parent.name for root in roots for path in root.glob(f"*/{MANIFEST}")}
        return tuple(sorted(found))

    def list(self) -> tuple[ModelEntry, ...]:
        """Return every model, by name.

        Raises:
            ModelError: if a manifest can't be used.
        """
        return tuple(self.get(name) for name in self.names())

    def get(self, name: str) -> ModelEntry:
        """Return one model; its weights are not opened yet.

        Raises:
            ModelError: if there is none of that name, or its manifest can't be used.
            LabelMismatch: if it is a classifier of other labels than `maskwatch.types.LABELS`.
        """
        names = self.names()
        if name not in names:
            near = get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names) or 'none'}"
            raise ModelError(f"model {name}: not found in {' or '.join(map(str, self.roots))}; {hint}")
        holders = [root / name for root in self.roots if os.path.exists(root / name / MANIFEST)]
        folder = holders[0] if holders else self.root / name
        entry = _read_entry(folder)
        manifest = entry.manifest
        if manifest.name != name:
            raise ModelError(
                f"model manifest {folder / MANIFEST}: expected name {name} (its folder), "
                f"received {manifest.name}; rename the folder or correct the manifest"
            )
        if manifest.kind is ModelKind.CLASSIFIER:
            entry.require(ModelKind.CLASSIFIER, LABELS)
        return entry

    def verify(self, name: str) -> tuple[FileSpec, ...]:
        """Read every file of a model and compare checksums; also wants its card.

        Returns:
            The files that were checked.

        Raises:
            ModelError: if the manifest, the card or a file is missing or can't be used.
            ChecksumMismatch: if a file isn't the one that the manifest names.
        """
        entry = self.get(name)
        if not (entry.folder / CARD).is_file():
            raise ModelError(f"model {entry.label}: no {CARD} in {entry.folder}; install the model again")
        for file in entry.manifest.files:
            entry.read(file)
        return entry.manifest.files


def _read_entry(folder: Path) -> ModelEntry:
    """Read a model's manifest.

    Raises:
        ModelError: if it can't be used.
    """
    return ModelEntry(folder, *read_manifest(folder / MANIFEST))


def sha256_of(path: Path) -> str:
    """Return the hexadecimal sha256 of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
