"""The process of one long job: `python -m workers.jobs.horse PARENT WORKER JOB QUEUE`, started by `LongWorker`."""

from __future__ import annotations

import os
import sys

from maskwatch.service import die_with_parent

__all__ = ["main"]

_NICENESS = 10
"""Live cameras come first: a job takes what they leave."""


def main(parent: int, worker: str, job_id: str, queue: str) -> None:
    """Do one job.

    Args:
        parent: process id of the worker.
        worker: its name.
        job_id: what to do.
        queue: where it came from.
    """
    die_with_parent(parent)
    os.nice(_NICENESS)
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    from maskwatch import log
    from maskwatch.broker.connect import connect
    from workers.jobs.entry import settings_of_process
    from workers.jobs.rq_workers import run_horse

    settings = settings_of_process()
    log.configure(settings.log, "jobs")
    client = connect(settings.require_redis().durable.get_secret_value(), blocking=True)
    run_horse(client, worker, job_id, queue, os.environ["RQ_EXECUTION_ID"])


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:5])
