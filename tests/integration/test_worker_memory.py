"""What a worker holds in memory, in a process of its own."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

MOST_MB = 250
"""Of a worker with both profiles and eight cameras that show crowds."""


def python(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_worker_imports_neither_scipy_nor_pyav() -> None:
    python(
        "import sys, workers.live\n"
        "heavy = {'scipy', 'av', 'tensorflow', 'keras', 'h5py', 'skimage'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )


def test_peak_memory_of_both_profiles_and_crowds_stays_below_its_limit() -> None:
    code = """
import numpy as np
import workers.live
from maskwatch.types import Profile
from workers.models import load_models

models = load_models("litert", "none", batch=8, profiles=list(Profile))
frame_bgr = np.random.default_rng(1).integers(0, 255, (360, 640, 3), np.uint8)
for faces in (1, 40, 3):
    for profile in Profile:
        models.detector("maskwatch").detect([frame_bgr] * 8, profile)
    models.classifier.classify(np.zeros((faces, models.classifier.size_px, models.classifier.size_px, 3), np.uint8))
status = open("/proc/self/status").read()
print(int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""
    assert int(python(code).splitlines()[-1]) < MOST_MB


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="speaks of glibc's allocator")
def test_memory_of_a_batch_is_kept_for_the_next() -> None:
    code = """
import resource
import numpy as np
from maskwatch.memory import keep_freed_memory

assert keep_freed_memory()
for batch in range(20):
    frames = [np.ones((360, 640, 3), np.uint8) for _ in range(8)]
    del frames
    if batch == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 9)
"""
    assert float(python(code)) < 100, "pages that came anew in a batch of 1350"
