"""The folder of models of one installation, and the note in it that says which of them are active."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maskwatch.errors import ChecksumMismatch, ModelError
from maskwatch.files import read_plain
from maskwatch.validation import first_error
from models.manifest import ModelKind
from models.registry import SHIPPED, SHIPPED_ROOT, ModelEntry, Registry

__all__ = ["ACTIVE", "Active", "ActiveModel", "ModelStore", "Stamp", "make_folder"]

ACTIVE = "active.json"
_LOCK = "active.lock"
_MOST_BYTES = 16 * 1024

Stamp = tuple[int, int, int] | None
"""Time of change in ns, inode and size of the note, or None where there is none: two equal ones mean no change."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ActiveModel(_Part):
    """A model that was activated.

    Attributes:
        name: of the model.
        version: when it was activated; for people.
        manifest_sha256: of its manifest at that time. What is loaded later must be what was looked at then.
        activation: different for each activation, so that one more of the same model makes workers load it again.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,49}$")]
    version: Annotated[str, Field(max_length=50)]
    manifest_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    activation: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class Active(_Part):
    """Which models were activated, by kind; None is the shipped one."""

    schema_version: Literal[1] = 1
    classifier: ActiveModel | None = None
    detector: ActiveModel | None = None

    def of(self, kind: ModelKind) -> ActiveModel | None:
        """Return the active model of a kind, or None for the shipped one."""
        return self.classifier if kind is ModelKind.CLASSIFIER else self.detector


class ModelStore:
    """A user's models beside the shipped ones.

    Args:
        folder: the user's; it need not exist. None stands for the shipped models alone.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.registry = Registry() if folder is None else Registry(folder, SHIPPED_ROOT)

    def stamp(self) -> Stamp:
        """Return what changes whenever another model is activated; costs one system call."""
        if self.folder is None:
            return None
        try:
            known = os.stat(self.folder / ACTIVE)
        except OSError:
            return None
        return known.st_mtime_ns, known.st_ino, known.st_size

    def active(self) -> Active:
        """Read which models are active.

        Raises:
            ModelError: if the note can't be read or has another form.
        """
        if self.folder is None:
            return Active()
        path = self.folder / ACTIVE
        try:
            content = read_plain(path, _MOST_BYTES)
        except FileNotFoundError:
            return Active()
        except OSError as error:
            raise ModelError(f"active models {path}: can't be read ({error.strerror}); {_MEND}") from error
        try:
            return Active.model_validate_json(content)
        except ValidationError as error:
            raise ModelError(f"active models {path}: {first_error(error)}; {_MEND}") from error

    def entry(self, kind: ModelKind, chosen: ActiveModel | None) -> ModelEntry:
        """Find a model that was activated.

        Args:
            kind: of the model.
            chosen: from `active`; None is the shipped one, wherever a user's model has its name.

        Raises:
            ModelError: if it isn't there, or its manifest can't be used.
            ChecksumMismatch: if its manifest was changed after the activation.
            LabelMismatch: if it speaks of other labels.
        """
        if chosen is None:
            return Registry().get(SHIPPED[kind])
        entry = self.registry.get(chosen.name)
        if entry.manifest.kind is not kind:
            raise ModelError(f"model {entry.label}: expected a {kind}, received a {entry.manifest.kind}; {_MEND}")
        if entry.manifest_sha256 != chosen.manifest_sha256:
            raise ChecksumMismatch(
                f"model {entry.label}: its manifest in {entry.folder} was changed after it was activated (expected "
                f"sha256 {chosen.manifest_sha256}, received {entry.manifest_sha256}); run: maskwatch models activate "
                f"{chosen.name}"
            )
        return entry

    def activate(self, entry: ModelEntry) -> None:
        """Write down that a model is active from now on; the caller has checked it.

        Raises:
            ModelError: if the folder can't be written.
        """
        kind = entry.manifest.kind
        is_default = entry.folder.parent == SHIPPED_ROOT and entry.manifest.name == SHIPPED[kind]
        chosen = ActiveModel(
            name=entry.manifest.name,
            version=entry.manifest.version,
            manifest_sha256=entry.manifest_sha256,
            activation=secrets.token_hex(8),
        )
        with self._locked():
            self._write(self.active().model_copy(update={kind.value: None if is_default else chosen}))

    def activate_shipped(self) -> None:
        """Go back to the shipped models; also mends a note that can't be read.

        Raises:
            ModelError: if the folder can't be written.
        """
        with self._locked():
            self._write(Active())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Make the folder where it is missing, and hold its lock: two activations at once must not forget one."""
        folder = self._own_folder()
        try:
            make_folder(folder)
            descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ModelError(
                f"folder of models {folder}: can't be written ({error.strerror}); give another as models.dir"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, active: Active) -> None:
        """Replace the note as a whole: a worker reads the old one or the new one."""
        path = self._own_folder() / ACTIVE
        try:
            descriptor, name = tempfile.mkstemp(prefix=f".{ACTIVE}-", dir=path.parent)
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    json.dump(active.model_dump(mode="json"), file, indent=1)
                    file.flush()
                    os.fsync(file.fileno())
                os.chmod(name, 0o644)
                os.replace(name, path)
            except BaseException:
                os.unlink(name)
                raise
        except OSError as error:
            raise ModelError(f"active models {path}: can't be written ({error.strerror}); free some space") from error

    def _own_folder(self) -> Path:
        if self.folder is None:
            raise ModelError("there is no folder of models; give one as models.dir in the configuration")
        return self.folder


_MEND = "run: maskwatch models activate NAME, or maskwatch models activate --default"


def make_folder(folder: Path) -> None:
    """Make a folder of models; folders above it that are missing are for this user alone, as `up` wants its own.

    Raises:
        OSError: if it can't be made.
    """
    missing = [one for one in reversed(folder.parents) if not one.exists()]
    for one in missing:
        one.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(exist_ok=True)
