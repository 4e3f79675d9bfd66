"""What processes cost: memory and processor time, from Linux' /proc."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Costs", "cpu_s", "memory_mb"]


def memory_mb(pid: int) -> tuple[float, float]:
    """Return a process' resident memory now and at its peak, in MiB; zeros when it is gone."""
    now = peak = 0.0
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0, 0.0
    for line in lines:
        name, _, value = line.partition(":")
        if name == "VmRSS":
            now = int(value.split()[0]) / 1024
        elif name == "VmHWM":
            peak = int(value.split()[0]) / 1024
    return now, peak


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used, in seconds; 0 when it is gone."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Costs:
    """Costs of several processes over time, by kind; of memory the largest process of a kind.

    Attributes:
        pids: process ids by kind.
        rss_mb: resident memory at each look, MiB.
        peak_mb: greatest resident memory up to the last look, MiB.
    """

    pids: Mapping[str, tuple[int, ...]]
    rss_mb: dict[str, list[float]] = field(default_factory=dict)
    peak_mb: dict[str, float] = field(default_factory=dict)
    _began_s: dict[str, float] = field(default_factory=dict)
    _last_s: dict[str, float] = field(default_factory=dict)

    def begin(self) -> None:
        """Count processor time from now on."""
        self._began_s = self._cpu_s()

    def look(self) -> None:
        """Take one more measurement."""
        for kind, pids in self.pids.items():
            seen = [memory_mb(pid) for pid in pids]
            self.rss_mb.setdefault(kind, []).append(round(max(now for now, _ in seen), 1))
            self.peak_mb[kind] = round(max(peak for _, peak in seen), 1)
        self._last_s = self._cpu_s()

    def cpu_s(self) -> dict[str, float]:
        """Return the processor time between `begin` and the last look, in seconds, all processes of a kind together."""
        return {kind: last_s - self._began_s.get(kind, 0.0) for kind, last_s in self._last_s.items()}

    def _cpu_s(self) -> dict[str, float]:
        return {kind: sum(cpu_s(pid) for pid in pids) for kind, pids in self.pids.items()}
