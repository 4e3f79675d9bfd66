"""The jobs' part of the OpenAPI document, kept by hand; a test compares it with the routes and with real answers."""

from __future__ import annotations

from typing import Any

from maskwatch.jobs.spec import DETECTORS, MOST_EVERY
from maskwatch.jobs.types import JobKind, JobState
from maskwatch.types import Profile
from web.jobs.api import MOST_JOBS
from web.jobs.asked import SUFFIXES

__all__ = ["api", "pages", "schemas"]

_Json = dict[str, Any]

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_TIME = {"type": ["string", "null"], "description": "ISO 8601, UTC"}
_FILE = {"type": "string", "format": "binary"}
_STATE = {"type": "string", "enum": list(JobState)}
_KIND = {"type": "string", "enum": list(JobKind)}


def pages() -> _Json:
    """Return the pages."""
    page = {"200": _content("the page", "text/html"), **_DOWN}
    seen = {"303": {"description": "to the page of the job"}}
    again = _content("the list, and why the form wasn't taken", "text/html")
    fields = {**_wishes(), "csrf_token": _TEXT}
    uploaded = {"type": "object", "required": ["file"], "properties": {**fields, "file": _FILE}}
    named = {"type": "object", "required": ["path"], "properties": {**fields, "path": _TEXT}}
    return {
        "/jobs": {
            "get": _operation(
                "The list of jobs, below the forms that begin one",
                {**page, **_WRONG},
                _query("state", "only those", _STATE),
                _query("kind", "only those", _KIND),
            )
        },
        "/jobs/upload": {
            "post": _operation("The form with a file", {**seen, "4XX": again, **_DOWN}, body=_body(_form(uploaded)))
        },
        "/jobs/named": {
            "post": _operation(
                "The form with a name",
                {**seen, "4XX": again, **_DOWN},
                body=_body({"application/x-www-form-urlencoded": {"schema": named}}),
            )
        },
        "/jobs/{job_id}": {"get": _operation("The page of one job", {**page, **_UNKNOWN}, _ID)},
        "/jobs/{job_id}/{action}": {
            "post": _operation(
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


def api() -> _Json:
    """Return the API."""
    job = {"200": _json("it", _ref("Job")), **_UNKNOWN, **_DOWN}
    items = {"type": "object", "required": ["items"], "properties": {"items": _list_of("Job")}}
    path = {"type": "string", "description": "of a video, picture or folder below one that jobs.folders allows"}
    named = {"type": "object", "required": ["path"], "properties": {"path": path, **_wishes()}}
    uploaded = {"type": "object", "required": ["file"], "properties": {"file": _FILE, "name": _TEXT, **_wishes()}}
    refused = {
        "400": _json("an empty file, a name or wish that isn't allowed; says which, and what is", _ref("Error")),
        "408": _json("the file came too slowly", _ref("Error")),
        "411": _json("the body's length isn't told before it", _ref("Error")),
        "413": _json("the file is too large", _ref("Error")),
        "503": _json("too many uploads at once (after Retry-After seconds again), or Redis is away", _ref("Error")),
        "507": _json("there is no room for it", _ref("Error")),
    }
    wishes = [_query(name, str(schema["description"]), schema) for name, schema in _wishes().items()]
    name = _query("name", f"of a file that is the whole body; ends in {', '.join(sorted(SUFFIXES))}")
    return {
        "/api/v1/jobs": {
            "get": _operation(
                "Jobs, the newest first",
                {"200": _json("jobs", items), **_WRONG, **_DOWN},
                _query("state", "only those", _STATE),
                _query("kind", f"only those among the newest {MOST_JOBS}", _KIND),
                _query("limit", f"how many, at most: 1 to {MOST_JOBS}, 100 when left out", {"type": "integer"}),
            ),
            "post": _operation(
                "Look at recorded material: a file as the body with its name in the query, a form with one file, or "
                "the name of what is on the server",
                {"201": _json("the job, which waits", _ref("Job")), **refused},
                name,
                *wishes,
                body=_body(
                    {
                        "application/octet-stream": {"schema": _FILE},
                        **_form(uploaded),
                        "application/json": {"schema": named},
                    }
                ),
            ),
        },
        "/api/v1/jobs/{job_id}": {
            "get": _operation("One job", job, _ID),
            "delete": _operation(
                "Delete a job that is over, with its upload and its results",
                {"204": {"description": "it is gone"}, **_UNKNOWN, **_REFUSED, **_DOWN},
                _ID,
            ),
        },
        "/api/v1/jobs/{job_id}/cancel": {
            "post": _operation(
                "End a job: at once where it waits, within seconds where it runs; else nothing", job, _ID
            )
        },
        "/api/v1/jobs/{job_id}/retry": {
            "post": _operation(
                "Try again what has failed or was cancelled; a video goes on where it stood", {**job, **_REFUSED}, _ID
            )
        },
        "/api/v1/jobs/{job_id}/results/{name}": {
            "get": _operation(
                "A file that a job has made, or a part of it",
                {
                    "200": _content("the file", "*/*"),
                    "206": _content("the part that Range asks for", "*/*"),
                    "404": _json("no such job, or no such result", _ref("Error")),
                    "410": _json("it isn't kept any longer", _ref("Error")),
                    "416": _json("it is shorter", _ref("Error")),
                    **_DOWN,
                },
                _ID,
                {"name": "name", "in": "path", "required": True, "schema": _TEXT},
                _query("download", "whatever its value: browsers save the file instead of showing it"),
            )
        },
    }


def schemas() -> _Json:
    """Return the forms of the answers."""
    result = {"name": _TEXT, "mimetype": _TEXT, "bytes": _COUNT, "url": {**_TEXT, "description": "path of the file"}}
    job = {
        "id": _TEXT,
        "kind": _KIND,
        "title": _TEXT,
        "state": _STATE,
        "progress": {"type": ["number", "null"], "description": "0..1; null where nobody can tell"},
        "left_s": {"type": ["number", "null"], "description": "seconds that it probably takes yet"},
        "made_at": {**_TEXT, "format": "date-time"},
        "begun_at": _TIME,
        "ended_at": _TIME,
        "reason": {**_TEXT, "description": "why it failed and what to do, or what it waits for; else empty"},
        "attempts": _COUNT,
        "results": _list_of("JobResult"),
        "summary": {"type": "object", "description": "figures; `people` is their number by verdict"},
        "spec": {"type": "object", "description": "what was asked for; empty for kinds other than video"},
        "page": {**_TEXT, "description": "path of its page"},
    }
    return {"Job": _object(job), "JobResult": _object(result)}


def _wishes() -> _Json:
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


def _operation(summary: str, responses: _Json, *parameters: _Json, body: _Json | None = None) -> _Json:
    operation: _Json = {"summary": summary, "responses": responses, "parameters": list(parameters)}
    if body is not None:
        operation["requestBody"] = body
    return operation


def _query(name: str, description: str, schema: _Json | None = None) -> _Json:
    return {"name": name, "in": "query", "schema": schema or _TEXT, "description": description}


def _body(content: _Json) -> _Json:
    return {"required": True, "content": content}


def _form(schema: _Json) -> _Json:
    return {"multipart/form-data": {"schema": schema}}


def _object(properties: _Json) -> _Json:
    return {"type": "object", "required": list(properties), "properties": properties}


def _ref(name: str) -> _Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _list_of(name: str) -> _Json:
    return {"type": "array", "items": _ref(name)}


def _json(description: str, schema: _Json) -> _Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _content(description: str, mimetype: str) -> _Json:
    return {"description": description, "content": {mimetype: {"schema": _TEXT}}}


_ID = {"name": "job_id", "in": "path", "required": True, "schema": _TEXT}
_UNKNOWN = {"404": _json("no job of that id", _ref("Error"))}
_REFUSED = {"409": _json("the job isn't in a state for that", _ref("Error"))}
_WRONG = {"400": _json("a query value that isn't allowed; says which, and what is", _ref("Error"))}
_DOWN = {"503": _json("Redis doesn't answer", _ref("Error"))}
