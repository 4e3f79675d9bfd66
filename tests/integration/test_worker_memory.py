"""What a worker holds in memory, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support import ROOT
from tests.support_pages import without_huge_pages

pytestmark = pytest.mark.timeout(600)

MOST_MB = 250
"""Of a worker with both profiles and eight cameras that show crowds."""


def python(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    with without_huge_pages():
        ended = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=250, check=False
        )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_worker_imports_neither_scipy_nor_pyav() -> None:
    python(
        "import sys, workers.worker_process\n"
        "heavy = {'scipy', 'av', 'tensorflow', 'keras', 'h5py', 'skimage'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )


def test_peak_memory_of_both_profiles_and_crowds_stays_below_its_limit() -> None:
    code = """
import numpy as np
import workers.worker_process
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
