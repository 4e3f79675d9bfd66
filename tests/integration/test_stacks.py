"""SIGUSR1 prints the stacks of any process and ends none: by itself it would, and with `up` all that runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

ASK = "import os, signal; os.kill(os.getpid(), signal.SIGUSR1); print('goes on')"


@pytest.mark.parametrize(
    "begin",
    [
        "from maskwatch.machine import Wishes; Wishes().listen()",
        "from maskwatch.service import stop_on_signals; stop_on_signals()",
    ],
)
def test_stacks_are_printed_and_the_process_goes_on(begin: str) -> None:
    ended = subprocess.run([sys.executable, "-c", f"{begin}\n{ASK}"], capture_output=True, text=True, timeout=100)
    assert (ended.returncode, ended.stdout) == (0, "goes on\n")
    assert "most recent call first" in ended.stderr
