"""The answers' part of the OpenAPI document, kept by hand; a test compares it with the routes and with real answers."""

from __future__ import annotations

from typing import Any

from maskwatch.store import By
from maskwatch.types import LABELS, EventKind, Severity, Verdict
from web.answers.asked import MOST_KEYS, MOST_NAMES
from web.answers.span import MOST_DAYS
from web.answers.words import FEW

__all__ = ["api", "pages", "schemas"]

_Json = dict[str, Any]

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_SHARE = {"type": ["number", "null"], "description": "0..1; null where nobody has a known verdict"}


def pages() -> _Json:
    """Return the pages."""
    page = {"200": _content("the page", "text/html"), **_WRONG, **_DOWN}
    return {
        "/compliance": _get("Compliance in a sentence, as a chart and as a table", page, *_PEOPLE),
        "/compliance/report": _get("The report that `maskwatch report` writes", page, *_PEOPLE),
        "/events": _get("Events with their pictures", page, *_EVENTS),
    }


def api() -> _Json:
    """Return the API."""
    unknown = {"404": _json("no event of that id", _ref("Error")), **_DOWN}
    picture = {
        "200": _content("the picture", "image/jpeg"),
        "404": _json("no event of that id, or none that has a picture", _ref("Error")),
        "410": _json("its picture isn't kept any longer", _ref("Error")),
        **_DOWN,
    }
    return {
        "/api/v1/compliance": _get(
            "People who wore a mask properly, out of those with a known verdict. People are counted by the minute in "
            "which they left the picture; `from` and `to` are rounded down to whole minutes",
            {"200": _both("the shares", _ref("Compliance")), **_WRONG, **_DOWN},
            *_PEOPLE,
            _FORMAT,
        ),
        "/api/v1/events": _get(
            "Events, newest first. CSV names where the next page begins in the header X-Maskwatch-Next",
            {"200": _both("a page of them", _ref("Events")), **_WRONG, **_DOWN},
            *_EVENTS,
            _FORMAT,
        ),
        "/api/v1/events/{event_id}": _get("One event", {"200": _json("it", _ref("Event")), **unknown}, _ID),
        "/api/v1/events/{event_id}/snapshot.jpg": _get("The picture kept with an event", picture, _ID),
    }


def schemas() -> _Json:
    """Return the forms of the answers."""
    span = {
        "from": {**_TEXT, "format": "date-time", "description": "the first instant"},
        "to": {**_TEXT, "format": "date-time", "description": "the first instant after it"},
        "timezone": {**_TEXT, "description": "in which days and hours are told"},
    }
    by = {"type": "array", "items": {"type": "string", "enum": list(By)}}
    keys = {
        "camera": _TEXT,
        "zone": {**_TEXT, "description": "empty for the whole picture"},
        "day": {**_TEXT, "format": "date"},
        "weekday": {"type": "integer", "minimum": 0, "maximum": 6, "description": "0 is Monday"},
        "hour": {"type": "integer", "minimum": 0, "maximum": 23},
    }
    row = _object(_row())
    return {
        "Compliance": _object({**span, "by": by, "total": row, "items": {"type": "array", "items": _ref("Share")}}),
        "Share": {**row, "properties": {**keys, **row["properties"]}},
        "Events": _object(
            {
                **span,
                "items": {"type": "array", "items": _ref("Event")},
                "next": {"type": ["string", "null"], "description": "for `after`; null on the last page"},
            }
        ),
        "Event": _object(_event()),
    }


def _row() -> _Json:
    return {
        **{verdict.value: _COUNT for verdict in Verdict},
        "known": {**_COUNT, "description": "people with a known verdict"},
        "compliance": {**_SHARE, "description": "with_mask / known; null where nobody is known"},
        "low": {**_SHARE, "description": "lower end of its 95 % interval (Wilson)"},
        "high": {**_SHARE, "description": "upper end of its 95 % interval (Wilson)"},
        "unknown_share": {**_SHARE, "description": "unknown / all; null where nobody was seen"},
        "too_few": {"type": "boolean", "description": f"known is below {FEW}: too few people to speak of a share"},
    }


def _event() -> _Json:
    scores = _object({label.value: {"type": "number"} for label in LABELS})
    return {
        "id": {**_TEXT, "format": "uuid"},
        "kind": {"type": "string", "enum": list(EventKind)},
        "severity": {"type": "string", "enum": list(Severity)},
        "camera": _TEXT,
        "zone": {**_TEXT, "description": "empty for the whole picture"},
        "rule": {**_TEXT, "description": "empty for events of the camera itself"},
        "time": {**_TEXT, "format": "date-time"},
        "time_utc": {**_TEXT, "format": "date-time"},
        "duration_s": {"type": ["number", "null"], "description": "of what has ended"},
        "verdict": {"type": ["string", "null"], "enum": [*Verdict, None]},
        "looks": {**_COUNT, "description": "classified looks at the face"},
        "scores": {"oneOf": [{**scores, "description": "mean chance of each label"}, {"type": "null"}]},
        "people": {"type": ["integer", "null"], "description": "of a crowd"},
        "track_id": {"type": ["integer", "null"], "description": "the person, within the epoch"},
        "epoch": {**_TEXT, "description": "of the camera's hold"},
        "note": _TEXT,
        "snapshot": {"type": ["string", "null"], "description": "path of its picture"},
    }


def _asked(name: str, description: str, schema: _Json | None = None) -> _Json:
    return {"name": name, "in": "query", "schema": schema or _TEXT, "description": description}


def _get(summary: str, responses: _Json, *parameters: _Json) -> _Json:
    return {"get": {"summary": summary, "responses": responses, "parameters": list(parameters)}}


def _object(properties: _Json) -> _Json:
    return {"type": "object", "required": list(properties), "properties": properties}


def _ref(name: str) -> _Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(description: str, schema: _Json) -> _Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _content(description: str, mimetype: str) -> _Json:
    return {"description": description, "content": {mimetype: {"schema": _TEXT}}}


def _both(description: str, schema: _Json) -> _Json:
    content = {"application/json": {"schema": schema}, "text/csv": {"schema": _TEXT}}
    return {"description": description, "content": content}


_WRONG = {"400": _json("a query value that isn't allowed; says which, and what is", _ref("Error"))}
_DOWN = {"503": _json("the record can't be read", _ref("Error"))}
_ID = {"name": "event_id", "in": "path", "required": True, "schema": {**_TEXT, "format": "uuid"}}
_FORMAT = _asked("format", "of the answer", {"type": "string", "enum": ["json", "csv"], "default": "json"})
_SPAN = (
    _asked(
        "from",
        "first day (2026-11-09, today, yesterday, -6d for six days ago) or time (2026-11-09T08:00, with or without an "
        f"offset); six days before the last when left out. At most {MOST_DAYS} days",
    ),
    _asked("to", "last day, whole, or the time before which it ends; today when left out"),
    _asked("tz", "IANA name of the time zone of days, hours, and times without an offset; web.timezone when left out"),
)
_NAMES = f"with commas between them, or repeated; at most {MOST_NAMES}, all when left out"
_WHERE = (_asked("camera", f"names {_NAMES}"), _asked("zone", f"names {_NAMES}"))
_PEOPLE = (
    *_SPAN,
    *_WHERE,
    _asked("by", f"at most {MOST_KEYS} of {', '.join(By)}, with commas between them; nothing for the total alone"),
)
_EVENTS = (
    *_SPAN,
    *_WHERE,
    _asked("kind", f"of {', '.join(EventKind)}; {_NAMES}"),
    _asked("rule", f"names {_NAMES}"),
    _asked("severity", f"of {', '.join(Severity)}; {_NAMES}"),
    _asked("after", "`next` of the page before"),
    _asked("limit", "most events of one answer: 1 to 1000, 50 when left out; of CSV 1 to 10000", {"type": "integer"}),
)
