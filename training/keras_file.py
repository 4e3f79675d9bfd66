"""Loading `.keras` files that are given on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from maskwatch.files import read_file
from models.engines.keras_archive import load_archive

__all__ = ["load_keras_file"]

MOST_BYTES = 512 << 20
"""Our networks have some megabytes."""


def load_keras_file(path: Path) -> Any:
    """Load a `.keras` file; it is looked through before Keras reads it, and code in it is refused.

    Returns:
        The `keras.Model`, not compiled.

    Raises:
        ConfigError: if it can't be read.
        ModelError: if it holds no network of ours.
    """
    return load_archive(read_file(path, MOST_BYTES, "give a run's folder or a .keras file", what="model"), str(path))
