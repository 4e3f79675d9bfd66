"""Pictures, videos and other files that are kept, in a folder of bounded size: the oldest go first.

Several processes may share one folder, on one machine or on a shared volume: a file appears whole or not at all, and
one that somebody else has removed meanwhile is nobody's error.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from maskwatch.errors import BlobError, BlobTooLarge
from maskwatch.files import read_plain

__all__ = ["KEY_PATTERN", "BlobStore"]

KEY_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""Safe as the name of a file in any file system and in an address."""

_FREE_TO = 0.9
"""A full store is emptied to this share of its size, so that not every picture has to look for the oldest."""
_COUNT_AGAIN_S = 600.0
"""Others write and remove too; by then this process counts anew what is there."""
_PART_PREFIX = ".part-"
_PART_AGE_S = 3600.0
"""What is left of a writer that died; nobody writes one file for so long."""


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    size_bytes: int
    changed_s: float


class BlobStore:
    """A folder of files under safe names, none of them readable for other users of the machine.

    Args:
        folder: made when something is put into it.
        most_bytes: of all files together.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._bytes = 0
        self._counted_at_s = float("-inf")

    def put(self, key: str, data: bytes) -> None:
        """Keep something, in place of what was under its key; the oldest files make room for it.

        Raises:
            BlobTooLarge: if it is larger than the whole store.
            BlobError: if the key isn't safe, or it can't be written.
        """
        path = self._path(key)
        if len(data) > self._most_bytes:
            raise BlobTooLarge(
                f"{key}: {len(data)} bytes, expected at most {self._most_bytes}; give blobs.most_mb more"
            )
        with _writing(path):
            self._make_room(len(data))
        self.write(key, (data,), len(data))

    def write(self, key: str, chunks: Iterable[bytes], most_bytes: int) -> int:
        """Keep something that comes in pieces and is never in memory as a whole; the oldest files make room for it.

        While it comes it is on the disk beside the kept files; then it is one of them, whole, or nothing is left of it.

        Args:
            key: as `put` takes it.
            chunks: the pieces; what they raise ends the writing and passes through.
            most_bytes: of all pieces together.

        Returns:
            How many bytes there were.

        Raises:
            BlobTooLarge: if there are more than `most_bytes`, or more than the whole store may hold.
            BlobError: if the key isn't safe, or it can't be written.
        """
        path = self._path(key)
        most_bytes = min(most_bytes, self._most_bytes)
        part = path.parent / f"{_PART_PREFIX}{secrets.token_hex(8)}"
        try:
            with _writing(path):
                for folder in (self._folder, path.parent):
                    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as file:
                count = 0
                for chunk in chunks:
                    count += len(chunk)
                    if count > most_bytes:
                        raise BlobTooLarge(f"{key}: more than {most_bytes} bytes, which is all that may be kept")
                    with _writing(path):
                        file.write(chunk)
                with _writing(path):
                    file.flush()
                    # Without this a power cut may leave a file that has its name and no content.
                    os.fsync(file.fileno())
            with _writing(path):
                self._make_room(count)
                os.replace(part, path)
        except BaseException:
            _removed(part)
            raise
        self._bytes += count
        return count

    def open(self, key: str) -> BinaryIO | None:
        """Open what is kept under a key, or return None when there is nothing (any more).

        The file stays readable until it is closed, also when somebody removes it meanwhile.

        Raises:
            BlobError: if the key isn't safe, or it can't be read.
        """
        path = self._path(key)
        try:
            return open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK | os.O_CLOEXEC))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise BlobError(f"{path}: can't be read ({error.strerror})") from error

    def get(self, key: str) -> bytes | None:
        """Return what is kept under a key, or None when there is nothing (any more).

        Raises:
            BlobError: if the key isn't safe, or it can't be read.
        """
        path = self._path(key)
        try:
            return read_plain(path, self._most_bytes)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise BlobError(f"{path}: can't be read ({error.strerror})") from error

    def delete(self, key: str) -> bool:
        """Remove what is kept under a key; return whether there was something.

        Raises:
            BlobError: if the key isn't safe, or it can't be removed.
        """
        path = self._path(key)
        try:
            path.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise BlobError(f"{path}: can't be removed ({error.strerror})") from error
        return True

    def has(self, key: str) -> bool:
        """Return whether there is something under a key.

        Raises:
            BlobError: if the key isn't safe.
        """
        return self._path(key).is_file()

    def purge(self, older_than_s: float, prefix: str = "") -> int:
        """Remove what was put in too long ago, and what writers that died have left; return how many files.

        Args:
            older_than_s: seconds.
            prefix: only keys that begin with it.

        Raises:
            BlobError: if the folder can't be read.
        """
        now_s = time.time()
        count = 0
        for file in self._files(with_parts=True):
            is_part = file.path.name.startswith(_PART_PREFIX)
            if not is_part and not file.path.name.startswith(prefix):
                continue
            most_s = _PART_AGE_S if is_part else older_than_s
            if now_s - file.changed_s > most_s and _removed(file.path):
                count += 1
        self._counted_at_s = float("-inf")
        return count

    def size_bytes(self, prefix: str = "") -> int:
        """Return how much is kept now.

        Args:
            prefix: only under keys that begin with it.

        Raises:
            BlobError: if the folder can't be read.
        """
        if prefix:
            files = self._files(with_parts=False)
            return sum(file.size_bytes for file in files if file.path.name.startswith(prefix))
        self._bytes = sum(file.size_bytes for file in self._files(with_parts=False))
        self._counted_at_s = time.monotonic()
        return self._bytes

    def _make_room(self, wanted_bytes: int) -> None:
        if time.monotonic() - self._counted_at_s > _COUNT_AGAIN_S:
            self.size_bytes()
        if self._bytes + wanted_bytes <= self._most_bytes:
            return
        files = sorted(self._files(with_parts=False), key=lambda file: file.changed_s)
        self._bytes = sum(file.size_bytes for file in files)
        # Room for the new one in any case, and some more.
        goal_bytes = min(self._most_bytes - wanted_bytes, round(self._most_bytes * _FREE_TO))
        for file in files:
            if self._bytes <= goal_bytes:
                return
            _removed(file.path)
            self._bytes -= file.size_bytes

    def _files(self, *, with_parts: bool) -> Iterator[_File]:
        try:
            folders = [entry.path for entry in os.scandir(self._folder) if entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return
        except OSError as error:
            raise BlobError(f"{self._folder}: can't be read ({error.strerror}); see blobs.dir") from error
        for folder in folders:
            try:
                entries = list(os.scandir(folder))
            except FileNotFoundError:
                continue
            for entry in entries:
                if entry.name.startswith(_PART_PREFIX) and not with_parts:
                    continue
                try:
                    found = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if entry.is_file(follow_symlinks=False):
                    yield _File(Path(entry.path), found.st_size, found.st_mtime)

    def _path(self, key: str) -> Path:
        """Return the file of a key; 256 folders, because one with 100 000 files is slow to look through."""
        if KEY_PATTERN.fullmatch(key) is None:
            raise BlobError(
                f"{key[:60]!r}: expected letters, digits, -, _ and . as a name, at most 128, none of the last first"
            )
        return self._folder / hashlib.sha256(key.encode()).hexdigest()[:2] / key


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Say in the house's words why a file can't be written."""
    try:
        yield
    except BlobError:
        raise
    except OSError as error:
        raise BlobError(
            f"{path}: can't be written ({error.strerror}); see blobs.dir, and the room on its disk"
        ) from error


def _removed(path: Path) -> bool:
    """Remove a file and return whether it was there to be removed; one that can't be is the next round's."""
    try:
        path.unlink()
    except OSError:
        return False
    return True
