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
assert stop.wait(60)
print("stopping", flush=True)
time.sleep(60)
"""


def test_signal_that_arrives_twice_is_one_wish_and_a_later_one_hurries() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAMME], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            # Both wait for it, so that it gets them at once however busy the machine is.
            process.send_signal(signal.SIGSTOP)
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGCONT)
            assert process.stdout.readline() == "stopping\n"
            assert process.poll() is None
            time.sleep(0.6)  # longer than two deliveries of one signal may lie apart
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 128 + signal.SIGTERM
        finally:
            process.kill()


def test_threads_share_as_many_heaps_as_they_may() -> None:
    code = """
import ctypes, sys, tempfile, threading
from maskwatch.memory import share_heaps

libc = ctypes.CDLL(None)
if not hasattr(libc, "mallopt"):
    sys.exit(0)
share_heaps(2)
barrier = threading.Barrier(6)

def allocate():
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc(1000)
    barrier.wait(60)

threads = [threading.Thread(target=allocate) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(60)
with tempfile.NamedTemporaryFile() as report:
    libc.fopen.restype = ctypes.c_void_p
    stream = ctypes.c_void_p(libc.fopen(report.name.encode(), b"w"))
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    heaps = report.read().count(b"<heap nr=")
sys.exit(0 if heaps <= 2 else f"{heaps} heaps")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=250, check=False)
    assert (done.returncode, done.stderr) == (0, "")
