from __future__ import annotations

import signal
import subprocess
import sys
import time

PROGRAMME = """
from maskwatch.service import stop_on_signals
import time
stop = stop_on_signals()
print("ready", flush=True)
assert stop.wait(20)
print("stopping", flush=True)
time.sleep(20)
"""


def test_signal_that_arrives_twice_is_one_wish_and_a_later_one_hurries() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAMME], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "stopping\n"
            assert process.poll() is None
            time.sleep(0.6)  # longer than two deliveries of one signal may lie apart
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == 128 + signal.SIGTERM
        finally:
            process.kill()
