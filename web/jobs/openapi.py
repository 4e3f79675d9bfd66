"""The jobs' part of the OpenAPI document, kept by hand; a test compares it with the routes and with real answers."""

from __future__ import annotations

from maskwatch.jobs.spec import MOST_EVERY
from maskwatch.jobs.types import JobKind, JobState
from maskwatch.types import DETECTORS, Profile
from web.jobs.api import MOST_JOBS
from web.jobs.asked import SUFFIXES
from web.openapi_parts import COUNT, TEXT, Json, answer, json_answer, list_of, object_of, operation, query, ref, refusal

__all__ = ["api", "pages", "schemas"]

_TIME = {"type": ["string", "null"], "description": "ISO 8601, UTC"}
_FILE = {"type": "string", "format": "binary"}
_STATE = {"type": "string", "enum": list(JobState)}
_KIND = {"type": "string", "enum": list(JobKind)}


def pages() -> Json:
    """Return the pages."""
    page = {"200": answer("the page", "text/html"), **_DOWN}
    seen = {"303": {"description": "to the page of the job"}}
    again = answer("the list, and why the form wasn't taken", "text/html")
    fields = {**_wishes(), "csrf_token": TEXT}
    uploaded = {"type": "object", "required": ["file"], "properties": {**fields, "file": _FILE}}
    named = {"type": "object", "required": ["path"], "properties": {**fields, "path": TEXT}}
    return {
        "/jobs": {
            "get": operation(
                "The list of jobs, below the forms that begin one",
                {**page, **_WRONG},
                query("state", "only those", _STATE),
                query("kind", "only those", _KIND),
            )
        },
        "/jobs/upload": {
            "post": operation("The form with a file", {**seen, "4XX": again, **_DOWN}, body=_form(uploaded))
        },
        "/jobs/named": {
            "post": operation(
                "The form with a name",
                {**seen, "4XX": again, **_DOWN},
                body={"application/x-www-form-urlencoded": {"schema": named}},
            )
        },
        "/jobs/{job_id}": {"get": operation("The page of one job", {**page, **_UNKNOWN}, _ID)},
        "/jobs/{job_id}/{action}": {
            "post": operation(
                "The buttons on it",
                {"303": {"description": "to the page of the job, or to the list"}, **_UNKNOWN, **_REFUSED, **_DOWN},
                _ID,
                {
                    "name": "action",
                    "in": "path",
                    "required": True,
                    "schema": {"type": "string", "enum": ["cancel", "retry", "delete"]},
                },
            )
        },
    }


def api() -> Json:
    """Return the API."""
    job = {"200": json_answer("it", ref("Job")), **_UNKNOWN, **_DOWN}
    items = {"type": "object", "required": ["items"], "properties": {"items": list_of("Job")}}
    return {
        "/api/v1/jobs": {
            "get": operation(
                "Jobs, the newest first",
                {"200": json_answer("jobs", items), **_WRONG, **_DOWN},
                query("state", "only those", _STATE),
                query("kind", f"only those among the newest {MOST_JOBS}", _KIND),
                query("limit", f"how many, at most: 1 to {MOST_JOBS}, 100 when left out", {"type": "integer"}),
            ),
            "post": _submit(),
        },
        "/api/v1/jobs/{job_id}": {
            "get": operation("One job", job, _ID),
            "delete": operation(
                "Delete a job that is over, with its upload and its results",
                {"204": {"description": "it is gone"}, **_UNKNOWN, **_REFUSED, **_DOWN},
                _ID,
            ),
        },
        "/api/v1/jobs/{job_id}/cancel": {
            "post": operation("End a job: at once where it waits, within seconds where it runs; else nothing", job, _ID)
        },
        "/api/v1/jobs/{job_id}/retry": {
            "post": operation(
                "Try again what has failed or was cancelled; a video goes on where it stood", {**job, **_REFUSED}, _ID
            )
        },
        "/api/v1/jobs/{job_id}/results/{name}": {"get": _result()},
    }


def _submit() -> Json:
    path = {"type": "string", "description": "of a video, picture or folder below one that jobs.folders allows"}
    named = {"type": "object", "required": ["path"], "properties": {"path": path, **_wishes()}}
    uploaded = {"type": "object", "required": ["file"], "properties": {"file": _FILE, "name": TEXT, **_wishes()}}
    refused = {
        "400": refusal("an empty file, a name or wish that isn't allowed; says which, and what is"),
        "408": refusal("the file came too slowly"),
        "411": refusal("the body's length isn't told before it"),
        "413": refusal("the file is too large"),
        "503": refusal("too many uploads at once (after Retry-After seconds again), or Redis is away"),
        "507": refusal("there is no room for it"),
    }
    return operation(
        "Look at recorded material: a file as the body with its name in the query, a form with one file, or the name "
        "of what is on the server",
        {"201": json_answer("the job, which waits", ref("Job")), **refused},
        query("name", f"of a file that is the whole body; ends in {', '.join(sorted(SUFFIXES))}"),
        *[query(name, str(schema["description"]), schema) for name, schema in _wishes().items()],
        body={
            "application/octet-stream": {"schema": _FILE},
            **_form(uploaded),
            "application/json": {"schema": named},
        },
    )


def _result() -> Json:
    return operation(
        "A file that a job has made, or a part of it",
        {
            "200": answer("the file", "*/*"),
            "206": answer("the part that Range asks for", "*/*"),
            "404": refusal("no such job, or no such result"),
            "410": refusal("it isn't kept any longer"),
            "416": refusal("it is shorter"),
            **_DOWN,
        },
        _ID,
        {"name": "name", "in": "path", "required": True, "schema": TEXT},
        query("download", "whatever its value: browsers save the file instead of showing it"),
    )


def schemas() -> Json:
    """Return the forms of the answers."""
    result = {"name": TEXT, "mimetype": TEXT, "bytes": COUNT, "url": {**TEXT, "description": "path of the file"}}
    job = {
        "id": TEXT,
        "kind": _KIND,
        "title": TEXT,
        "state": _STATE,
        "cancelling": {"type": "boolean", "description": "its end was asked for and comes within seconds"},
        "progress": {"type": ["number", "null"], "description": "0..1; null where nobody can tell"},
        "left_s": {"type": ["number", "null"], "description": "seconds that it probably takes yet"},
        "made_at": {**TEXT, "format": "date-time"},
        "begun_at": _TIME,
        "ended_at": _TIME,
        "reason": {**TEXT, "description": "why it failed and what to do, or what it waits for; else empty"},
        "attempts": COUNT,
        "results": list_of("JobResult"),
        "summary": {"type": "object", "description": "figures; `people` is their number by verdict"},
        "spec": {"type": "object", "description": "what was asked for; empty for kinds other than video"},
        "page": {**TEXT, "description": "path of its page"},
    }
    return {"Job": object_of(job), "JobResult": object_of(result)}


def _wishes() -> Json:
    return {
        "every": {
            "type": "integer", "minimum": 1, "maximum": MOST_EVERY, "default": 1,
            "description": "of a video, one picture in so many",
        },
        "profile": {
            "type": "string", "enum": list(Profile), "default": Profile.ACCURATE.value,
            "description": "how much work the detector is given",
        },
        "detector": {
            "type": "string", "enum": list(DETECTORS), "default": DETECTORS[0], "description": "what finds the faces",
        },
    }  # fmt: skip


def _form(schema: Json) -> Json:
    return {"multipart/form-data": {"schema": schema}}


_ID = {"name": "job_id", "in": "path", "required": True, "schema": TEXT}
_UNKNOWN = {"404": refusal("no job of that id")}
_REFUSED = {"409": refusal("the job isn't in a state for that")}
_WRONG = {"400": refusal("a query value that isn't allowed; says which, and what is")}
_DOWN = {"503": refusal("Redis doesn't answer")}
