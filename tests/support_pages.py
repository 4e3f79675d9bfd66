"""Memory as a program asks for it, however large the kernel makes its pages."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["without_huge_pages"]

_PR_SET_THP_DISABLE = 41
"""From Linux' <sys/prctl.h>."""


@contextmanager
def without_huge_pages() -> Iterator[None]:
    """Let processes that are started meanwhile have pages of the usual size.

    Where the kernel gives huge ones to everybody, each touched byte may count for two megabytes. Kernels that know no
    huge pages refuse, and are left as they are.
    """
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_THP_DISABLE, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(_PR_SET_THP_DISABLE, 0, 0, 0, 0)
