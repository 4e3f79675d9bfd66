"""The verbs `worker` and `detect`; what they need is imported when they run."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import click

from maskwatch.options import config_option, settings_from

__all__ = ["worker"]

_ENGINE = click.option(
    "--engine", type=click.Choice(["auto", "litert", "keras"]), help="What runs the networks  [default: auto]"
)


@click.command()
@config_option
@click.option("--name", help="Unique among the workers  [default: HOST-PID]")
@_ENGINE
def worker(config: Path | None, name: str | None, engine: str | None) -> None:
    """Find faces, follow people, classify masks.

    Takes frames of all cameras from Redis; start as many as there are cores. SIGTERM finishes the batch at hand.
    """
    settings = settings_from(config, {"worker": {"engine": engine}} if engine else {})
    _limit_threads(settings.worker.threads)
    from maskwatch import log
    from maskwatch.errors import MaskwatchError
    from maskwatch.service import stop_on_signals

    log.configure(settings.log, "worker")
    stop = stop_on_signals()
    import structlog

    from workers.live import run

    name = name or f"{socket.gethostname()}-{os.getpid()}"
    try:
        run(settings, name, stop)
    except MaskwatchError:
        raise
    except Exception:  # noqa: BLE001  # the edge of the process: leases run out, which is how a deadly frame is found
        structlog.get_logger().exception("worker.crashed", name=name)
        sys.exit(1)


def _limit_threads(threads: int) -> None:
    """Bound the threads of numerical libraries; they read this when they are first imported."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, str(threads))
