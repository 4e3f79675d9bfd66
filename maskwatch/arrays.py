"""Names for the array types that cross module borders."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskwatch.errors import ShapeError

__all__ = ["Float32Array", "Int32Array", "UInt8Array", "require_image_bgr"]

UInt8Array = NDArray[np.uint8]
Int32Array = NDArray[np.int32]
Float32Array = NDArray[np.float32]


def require_image_bgr(image_bgr: UInt8Array, name: str = "frame_bgr") -> None:
    """Check that an array is a colour picture with at least one pixel.

    Args:
        image_bgr: what should be (H, W, 3) uint8.
        name: the argument's name, for the message.

    Raises:
        ShapeError: if it isn't; the message gives expected and received.
    """
    shape, dtype = getattr(image_bgr, "shape", None), getattr(image_bgr, "dtype", None)
    if shape is None or len(shape) != 3 or shape[2] != 3 or 0 in shape or dtype != np.uint8:
        raise ShapeError(f"{name}: expected (H, W, 3) uint8 with H, W >= 1, received {shape} {dtype}")
