"""Reading files that somebody else may have put there: whole, bounded, and never anything but a plain file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

__all__ = ["read_plain"]


def read_plain(path: Path, most_bytes: int) -> bytes:
    """Read a plain file; a pipe or a device in its place would make the reader wait or never end.

    Args:
        path: the file; a link is followed.
        most_bytes: one byte more than this is read at most, so that a longer file can be told.

    Raises:
        OSError: if it can't be read or isn't a plain file; `strerror` says why.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "no plain file", str(path))
        return file.read(most_bytes + 1)
