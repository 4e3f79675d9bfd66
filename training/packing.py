"""Making a Keras model's file small enough for a repository, still readable by plain Keras."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from maskwatch.arrays import Float32Array

__all__ = ["round_weights", "rounded", "save_small"]

MANTISSA_BITS = 11
"""As many as float16 has, the leading one included; the exponent keeps its range, so that nothing becomes zero."""


def rounded(values: Float32Array) -> Float32Array:
    """Round float32 values to `MANTISSA_BITS` significant bits; the others are zero and take no room when packed."""
    mantissa, exponent = np.frexp(values)
    scale = np.float32(1 << MANTISSA_BITS)
    shortened: Float32Array = np.ldexp(np.round(mantissa * scale) / scale, exponent).astype(np.float32)
    return shortened


def round_weights(model: Any) -> None:
    """Round all weights of a model in place: before it is exported and measured, so that all files say the same."""
    model.set_weights([rounded(array) for array in model.get_weights()])


def save_small(model: Any, path: Path) -> None:
    """Write a `.keras` file, packed: Keras itself stores without compression, and reads both."""
    part = path.with_name(f"part-{path.name}")
    model.save(part)
    small = path.with_name(f"small-{path.name}")
    with zipfile.ZipFile(part) as stored, zipfile.ZipFile(small, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for member in stored.infolist():
            packed.writestr(member.filename, stored.read(member))
    part.unlink()
    small.replace(path)
