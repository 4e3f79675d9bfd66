"""Keeps a set of processes running: restarts what dies, stops them in order, within a time that is known."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence

from maskwatch.backoff import Backoff
from maskwatch.children import ChildProcess, ChildSpec, launch
from maskwatch.errors import ConfigError

__all__ = ["Supervisor"]

CONFIG_EXIT_CODE = 2
STARTING_S = 30.0
"""A child that exits with 2 within this time of its first start refuses the configuration; later it's a crash."""
STABLE_S = 30.0
"""A child that ran this long is well again: its next restart doesn't wait for what went wrong before."""
STOP_BUDGET_S = 8.0
"""For all of a clean stop, so that it stays below the 10 s after which orchestrators kill."""
_LAST_RANK_SHARE_S = 1.5
"""Kept back for the processes of the last rank: the brokers, to which the others still write while they end."""


class _Slot:
    """One process, through all its restarts."""

    def __init__(self, spec: ChildSpec, backoff: Backoff) -> None:
        self.spec = spec
        self.backoff = backoff
        self.process: ChildProcess | None = None
        self.starts = 0
        self.started_at = 0.0
        self.start_at: float | None = None

    @property
    def is_running(self) -> bool:
        return self.process is not None


class Supervisor:
    """Starts processes, restarts what dies and stops everything in order. Not for use by several threads.

    Args:
        start: starts one process.
        clock: monotonic seconds.
        pause: sleeps for some seconds; may return earlier.
        backoff: makes the delays before one process' next starts.
    """

    def __init__(
        self,
        start: Callable[[ChildSpec], ChildProcess] = launch,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] = time.sleep,
        backoff: Callable[[], Backoff] = lambda: Backoff(0.25, 30.0),
    ) -> None:
        self._start = start
        self._clock = clock
        self._pause = pause
        self._backoff = backoff
        self._slots: dict[str, _Slot] = {}
        import structlog  # 0.1 s, which `check` needn't spend

        self._log = structlog.get_logger()

    def add(self, spec: ChildSpec) -> None:
        """Start a process and keep it running from now on.

        Raises:
            OSError: if it can't be started the first time.
            ValueError: if there is a process of that name already.
        """
        if spec.name in self._slots:
            raise ValueError(f"process {spec.name!r} was added before")
        slot = _Slot(spec, self._backoff())
        self._launch(slot)
        self._slots[spec.name] = slot

    def forget(self, name: str) -> None:
        """End a process at once and keep it no longer."""
        self._stop_rank([self._slots.pop(name)], 0.0, lambda: True)

    def poll(self, name: str) -> int | None:
        """Return the exit code of a process that has ended and that `tick` hasn't seen yet, else None."""
        process = self._slots[name].process
        return process.poll() if process else None

    def pid(self, name: str) -> int | None:
        """Return the process id of a process, or None between its runs."""
        process = self._slots[name].process
        return process.pid if process else None

    def tick(self) -> None:
        """Notice what has died and start again what is due; call it a few times a second.

        Raises:
            ConfigError: if a process refuses its configuration when it is first started; it has said why on stderr.
        """
        for slot in self._slots.values():
            code = slot.process.poll() if slot.process else None
            if slot.process is not None and code is not None:
                self._bury(slot, slot.process, code)
            elif slot.start_at is not None and self._clock() >= slot.start_at:
                self._restart(slot)

    def stop(self, in_a_hurry: Callable[[], bool] = lambda: False, budget_s: float = STOP_BUDGET_S) -> None:
        """Stop everything: SIGTERM rank by rank, SIGKILL for what doesn't follow; returns when all are gone.

        Args:
            in_a_hurry: asked while waiting; once it is true nobody gets more time, the last rank excepted (they keep
                data on disk).
            budget_s: seconds for all of it.
        """
        ends_at = self._clock() + budget_s
        ranks = sorted({slot.spec.stop_rank for slot in self._slots.values()})
        for number, rank in enumerate(ranks):
            slots = [s for s in self._slots.values() if s.spec.stop_rank == rank and s.is_running]
            is_last = number == len(ranks) - 1
            left_s = ends_at - self._clock() - (0 if is_last else _LAST_RANK_SHARE_S)
            share_s = left_s if is_last else left_s / min(2, len(ranks) - 1 - number)
            self._stop_rank(slots, max(0.0, share_s), (lambda: False) if is_last else in_a_hurry)
        self._slots.clear()

    def _stop_rank(self, slots: Sequence[_Slot], grace_s: float, in_a_hurry: Callable[[], bool]) -> None:
        running = [(slot.spec.name, slot.process) for slot in slots if slot.process is not None]
        for _name, process in running:
            process.signal_group(signal.SIGTERM)
        deadline = self._clock() + grace_s
        while any(process.poll() is None for _name, process in running):
            if self._clock() >= deadline or in_a_hurry():
                break
            self._pause(0.02)
        for name, process in running:
            if process.poll() is None:
                self._log.warning("child.killed", child=name, grace_s=round(grace_s, 1))
            process.signal_group(signal.SIGKILL)  # also whatever a process that has ended left behind in its group
        deadline = self._clock() + 1.0  # the kernel needs moments; a process in uninterruptible sleep isn't waited for
        while any(process.poll() is None for _name, process in running) and self._clock() < deadline:
            self._pause(0.01)

    def _launch(self, slot: _Slot) -> None:
        slot.process = self._start(slot.spec)
        slot.starts += 1
        slot.started_at = self._clock()
        slot.start_at = None
        self._log.info("child.started", child=slot.spec.name, child_pid=slot.process.pid, starts=slot.starts)

    def _bury(self, slot: _Slot, process: ChildProcess, code: int) -> None:
        process.signal_group(signal.SIGKILL)
        slot.process = None
        ran_s = self._clock() - slot.started_at
        if code == CONFIG_EXIT_CODE and slot.starts == 1 and ran_s < STARTING_S:
            raise ConfigError(f"{slot.spec.name} refuses to start (exit code 2); its message is above")
        if ran_s >= STABLE_S:
            slot.backoff.reset()
        delay_s = slot.backoff.next_s()
        slot.start_at = self._clock() + delay_s
        self._log.warning(
            "child.died",
            child=slot.spec.name,
            child_pid=process.pid,
            how=_how(code),
            ran_s=round(ran_s, 1),
            restart_in_s=round(delay_s, 2),
        )

    def _restart(self, slot: _Slot) -> None:
        try:
            self._launch(slot)
        except OSError as error:  # no memory or no process left: wait as if it had died
            delay_s = slot.backoff.next_s()
            slot.start_at = self._clock() + delay_s
            self._log.warning(
                "child.start_failed", child=slot.spec.name, error=error.strerror, restart_in_s=round(delay_s, 2)
            )


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
