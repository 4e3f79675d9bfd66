"""Which files of a machine a job may look at: those below the configured folders, wherever links may lead."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from maskwatch.errors import JobError

__all__ = ["resolve_named"]


def resolve_named(path: str, folders: Sequence[Path]) -> Path:
    """Return a named file or folder with all links followed.

    Args:
        path: absolute, or below one of the folders.
        folders: `jobs.folders` of the configuration, absolute.

    Raises:
        JobError: if it isn't below one of the folders, or there is nothing; the message doesn't tell which of the two.
    """
    if not folders:
        raise JobError("no folder is configured for named inputs; upload the file, or have jobs.folders set")
    if "\0" not in path:
        for folder in folders:
            root = os.path.realpath(folder)
            # realpath, because a link below the folder may lead out of it.
            found = os.path.realpath(os.path.join(root, path))
            if os.path.commonpath([root, found]) == root and os.path.exists(found):
                return Path(found)
    raise JobError(f"{path[:200]!r}: no file or folder of this name below a folder that jobs.folders allows")
