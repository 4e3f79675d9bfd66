"""What the C library does with memory that is freed and needed again a moment later.

All of it is glibc's `mallopt(3)`; other C libraries have ways of their own, and nothing is changed there.
"""

from __future__ import annotations

import ctypes

__all__ = ["give_back_freed_memory", "keep_all_freed_memory", "keep_freed_memory", "share_heaps"]

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -2, -3, -4, -8
"""Numbers of `mallopt`, from glibc's malloc.h."""

_KEPT_BYTES = 32 << 20
"""More than a batch of frames takes, and the most that `mallopt` accepts as a threshold of mapping."""

_NEVER = -1


def share_heaps(most: int = 2) -> bool:
    """Let all threads share a few heaps; call it before there are threads.

    glibc gives each thread a heap of its own, up to eight a core, and each keeps what its thread once needed. Two are
    enough for decoders that are seldom busy at once; a camera takes 3.7 MB then and 4.3 before.

    Args:
        most: heaps of the process.

    Returns:
        Whether the C library could be told.
    """
    return _tell((_ARENA_MAX, most))


def keep_freed_memory() -> bool:
    """Let the C library keep some megabytes that are freed: each batch of frames needs as much again.

    By default glibc gives it back to the kernel after every batch, and 34 pages a frame come anew, zeroed. The peak
    stays what it is.

    Returns:
        Whether the C library could be told.
    """
    return _tell((_MMAP_THRESHOLD, _KEPT_BYTES), (_TRIM_THRESHOLD, _KEPT_BYTES))


def keep_all_freed_memory() -> bool:
    """Let the C library keep all that is freed, for processes that train; call it before there are threads.

    A step of training takes and frees some gigabytes in blocks of tens of megabytes. Each came from the kernel anew,
    zeroed: 91 million page faults in two epochs, which were 45 % of the processor's time.

    Returns:
        Whether the C library could be told.
    """
    # One heap, because only the first one may be larger than 64 MB; nothing mapped, since that is always given back.
    return _tell((_ARENA_MAX, 1), (_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER), (_TOP_PAD, 64 << 20))


def give_back_freed_memory() -> bool:
    """Give freed memory back to the kernel, also what lies between blocks in use; takes some milliseconds.

    By itself glibc gives back only what is free at a heap's end, where a decoder that has been closed seldom was.

    Returns:
        Whether the C library gave anything back.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return False
    trim.argtypes = [ctypes.c_size_t]
    return bool(trim(0))


def _tell(*parameters: tuple[int, int]) -> bool:
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return all([bool(mallopt(name, value)) for name, value in parameters])
