"""Looks after the jobs: what is due is sent, what a death has left is sent again, what is to be told is asked for."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import redis
import structlog
from rq.scheduler import RQScheduler
from rq.serializers import JSONSerializer

from maskwatch.broker import keys
from maskwatch.broker.connect import translated
from maskwatch.errors import QueueError, StoreError
from maskwatch.jobs import QUEUES, JobBook, JobKind, JobState, JobView
from maskwatch.jobs.carrier import Carrier, Standing
from maskwatch.jobs.records import JobRecords
from maskwatch.settings import Settings
from workers.jobs.recurring import plan_recurring
from workers.notify import due
from workers.notify.asking import ask_for

__all__ = ["MOST_ATTEMPTS", "Steward", "send_again", "take_over"]

MOST_ATTEMPTS = 6
"""Of one job whose workers die: then it is the job's fault."""

_SCHEDULE_S = 1.0
_LOCK_S = 5.0
_SWEEP_S = 4.0
_SETTLED_S = 3.0
"""Between a record and its message: nobody who asks for a job takes longer."""
_PLAN_S = 60.0
_NOTIFY_S = 30.0


class Steward:
    """What `maskwatch jobs` does beside its workers; several processes may do it.

    Args:
        settings: of this installation.
        client: of the durable Redis.
        clock: monotonic seconds.
        now: the time, with a time zone.
    """

    def __init__(
        self,
        settings: Settings,
        client: redis.Redis,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._client = client
        self._now = now
        self._records, self._carrier, self._book = JobRecords(client), Carrier(client), JobBook(client)
        self._scheduler = RQScheduler(
            list(QUEUES), connection=client, interval=1, logging_level=logging.WARNING, serializer=JSONSerializer
        )
        self._turns = [
            _Turn(self._lock, _LOCK_S, clock),
            _Turn(self._schedule, _SCHEDULE_S, clock),
            _Turn(self._sweep, _SWEEP_S, clock),
            _Turn(self._plan, _PLAN_S, clock),
            _Turn(self._notify, _NOTIFY_S, clock),
        ]

    def tick(self) -> None:
        """Do what it is time for; call it some times a second. A Redis that is away is asked again later."""
        for turn in self._turns:
            try:
                turn.take()
            except (QueueError, StoreError) as error:
                structlog.get_logger().warning("jobs.not_looked_after", error=str(error))

    def leave(self) -> None:
        """Let another process' scheduler go on at once."""
        with suppress(QueueError), translated(self._client, "leaving the scheduler"):
            if self._scheduler.acquired_locks:
                self._scheduler.release_locks()  # type: ignore[no-untyped-call]

    def _lock(self) -> None:
        with translated(self._client, "becoming the scheduler"):
            if len(self._scheduler.acquired_locks) < len(QUEUES):
                self._scheduler.acquire_locks()  # type: ignore[no-untyped-call]

    def _schedule(self) -> None:
        with translated(self._client, "sending what is due"):
            if self._scheduler.acquired_locks:
                self._scheduler.enqueue_scheduled_jobs()  # type: ignore[no-untyped-call]
                self._scheduler.heartbeat()  # type: ignore[no-untyped-call]

    def _sweep(self) -> None:
        """Send again what waits without a message, and what was with a worker that is dead."""
        with translated(self._client, "looking after the jobs"):
            if not self._client.set(keys.JOBS_SWEEP, 1, nx=True, px=round(900 * _SWEEP_S)):
                return
        for view in self._records.list(limit=1 << 30):
            if view.state.is_over or self._carrier.standing(view.id) is Standing.UNDER_WAY:
                continue
            if view.state is JobState.WAITING and (self._now() - view.made_at).total_seconds() < _SETTLED_S:
                continue
            send_again(self._records, self._carrier, view)

    def _plan(self) -> None:
        plan_recurring(self._settings, self._records, self._carrier, self._now())

    def _notify(self) -> None:
        if self._settings.notify.receivers:
            ask_for(self._book, due(self._settings))


class _Turn:
    """Something that is done every so often, at once the first time; a failed one counts."""

    def __init__(self, do: Callable[[], None], every_s: float, clock: Callable[[], float]) -> None:
        self._do = do
        self._every_s = every_s
        self._clock = clock
        self._next_s = clock()

    def take(self) -> None:
        """Do it when it is time."""
        if self._clock() >= self._next_s:
            self._next_s = self._clock() + self._every_s
            self._do()


def send_again(records: JobRecords, carrier: Carrier, view: JobView) -> None:
    """Send a job again that nobody does, though it isn't over; one that has killed too many workers has failed.

    Raises:
        QueueError: if Redis can't be asked.
    """
    log = structlog.get_logger()
    if view.state is JobState.RUNNING:
        if view.kind is JobKind.NOTIFY:  # whatever is due is asked for anew
            records.end(view.id, JobState.FAILED, reason="its worker died; what is due is told by the next one")
            return
        if view.attempts >= MOST_ATTEMPTS:
            reason = f"its worker died {view.attempts} times; is there enough memory? `maskwatch jobs` logs more"
            records.end(view.id, JobState.FAILED, reason=reason)
            log.error("job.given_up", job=view.id, attempts=view.attempts)
            return
        if not records.wait(view.id, "its worker died; it goes on where it stood"):
            return
    log.info("job.sent_again", job=view.id, was=view.state.value)
    carrier.send(view.id, view.kind)


def take_over(client: redis.Redis, worker: str) -> None:
    """Send again what a dead worker of this name had; called by the one that takes its place.

    Raises:
        QueueError: if Redis can't be asked.
    """
    records, carrier = JobRecords(client), Carrier(client)
    for view in records.list(limit=1 << 30, state=JobState.RUNNING):
        if carrier.worker_of(view.id) == worker:
            send_again(records, carrier, view)
