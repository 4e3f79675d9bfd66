"""Memory that a step gives back is kept for the next one.

A step of training takes and frees some gigabytes in blocks of tens of megabytes. The C library gives each block back to
the kernel at once and gets it again, page by page and zeroed, for the next step: that was 45 % of the processor's time
(91 million page faults in two epochs), and one in ten thousand since.
"""

from __future__ import annotations

import ctypes
import sys

__all__ = ["keep_freed_memory"]

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8
"""Parameters of `mallopt`; see mallopt(3)."""


def keep_freed_memory() -> None:
    """Tell the C library to keep what is freed, for as long as the process lives; does nothing where it isn't glibc.

    To be called before the threads that compute begin.
    """
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return
    # One arena, because only the first one may be larger than 64 MB; nothing by mmap, which is always given back.
    for parameter, value in ((_ARENA_MAX, 1), (_MMAP_MAX, 0), (_TRIM_THRESHOLD, -1), (_TOP_PAD, 64 << 20)):
        library.mallopt(parameter, value)
