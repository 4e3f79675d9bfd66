"""What a process of ours takes from the kernel again and again, seen from outside."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource
import numpy as np
{before}
for _ in range(30):
    np.ones(16 << 20, np.float32)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


def faults(before: str) -> int:
    """Return how many pages a process touched anew that fills 64 MiB thirty times."""
    script = SCRIPT.format(before=before)
    return int(subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, timeout=60).stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="page faults are counted as Linux does")
def test_freed_memory_is_used_again_without_asking_the_kernel() -> None:
    kept = faults("from maskwatch.memory import keep_all_freed_memory; keep_all_freed_memory()")
    assert kept < 0.3 * faults("")
