"""Reading files whose checksum is known."""

from __future__ import annotations

import hashlib
from pathlib import Path

from maskwatch.errors import ChecksumMismatch, ModelError
from maskwatch.files import read_file

__all__ = ["read_checked"]


def read_checked(path: Path, sha256: str, size_bytes: int, advice: str, *, what: str) -> bytes:
    """Read a file whole and check it; what is parsed afterwards are exactly the bytes that were checked.

    Args:
        path: the file; a link is followed.
        sha256: of the known file, hexadecimal.
        size_bytes: its length; no more is read.
        advice: what to do when it is another one; ends the message.
        what: goes before the path in the message, e.g. "model file".

    Raises:
        ModelError: if it can't be read.
        ChecksumMismatch: if it isn't the known file.
    """
    expected = f"expected sha256 {sha256} ({size_bytes} bytes)"
    content = read_file(
        path, size_bytes, f"{expected}; {advice}", what=what, error=ModelError, too_large=ChecksumMismatch
    )
    received = hashlib.sha256(content).hexdigest()
    if received != sha256:
        raise ChecksumMismatch(
            f"{what} {path}: {expected}, received {received} ({len(content)} bytes); the file was changed or cut "
            f"short: {advice}"
        )
    return content
