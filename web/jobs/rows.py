"""Jobs as the API tells them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import url_for

from maskwatch.jobs.types import JobKind, JobView

__all__ = ["job_row", "result_url"]


def job_row(view: JobView) -> dict[str, Any]:
    """Return all of a job, with the addresses of its results."""
    return {
        "id": view.id,
        "kind": view.kind.value,
        "title": view.title,
        "state": view.state.value,
        "cancelling": view.is_cancelling,
        "progress": view.progress,
        "left_s": view.left_s,
        "made_at": view.made_at.isoformat(),
        "begun_at": _iso(view.begun_at),
        "ended_at": _iso(view.ended_at),
        "reason": view.reason,
        "attempts": view.attempts,
        "results": [
            {"name": one.name, "mimetype": one.mimetype, "bytes": one.bytes, "url": result_url(view.id, one.name)}
            for one in view.results
        ],
        "summary": dict(view.summary),
        # Those of other kinds are between the processes alone.
        "spec": dict(view.spec) if view.kind is JobKind.VIDEO else {},
        "page": url_for("jobs.job_page", job_id=view.id),
    }


def result_url(job_id: str, name: str) -> str:
    """Return where a result of a job is."""
    return url_for("jobs_api.result", job_id=job_id, name=name)


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
