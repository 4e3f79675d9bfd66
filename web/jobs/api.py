"""The API of jobs: uploads and named files in, progress and results out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, jsonify, request, url_for
from werkzeug.exceptions import Conflict, NotFound

from maskwatch.errors import JobError
from maskwatch.jobs.named import resolve_named
from maskwatch.jobs.types import JobKind, JobState, JobView
from web.asked import AskedWrong, refuse_unknown, shown_received
from web.jobs.asked import WISHES, named_spec, one_of
from web.jobs.desk import JobDesk, desk, find_job
from web.jobs.download import result_answer
from web.jobs.rows import job_row
from web.jobs.upload import job_from_upload

__all__ = ["MOST_JOBS", "act", "job_from_name", "jobs_api"]

jobs_api = Blueprint("jobs_api", __name__, url_prefix="/api/v1/jobs")

MOST_JOBS = 500
"""Of one answer."""
_JOBS = 100

_ACTIONS: dict[str, Callable[[JobDesk, str], object]] = {
    "cancel": lambda at, job_id: at.jobs.cancel(job_id),
    "retry": lambda at, job_id: at.jobs.retry(job_id),
    "delete": lambda at, job_id: at.jobs.delete(job_id),
}


@jobs_api.post("")
def submit() -> tuple[Response, int]:
    """Take an upload, or the name of what is there already."""
    if request.mimetype == "application/json":
        asked = _object_of_body()
        refuse_unknown(asked, ("path", *WISHES))
        view = job_from_name(desk(), str(asked.get("path") or ""), asked)
    else:
        view = job_from_upload(desk(), lambda _fields: None)
    answer = jsonify(job_row(view))
    answer.headers["Location"] = url_for("jobs_api.job", job_id=view.id)
    return answer, HTTPStatus.CREATED


@jobs_api.get("")
def jobs() -> Response:
    """List jobs, the newest first."""
    refuse_unknown(request.args, ("state", "kind", "limit"))
    state = one_of("state", request.args.get("state", ""), JobState)
    kind = one_of("kind", request.args.get("kind", ""), JobKind)
    found = find_jobs(state, None if kind is None else (kind,), _limit(request.args.get("limit", "")))
    return jsonify(items=[job_row(view) for view in found])


@jobs_api.get("/<job_id>")
def job(job_id: str) -> Response:
    """Tell all of one job."""
    return jsonify(job_row(find_job(job_id)))


@jobs_api.post("/<job_id>/cancel")
def cancel(job_id: str) -> Response:
    """Wish a job's end: at once where it waits, within seconds where it runs."""
    act("cancel", job_id)
    return jsonify(job_row(find_job(job_id)))


@jobs_api.post("/<job_id>/retry")
def retry(job_id: str) -> Response:
    """Try again what has failed or was cancelled."""
    act("retry", job_id)
    return jsonify(job_row(find_job(job_id)))


@jobs_api.delete("/<job_id>")
def delete(job_id: str) -> tuple[str, int]:
    """Delete a job that is over, with its upload and its results."""
    act("delete", job_id)
    return "", HTTPStatus.NO_CONTENT


@jobs_api.get("/<job_id>/results/<name>")
def result(job_id: str, name: str) -> Response:
    """Return a file that a job has made."""
    return result_answer(desk(), find_job(job_id), name)


def find_jobs(state: JobState | None, kinds: tuple[JobKind, ...] | None, limit: int) -> list[JobView]:
    """Return jobs, the newest first.

    Args:
        state: only those; None for all.
        kinds: only those; None for all.
        limit: how many, at most; of kinds, among the newest `MOST_JOBS`.

    Raises:
        QueueError: if Redis doesn't answer as it should.
    """
    found = desk().jobs.list(limit if kinds is None else MOST_JOBS, state)
    return [view for view in found if kinds is None or view.kind in kinds][:limit]


def job_from_name(at: JobDesk, path: str, wishes: Mapping[str, Any]) -> JobView:
    """Ask for a job about a file or folder that is there already.

    Args:
        at: the desk.
        path: as somebody gave it.
        wishes: of `WISHES`.

    Raises:
        AskedWrong: if it isn't below an allowed folder, or a wish isn't allowed.
        QueueError: if Redis doesn't answer as it should.
    """
    spec = named_spec(path, wishes)
    # The jobs process may be another machine's: where this one has none of the folders, that one finds out.
    if not at.folders or any(os.path.isdir(folder) for folder in at.folders):
        try:
            resolve_named(path.strip(), at.folders)
        except JobError as error:
            raise AskedWrong(f"path: {error}") from None
    return at.jobs.submit(JobKind.VIDEO, spec)


def act(action: str, job_id: str) -> None:
    """Cancel, retry or delete a job.

    Raises:
        NotFound: if there is none of that id, or no such action.
        Conflict: if the job isn't in a state for it.
        QueueError: if Redis doesn't answer as it should.
    """
    if action not in _ACTIONS:
        raise NotFound(f"{shown_received(action)} can't be done with a job; expected {', '.join(_ACTIONS)}")
    find_job(job_id)
    try:
        _ACTIONS[action](desk(), job_id)
    except JobError as error:
        raise Conflict(str(error)) from None


def _object_of_body() -> dict[str, Any]:
    try:
        asked = json.loads(request.get_data())
    except (ValueError, RecursionError):  # the latter from brackets within brackets within brackets
        asked = None
    if not isinstance(asked, dict):
        raise AskedWrong('the body: expected a JSON object such as {"path": "door.mp4"}')
    return asked


def _limit(text: str) -> int:
    if not text:
        return _JOBS
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= MOST_JOBS):
        raise AskedWrong(f"limit: expected a number from 1 to {MOST_JOBS}, received {shown_received(text)}")
    return int(text)
