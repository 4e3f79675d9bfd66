"""The folder in which `up` keeps what must survive a restart; one `up` at a time may use it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maskwatch.errors import ConfigError

__all__ = ["locked_state_dir"]

LOCK_NAME = "up.lock"


@contextmanager
def locked_state_dir(state_dir: Path) -> Iterator[Path]:
    """Make the folder (mode 0700: it may hold pictures of people) and hold its lock during the body.

    The kernel drops the lock when this process ends, however it ends, so a stale lock does not exist.

    Args:
        state_dir: as configured; `~` is the home directory.

    Yields:
        Its absolute path.

    Raises:
        ConfigError: if it can't be written, or if another `up` uses it.
    """
    folder = Path(os.path.abspath(state_dir.expanduser()))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            f"state_dir {folder}: {error.strerror}; expected a folder to write in; give another with --state-dir"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            pid = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            raise ConfigError(
                f"state_dir {folder} is in use by another `maskwatch up`{f' (process {pid})' if pid else ''}; "
                "stop that one, or give this one a folder of its own with --state-dir"
            ) from error
        with contextlib.suppress(OSError):  # no room for it: the lock holds without the number
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield folder
    finally:
        os.close(descriptor)
