"""The records of jobs on the durable Redis: one hash each, and their order.

The record is what people see and what decides; RQ's queues only carry a job's id to a worker. So a job that RQ has
lost is found again, and RQ's own data may go when RQ wants.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import redis
import structlog
from redis.client import Pipeline

from maskwatch.broker import keys
from maskwatch.broker.connect import translated
from maskwatch.jobs.types import QUEUE_OF, JobKind, JobResult, JobState, JobView

__all__ = ["JobRecords"]

_PAGE = 200
"""Records that are fetched at once."""
_MOST_REASON = 500

_Fields = dict[str, str]
_Views = list[JobView | None]


class JobRecords:
    """Every record there is.

    Every method raises `BrokerDown` when Redis can't be reached and `QueueError` when it answers with an error.

    Args:
        client: of the durable Redis, as `connect` makes it.
        clock: seconds of UTC.
    """

    def __init__(self, client: redis.Redis, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._clock = clock

    def make(self, job_id: str, kind: JobKind, title: str, spec: Mapping[str, Any]) -> JobView:
        """Enter a job that waits, in place of an older one of the same id, and return it."""
        now_s = self._clock()
        fields = {
            "kind": kind.value, "title": title, "state": JobState.WAITING.value, "spec": json.dumps(dict(spec)),
            "made": repr(now_s),
        }  # fmt: skip
        with translated(self._client, "entering a job"), self._client.pipeline(transaction=True) as batch:
            batch.delete(keys.job_key(job_id))
            batch.hset(keys.job_key(job_id), mapping=cast(Any, fields))
            batch.zadd(keys.JOBS, {job_id: now_s})
            batch.execute()
        return _view(job_id, fields)

    def get(self, job_id: str) -> JobView | None:
        """Return a job, or None when there is none of that id."""
        return self._many([job_id])[0]

    def list(self, limit: int = 100, state: JobState | None = None) -> list[JobView]:
        """Return jobs, the newest first.

        Args:
            limit: how many, at most.
            state: only those; None is all.
        """
        found: list[JobView] = []
        at = 0
        while len(found) < limit:
            with translated(self._client, "listing jobs"):
                page: list[bytes] = cast(Any, self._client.zrevrange(keys.JOBS, at, at + _PAGE - 1))
            ids = [one.decode() for one in page]
            if not ids:
                break
            at += len(ids)
            views = [view for view in self._many(ids) if view is not None]
            found += [view for view in views if state is None or view.state is state]
        return found[:limit]

    def counts(self) -> dict[tuple[str, JobState], int]:
        """Return how many jobs of each queue are in each state, 0 included."""
        seen = Counter((QUEUE_OF[view.kind], view.state) for view in self.list(limit=1 << 30))
        return {(queue, state): seen[queue, state] for queue in sorted(set(QUEUE_OF.values())) for state in JobState}

    def begin(self, job_id: str) -> JobView | None:
        """Note that a job is begun and return it; None when it was cancelled or deleted meanwhile, or doesn't wait."""

        def change(old: _Fields) -> _Fields | None:
            if old["state"] != JobState.WAITING.value:
                return None
            if old.get("cancel"):
                return {"state": JobState.CANCELLED.value, "ended": repr(self._clock())}
            return {
                "state": JobState.RUNNING.value, "begun": repr(self._clock()), "reason": "",
                "attempts": str(int(old.get("attempts", 0)) + 1),
            }  # fmt: skip

        new = self._change(job_id, change)
        return _view(job_id, new) if new is not None and new["state"] == JobState.RUNNING.value else None

    def progress(self, job_id: str, progress: float | None, left_s: float | None) -> bool:
        """Note how far a job is and return whether it shall go on: False when it was cancelled or deleted."""
        told = {"progress": _number(progress), "left": _number(left_s)}
        new = self._change(job_id, lambda old: told if old["state"] == JobState.RUNNING.value else None)
        return new is not None and not new.get("cancel")

    def is_cancelled(self, job_id: str) -> bool:
        """Return whether somebody wants a job to end, or has deleted it."""
        with translated(self._client, "looking at a job"):
            exists, cancel = self._client.hmget(keys.job_key(job_id), ["state", "cancel"])
        return exists is None or bool(cancel)

    def end(
        self,
        job_id: str,
        state: JobState,
        *,
        reason: str = "",
        results: Sequence[JobResult] = (),
        summary: Mapping[str, Any] | None = None,
    ) -> None:
        """Note that a job is over; one that was over before stays as it was."""
        told = {
            "state": state.value, "ended": repr(self._clock()), "reason": _line(reason), "left": "",
            "results": json.dumps([[one.name, one.key, one.mimetype, one.bytes] for one in results]),
            "summary": json.dumps(dict(summary or {})),
        }  # fmt: skip
        if state is JobState.DONE:
            told["progress"] = "1"
        self._change(job_id, lambda old: None if JobState(old["state"]).is_over else told)

    def wait(self, job_id: str, reason: str = "", *, was_attempt: bool = True) -> bool:
        """Note that a job which was begun waits for another attempt; return whether it does.

        Args:
            job_id: of the job.
            reason: what it waits for.
            was_attempt: False for one that was interrupted through no fault of its own: that doesn't count.
        """

        def change(old: _Fields) -> _Fields | None:
            if JobState(old["state"]).is_over:
                return None
            attempts = int(old.get("attempts", 0)) - (0 if was_attempt else 1)
            return {
                "state": JobState.WAITING.value, "reason": _line(reason), "left": "", "attempts": str(max(0, attempts)),
            }  # fmt: skip

        return self._change(job_id, change) is not None

    def again(self, job_id: str) -> JobView | None:
        """Let a job that has failed or was cancelled wait anew and return it; None for any other."""
        told = {"state": JobState.WAITING.value, "reason": "", "cancel": "", "ended": "", "left": ""}
        is_tryable = (JobState.FAILED.value, JobState.CANCELLED.value)
        new = self._change(job_id, lambda old: told if old["state"] in is_tryable else None)
        return None if new is None else _view(job_id, new)

    def cancel(self, job_id: str) -> JobView | None:
        """Wish a job's end and return it; one that waits is over at once. None when there is no such job."""

        def change(old: _Fields) -> _Fields | None:
            if JobState(old["state"]).is_over:
                return None
            if old["state"] == JobState.WAITING.value:
                return {"cancel": "1", "state": JobState.CANCELLED.value, "ended": repr(self._clock()), "left": ""}
            return {"cancel": "1"}

        self._change(job_id, change)
        return self.get(job_id)

    def delete(self, job_id: str) -> None:
        """Strike a job out."""
        with translated(self._client, "deleting a job"), self._client.pipeline(transaction=True) as batch:
            batch.delete(keys.job_key(job_id))
            batch.zrem(keys.JOBS, job_id)
            batch.execute()

    def _change(self, job_id: str, change: Callable[[_Fields], _Fields | None]) -> _Fields | None:
        """Change a record as it is at that very moment and return it; None when there is none or nothing to change."""
        key = keys.job_key(job_id)
        outcome: list[_Fields | None] = [None]

        def within(batch: Pipeline) -> None:
            outcome[0] = None
            old = _texts(batch.hgetall(key))
            batch.multi()
            if not old:
                return
            new = change(old)
            if new is not None:
                batch.hset(key, mapping=cast(Any, new))
                outcome[0] = {**old, **new}

        with translated(self._client, "changing a job"):
            self._client.transaction(within, key)
        return outcome[0]

    def _many(self, ids: Sequence[str]) -> _Views:
        with translated(self._client, "reading jobs"), self._client.pipeline(transaction=False) as batch:
            for job_id in ids:
                batch.hgetall(keys.job_key(job_id))
            answers = batch.execute()
        return [_readable(job_id, _texts(answer)) for job_id, answer in zip(ids, answers, strict=True)]


def _texts(answer: Any) -> _Fields:
    return {name.decode(): value.decode() for name, value in answer.items()}


def _readable(job_id: str, fields: _Fields) -> JobView | None:
    if not fields:
        return None
    try:
        return _view(job_id, fields)
    except (KeyError, ValueError, TypeError) as error:  # of another version
        structlog.get_logger().warning("job.unreadable", job=job_id, error=str(error))
        return None


def _view(job_id: str, fields: _Fields) -> JobView:
    made_at = _time(fields["made"])
    assert made_at is not None
    state = JobState(fields["state"])
    return JobView(
        id=job_id,
        kind=JobKind(fields["kind"]),
        title=fields["title"],
        state=state,
        progress=_read(fields.get("progress")),
        left_s=_read(fields.get("left")),
        made_at=made_at,
        begun_at=_time(fields.get("begun")),
        ended_at=_time(fields.get("ended")),
        reason=fields.get("reason", ""),
        attempts=int(fields.get("attempts", 0)),
        is_cancelling=bool(fields.get("cancel")) and not state.is_over,
        results=tuple(JobResult(*one) for one in json.loads(fields.get("results", "[]"))),
        summary=json.loads(fields.get("summary", "{}")),
        spec=json.loads(fields["spec"]),
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _read(text: str | None) -> float | None:
    return float(text) if text else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromtimestamp(float(text), UTC) if text else None


def _line(text: str) -> str:
    return " ".join(text.split())[:_MOST_REASON]
