"""The pages of jobs: a list with a form, and a page for each; they work without a script and update with one."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.wrappers import Response

from maskwatch.errors import QueueError
from maskwatch.jobs.spec import MOST_EVERY
from maskwatch.jobs.types import JobKind, JobState, JobView
from maskwatch.types import DETECTORS, Profile
from web.asked import AskedWrong, refuse_unknown
from web.jobs.api import act, find_jobs, job_from_name
from web.jobs.asked import SUFFIXES, WISHES, one_of
from web.jobs.desk import desk, find_job
from web.jobs.look import job_look
from web.jobs.upload import job_from_upload
from web.login.forgery import check_csrf
from web.site import site

__all__ = ["jobs_pages"]

jobs_pages = Blueprint("jobs", __name__, url_prefix="/jobs")

_MOST_SHOWN = 100
_BUSY_MS, _IDLE_MS = 1500, 6000
"""How often a page asks anew: while something runs, and while others may begin something."""
_USUAL = (JobKind.VIDEO, JobKind.REPORT, JobKind.TRAIN)
"""What somebody waits for; the others come by themselves, many a day."""

_TABS: tuple[tuple[str, str, tuple[JobState | None, JobKind | None]], ...] = (
    ("", "All", (None, None)),
    ("?kind=video", "Recorded material", (None, JobKind.VIDEO)),
    ("?kind=report", "Reports", (None, JobKind.REPORT)),
    ("?kind=train", "Trainings", (None, JobKind.TRAIN)),
    ("?state=failed", "Failed", (JobState.FAILED, None)),
)
"""Query, words, and the state and kind that it chooses."""


@jobs_pages.get("")
def list_page() -> str:
    """List jobs, the newest first, below the forms that begin one."""
    return _list_page()


@jobs_pages.post("/upload")
def upload() -> Response | tuple[str, int]:
    """Take a form with a file; its hidden token is checked before the file is read."""
    try:
        view = job_from_upload(desk(), lambda fields: check_csrf(fields.get("csrf_token")))
    except (AskedWrong, HTTPException) as error:
        return _list_with(error)
    return redirect(url_for("jobs.job_page", job_id=view.id), 303)


@jobs_pages.post("/named")
def named() -> Response | tuple[str, int]:
    """Take the name of a file or folder that is there already."""
    try:
        refuse_unknown(request.form, ("path", "csrf_token", *WISHES))
        view = job_from_name(desk(), request.form.get("path", ""), request.form.to_dict())
    except (AskedWrong, HTTPException) as error:
        return _list_with(error, request.form.get("path", ""))
    return redirect(url_for("jobs.job_page", job_id=view.id), 303)


@jobs_pages.get("/<job_id>")
def job_page(job_id: str) -> str:
    """Show one job: how far it is, or what it has made."""
    view = find_job(job_id)
    look = job_look(view, site().zone)
    every_ms = 0 if view.state.is_over else _BUSY_MS
    return render_template("job.html", job=look, here="/jobs", every_ms=every_ms, may=_may(view), zone=site().zone.key)


@jobs_pages.post("/<job_id>/<action>")
def do(job_id: str, action: str) -> Response:
    """Cancel, retry or delete a job, and show it, or the list once it is gone."""
    act(action, job_id)
    if action == "delete":
        return redirect(url_for("jobs.list_page"), 303)
    return redirect(url_for("jobs.job_page", job_id=job_id), 303)


def _list_with(error: AskedWrong | HTTPException, path: str = "") -> tuple[str, int]:
    """Show the list and why a form wasn't taken, with the path that was written into it."""
    wrong = error if isinstance(error, HTTPException) else BadRequest(str(error))
    return _list_page(wrong.description or wrong.name, path), wrong.code or BadRequest.code


def _list_page(problem: str = "", path: str = "") -> str:
    state = one_of("state", request.args.get("state", ""), JobState)
    kind = one_of("kind", request.args.get("kind", ""), JobKind)
    kinds = (kind,) if kind is not None else None if state is not None else _USUAL
    missing = ""
    try:
        views = find_jobs(state, kinds, _MOST_SHOWN)
    except QueueError as error:
        views, missing = [], str(error)
    at = desk()
    is_busy = any(not view.state.is_over for view in views)
    return render_template(
        "jobs.html",
        looks=[job_look(view, site().zone) for view in views],
        tabs=[(query, words, (state, kind) == chosen) for query, words, chosen in _TABS],
        is_cut=len(views) == _MOST_SHOWN,
        every_ms=_BUSY_MS if is_busy else _IDLE_MS,
        # A form that was refused is shown at the form's address, which can't be asked again.
        list_url=url_for("jobs.list_page", state=state, kind=kind),
        zone=site().zone.key,
        problem=problem,
        path=path,
        missing=missing,
        most_bytes=at.most_bytes,
        most_mb=at.most_bytes >> 20,
        most_minutes=site().settings.jobs.most_minutes,
        folders=at.folders,
        accept=",".join(sorted(SUFFIXES)),
        profiles=list(Profile),
        detectors=DETECTORS,
        most_every=MOST_EVERY,
        here="/jobs",
    )


def _may(view: JobView) -> list[str]:
    if not view.state.is_over:
        return [] if view.is_cancelling else ["cancel"]
    return ["delete"] if view.state is JobState.DONE else ["retry", "delete"]
