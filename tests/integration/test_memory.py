"""What the C library keeps of memory that is freed, by its own account."""

import json
import subprocess
import sys

import pytest

BLOCK_BYTES = 64 << 20

SCRIPT = """
import ctypes
import json
import numpy as np

{before}

class MallInfo2(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]

mallinfo2 = getattr(ctypes.CDLL(None), "mallinfo2", None)
if mallinfo2 is None:
    print("null")
    raise SystemExit
mallinfo2.restype = MallInfo2

block = np.ones({size}, np.uint8)
mapped = mallinfo2().hblkhd
del block
{after}
print(json.dumps({{"mapped": mapped, "kept": mallinfo2().fordblks}}))
"""


def account(before: str, size: int, after: str = "") -> dict[str, int]:
    """Return the bytes that lie outside the heap while a block of `size` is used, and those kept once it is freed.

    What is to be done `after` that is done before they are counted.

    The C library is asked, not the kernel: page faults depend on how large the kernel's pages are.
    """
    script = SCRIPT.format(before=before, size=size, after=after)
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, timeout=250)
    found: dict[str, int] | None = json.loads(run.stdout)
    if found is None:
        pytest.skip("mallinfo2 needs glibc 2.33")
    return found


def test_process_that_trains_keeps_a_large_block_for_the_next_step() -> None:
    told = account("from maskwatch.memory import keep_all_freed_memory; assert keep_all_freed_memory()", BLOCK_BYTES)
    left_alone = account("", BLOCK_BYTES)
    assert told["mapped"] < BLOCK_BYTES <= told["kept"]
    assert left_alone["kept"] < BLOCK_BYTES <= left_alone["mapped"]


def test_worker_keeps_what_a_batch_of_frames_took() -> None:
    batch = 16 << 20
    told = account("from maskwatch.memory import keep_freed_memory; assert keep_freed_memory()", batch)
    left_alone = account("", batch)
    assert told["mapped"] < batch <= told["kept"]
    assert left_alone["kept"] < batch <= left_alone["mapped"]


def test_what_was_kept_is_given_back_when_asked() -> None:
    size = 16 << 20
    keep = "from maskwatch.memory import give_back_freed_memory, keep_freed_memory; assert keep_freed_memory()"
    asked = "assert mallinfo2().fordblks >= {size}; assert give_back_freed_memory(), 'nothing was given back'"
    assert account(keep, size, after=asked.format(size=size))
