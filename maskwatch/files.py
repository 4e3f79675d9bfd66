"""Reading files that somebody else may have put there: whole, bounded, and never anything but a plain file."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from maskwatch.errors import ConfigError, MaskwatchError

__all__ = ["read_file", "read_plain"]


def read_file(
    path: Path,
    most_bytes: int,
    advice: str,
    *,
    what: str = "",
    error: type[MaskwatchError] = ConfigError,
    too_large: type[MaskwatchError] | None = None,
) -> bytes:
    """Read a plain file whole, and say in the house's words why that can't be done.

    Args:
        path: the file; a link is followed.
        most_bytes: the longest that is read.
        advice: what was expected there, or what to do next; ends the message.
        what: goes before the path in the message, e.g. "model file".
        error: what is raised.
        too_large: what is raised instead for a longer file; None is the same.

    Raises:
        MaskwatchError: as `error` and `too_large` say.
    """
    try:
        return read_plain(path, most_bytes)
    except OSError as failure:
        kind = too_large if too_large is not None and failure.errno == errno.EFBIG else error
        raise kind(f"{what} {path}: can't be read ({failure.strerror}); {advice}".lstrip()) from failure


def read_plain(path: Path, most_bytes: int) -> bytes:
    """Read a plain file whole; a pipe or a device in its place would make the reader wait or never end.

    Args:
        path: the file; a link is followed.
        most_bytes: the longest that is read.

    Raises:
        OSError: if it can't be read, isn't a plain file, or is longer (`errno.EFBIG`); `strerror` says why.
    """
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "no plain file", str(path))
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"more than {_size(most_bytes)}", str(path))
    return content


def _size(count: int) -> str:
    """Write a number of bytes in the largest unit of which it is a multiple."""
    for unit, width in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count % width == 0:
            return f"{count // width} {unit}"
    return f"{count} bytes"
