"""Memory that is freed and needed again a moment later."""

from __future__ import annotations

import ctypes

__all__ = ["keep_freed_memory"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of `mallopt`, from glibc's malloc.h."""

_KEPT_BYTES = 32 << 20
"""More than a batch of frames takes, and the most that `mallopt` accepts."""


def keep_freed_memory() -> bool:
    """Let the C library keep what is freed: each batch needs as much again for its frames.

    By default glibc gives it back to the kernel after every batch, and 34 pages a frame come anew, zeroed. The peak
    stays what it is.

    Returns:
        Whether the C library could be told; those that aren't glibc have ways of their own.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _KEPT_BYTES)) and bool(mallopt(_TRIM_THRESHOLD, _KEPT_BYTES))
