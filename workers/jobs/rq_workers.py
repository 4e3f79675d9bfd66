"""RQ's workers as they are needed here: long jobs in a process each, quick ones in the worker's own.

`LongWorker` starts a fresh interpreter for every job (RQ's SpawnWorker does so too, but puts the password of Redis on
the command line, where every user of the machine can read it). The worker itself stays small, notices a job's death at
once and ends one that doesn't. Neither forks, so no model runtime is ever in the parent of a fork.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import Any

import redis
from rq import Queue, SimpleWorker, Worker
from rq.executions import Execution
from rq.job import Job
from rq.serializers import JSONSerializer

from maskwatch.jobs import JobState
from maskwatch.jobs.carrier import WORKER_KEY
from maskwatch.jobs.records import JobRecords

__all__ = ["LongWorker", "QuickWorker", "make_worker", "run_horse"]

_ALIVE_S = 30
"""For how long a worker counts as alive after it last said so; it says so twice in that time."""
_LOOK_EVERY_S = 5
_STUBBORN_LOOKS = 3
"""Looks at a cancelled job that doesn't end, e.g. because a decoder hangs, before its process is killed."""
_HORSE = "workers.jobs.horse"


class QuickWorker(SimpleWorker):
    """Does jobs in its own process, one after the other."""

    max_connection_wait_time = 5.0
    log_result_lifespan = False


class LongWorker(Worker):
    """Does each job in a process of its own, started anew and not forked."""

    max_connection_wait_time = 5.0
    log_result_lifespan = False
    _cancelled_looks = 0

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        """Start the job's process, which leads a process group of its own."""
        assert self.execution is not None
        self._cancelled_looks = 0
        environ = {**os.environ, "RQ_WORKER_ID": self.name, "RQ_EXECUTION_ID": self.execution.id}
        words = [sys.executable, "-P", "-m", _HORSE, str(os.getpid()), self.name, job.id, queue.name]
        self._horse_pid = os.posix_spawn(sys.executable, words, environ, setpgroup=0)

    def handle_warm_shutdown_request(self) -> None:
        """Ask the job to save itself and end; RQ waits for it."""
        if self.horse_pid:
            with suppress(ProcessLookupError):
                os.kill(self.horse_pid, signal.SIGTERM)

    def handle_work_horse_killed(self, job: Job, retpid: int, ret_val: int, rusage: Any) -> None:
        """Write down that a job's process died; RQ itself tries again where a try is left."""
        records = JobRecords(self.connection)
        if records.is_cancelled(job.id):
            job.retries_left = 0
            records.end(job.id, JobState.CANCELLED)
            return
        code = os.waitstatus_to_exitcode(ret_val)
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        reason = f"its process was {how}; is there enough memory?" if code < 0 else f"its process {how}; see the log."
        if job.retries_left:
            records.wait(job.id, f"{reason} It goes on in a moment")
        else:
            records.end(job.id, JobState.FAILED, reason=reason)

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """Say that worker and job are alive, and end a cancelled job that doesn't end by itself."""
        super().maintain_heartbeats(job, execution)
        if JobRecords(self.connection).is_cancelled(job.id):
            self._cancelled_looks += 1
            if self._cancelled_looks >= _STUBBORN_LOOKS:
                self.kill_horse()

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Say that the worker is alive, for a shorter time than RQ would: who is dead is to be noticed soon."""
        super().heartbeat(min(timeout or _ALIVE_S, _ALIVE_S), pipeline)


def make_worker(queue: str, name: str, client: redis.Redis) -> LongWorker | QuickWorker:
    """Make the worker of a queue.

    Args:
        queue: `quick` or `long`.
        name: unique; nobody else of this name is alive.
        client: of the durable Redis, for waiting.
    """
    # Who was called so before is dead; RQ refuses a name that may be somebody's.
    client.delete(WORKER_KEY + name)
    kind = LongWorker if queue == "long" else QuickWorker
    return kind(
        [queue], name=name, connection=client, serializer=JSONSerializer, worker_ttl=_ALIVE_S,
        job_monitoring_interval=_LOOK_EVERY_S, maintenance_interval=60, log_job_description=False,
    )  # fmt: skip


def run_horse(client: redis.Redis, worker_name: str, job_id: str, queue_name: str, execution_id: str) -> None:
    """Do one job as the process that a `LongWorker` has started for it; doesn't return.

    Args:
        client: of the durable Redis.
        worker_name: of the one that started it.
        job_id: RQ's, which is ours.
        queue_name: where it came from.
        execution_id: RQ's name of this attempt.
    """
    worker = LongWorker.find_by_key(WORKER_KEY + worker_name, connection=client, serializer=JSONSerializer)
    if worker is None:
        sys.exit(f"worker {worker_name} is gone")
    job = Job.fetch(job_id, connection=client, serializer=worker.serializer)
    queue = Queue(queue_name, connection=client, serializer=worker.serializer)
    worker.execution = Execution.fetch(execution_id, job.id, connection=client)
    worker.execution._job = job  # as RQ's own SpawnWorker does; it would be fetched with the pickling serializer
    worker.main_work_horse(job, queue)
