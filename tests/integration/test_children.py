"""Starting and ending real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from maskwatch.backoff import Backoff
from maskwatch.children import ChildSpec, launch
from maskwatch.supervisor import Supervisor
from tests.support import wait_for

SLEEP = "import time; time.sleep(600)"


def python(code: str, **extra: object) -> ChildSpec:
    return ChildSpec("child", (sys.executable, "-c", code), dict(os.environ), 0, **extra)  # type: ignore[arg-type]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def pid_in(note: Path) -> int | None:
    """Return the process id that was written, once it is there as a whole (a space ends it)."""
    text = note.read_text() if note.exists() else ""
    return int(text) if text.endswith(" ") else None


def test_child_leads_a_session_of_its_own() -> None:
    child = launch(python(SLEEP))
    try:
        assert os.getsid(child.pid) == child.pid
        assert os.getpgid(child.pid) == child.pid
    finally:
        child.signal_group(signal.SIGKILL)
    assert wait_for(child.poll, 60, "it has ended") == -signal.SIGKILL


def test_signal_reaches_what_the_child_started(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); "
    code += f"open({str(note)!r}, 'w').write(str(p.pid) + ' '); p.wait()"
    child = launch(python(code))
    grandchild = wait_for(lambda: pid_in(note), 60, "it has told its pid")
    child.signal_group(signal.SIGKILL)
    wait_for(child.poll, 60, "the child has ended")
    wait_for(lambda: not is_alive(grandchild), 60, "the grandchild has ended")


def test_signal_to_a_child_that_is_gone_is_no_error() -> None:
    child = launch(python("pass"))
    wait_for(lambda: child.poll() is not None, 60, "it has ended")
    child.signal_group(signal.SIGTERM)


def test_standard_input_and_output_file_are_the_childs(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("of an earlier start")
    child = launch(python("print(input())", stdin=b"hello\n", output=log))
    wait_for(lambda: child.poll() is not None, 60, "it has ended")
    assert log.read_text() == "hello\n"


def test_nothing_of_a_child_comes_to_our_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    child = launch(python("print('a result?')"))
    wait_for(lambda: child.poll() is not None, 60, "it has ended")
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "a result?" in captured.err


def test_program_that_is_not_there_is_an_error() -> None:
    with pytest.raises(OSError, match="nothing-here"):
        launch(ChildSpec("child", ("/nothing-here",), {}, 0))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_child_ends_with_its_parent_however_that_ends(tmp_path: Path, number: signal.Signals) -> None:
    note = tmp_path / "pid"
    code = "import os, sys, time; from maskwatch.children import ChildSpec, launch; "
    code += f"c = launch(ChildSpec('c', (sys.executable, '-c', {SLEEP!r}), dict(os.environ), 0)); "
    code += f"open({str(note)!r}, 'w').write(str(c.pid) + ' '); time.sleep(600)"
    parent = subprocess.Popen([sys.executable, "-c", code])
    try:
        pid = wait_for(lambda: pid_in(note), 60, "it has told its pid")
        assert is_alive(pid)
        parent.send_signal(number)
        parent.wait(60)
        wait_for(lambda: not is_alive(pid), 60, "the child has ended")
    finally:
        parent.kill()
        parent.wait(60)


def test_supervisor_restarts_a_real_process_and_ends_it() -> None:
    supervisor = Supervisor(backoff=lambda: Backoff(0.05, 0.05))
    supervisor.add(python(SLEEP))
    try:
        first = supervisor.pid("child")
        assert first is not None
        os.kill(first, signal.SIGKILL)

        def second() -> int | None:
            supervisor.tick()
            pid = supervisor.pid("child")
            return None if pid == first else pid

        again = wait_for(second, 60, "another one runs")
    finally:
        supervisor.stop()
    assert not is_alive(again)
