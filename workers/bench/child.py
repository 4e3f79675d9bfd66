"""What a helper process runs: `python -m workers.bench.child`, one job from standard input to standard output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

import click

from maskwatch import log
from maskwatch.errors import MaskwatchError
from maskwatch.settings import LogSettings

__all__ = ["Job", "main"]

Job = Callable[[dict[str, Any], Callable[[], None]], dict[str, Any]]
"""Takes what it is to do and a function that says "ready" and waits for the start; returns what it measured."""


def main() -> None:
    """Run the job that standard input describes."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    answers = _take_stdout()
    log.configure(LogSettings(level="warning"), "bench")

    def say(line: str) -> None:
        answers.write(line + "\n")
        answers.flush()

    def wait_for_start() -> None:
        say("ready")
        if sys.stdin.readline().strip() != "go":
            sys.exit(1)

    spec = json.loads(sys.stdin.readline())
    try:
        result = _job(spec["job"])(spec, wait_for_start)
    except MaskwatchError as error:
        click.echo(f"maskwatch: {error}", err=True)
        sys.exit(1)
    say(json.dumps(result))


def _job(name: str) -> Job:
    """Return a job; each imports only what it needs."""
    if name == "pipeline":
        from workers.bench.pipeline import pipeline_job

        return pipeline_job
    if name == "classic":
        from workers.bench.classic import classic_job

        return classic_job
    if name == "produce":
        from workers.bench.load import produce_job

        return produce_job
    if name == "consume":
        from workers.bench.load import consume_job

        return consume_job
    raise ValueError(f"no job named {name}")


def _take_stdout() -> TextIO:
    """Keep standard output for answers; what libraries print there goes to standard error from now on."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


if __name__ == "__main__":
    main()
