"""The answers' part of the OpenAPI document, kept by hand; a test compares it with the routes and with real answers."""

from __future__ import annotations

from maskwatch.store import By
from maskwatch.types import LABELS, EventKind, Severity, Verdict
from web.answers.asked import MOST_KEYS, MOST_NAMES
from web.answers.span import MOST_DAYS
from web.answers.words import FEW
from web.openapi_parts import COUNT, TEXT, Json, answer, json_answer, list_of, object_of, operation, query, ref, refusal

__all__ = ["api", "pages", "schemas"]

_SHARE = {"type": ["number", "null"], "description": "0..1; null where nobody has a known verdict"}


def pages() -> Json:
    """Return the pages."""
    page = {"200": answer("the page", "text/html"), **_WRONG, **_DOWN}
    return {
        "/compliance": _get("Compliance in a sentence, as a chart and as a table", page, *_PEOPLE),
        "/compliance/report": _get("The report that `maskwatch report` writes", page, *_PEOPLE),
        "/events": _get("Events with their pictures", page, *_EVENTS),
    }


def api() -> Json:
    """Return the API."""
    unknown = {"404": refusal("no event of that id"), **_DOWN}
    picture = {
        "200": answer("the picture", "image/jpeg"),
        "404": refusal("no event of that id, or none that has a picture"),
        "410": refusal("its picture isn't kept any longer"),
        **_DOWN,
    }
    return {
        "/api/v1/compliance": _get(
            "People who wore a mask properly, out of those with a known verdict. People are counted by the minute in "
            "which they left the picture; `from` and `to` are rounded down to whole minutes",
            {"200": _both("the shares", ref("Compliance")), **_WRONG, **_DOWN},
            *_PEOPLE,
            _FORMAT,
        ),
        "/api/v1/events": _get(
            "Events, newest first. CSV names where the next page begins in the header X-Maskwatch-Next",
            {"200": _both("a page of them", ref("Events")), **_WRONG, **_DOWN},
            *_EVENTS,
            _FORMAT,
        ),
        "/api/v1/events/{event_id}": _get("One event", {"200": json_answer("it", ref("Event")), **unknown}, _ID),
        "/api/v1/events/{event_id}/snapshot.jpg": _get("The picture kept with an event", picture, _ID),
    }


def schemas() -> Json:
    """Return the forms of the answers."""
    span = {
        "from": {**TEXT, "format": "date-time", "description": "the first instant"},
        "to": {**TEXT, "format": "date-time", "description": "the first instant after it"},
        "timezone": {**TEXT, "description": "in which days and hours are told"},
    }
    by = {"type": "array", "items": {"type": "string", "enum": list(By)}}
    keys = {
        "camera": TEXT,
        "zone": {**TEXT, "description": "empty for the whole picture"},
        "day": {**TEXT, "format": "date"},
        "weekday": {"type": "integer", "minimum": 0, "maximum": 6, "description": "0 is Monday"},
        "hour": {"type": "integer", "minimum": 0, "maximum": 23},
    }
    row = object_of(_row())
    return {
        "Compliance": object_of({**span, "by": by, "total": row, "items": list_of("Share")}),
        "Share": {**row, "properties": {**keys, **row["properties"]}},
        "Events": object_of(
            {
                **span,
                "items": list_of("Event"),
                "next": {"type": ["string", "null"], "description": "for `after`; null on the last page"},
            }
        ),
        "Event": object_of(_event()),
    }


def _row() -> Json:
    return {
        **{verdict.value: COUNT for verdict in Verdict},
        "known": {**COUNT, "description": "people with a known verdict"},
        "compliance": {**_SHARE, "description": "with_mask / known; null where nobody is known"},
        "low": {**_SHARE, "description": "lower end of its 95 % interval (Wilson)"},
        "high": {**_SHARE, "description": "upper end of its 95 % interval (Wilson)"},
        "unknown_share": {**_SHARE, "description": "unknown / all; null where nobody was seen"},
        "too_few": {"type": "boolean", "description": f"known is below {FEW}: too few people to speak of a share"},
    }


def _event() -> Json:
    scores = object_of({label.value: {"type": "number"} for label in LABELS})
    return {
        "id": {**TEXT, "format": "uuid"},
        "kind": {"type": "string", "enum": list(EventKind)},
        "severity": {"type": "string", "enum": list(Severity)},
        "camera": TEXT,
        "zone": {**TEXT, "description": "empty for the whole picture"},
        "rule": {**TEXT, "description": "empty for events of the camera itself"},
        "time": {**TEXT, "format": "date-time"},
        "time_utc": {**TEXT, "format": "date-time"},
        "duration_s": {"type": ["number", "null"], "description": "of what has ended"},
        "verdict": {"type": ["string", "null"], "enum": [*Verdict, None]},
        "looks": {**COUNT, "description": "classified looks at the face"},
        "scores": {"oneOf": [{**scores, "description": "mean chance of each label"}, {"type": "null"}]},
        "people": {"type": ["integer", "null"], "description": "of a crowd"},
        "track_id": {"type": ["integer", "null"], "description": "the person, within the epoch"},
        "epoch": {**TEXT, "description": "of the camera's hold"},
        "note": TEXT,
        "snapshot": {"type": ["string", "null"], "description": "path of its picture"},
    }


def _get(summary: str, responses: Json, *parameters: Json) -> Json:
    return {"get": operation(summary, responses, *parameters)}


def _both(description: str, schema: Json) -> Json:
    return {
        "description": description,
        "content": {"application/json": {"schema": schema}, "text/csv": {"schema": TEXT}},
    }


_WRONG = {"400": refusal("a query value that isn't allowed; says which, and what is")}
_DOWN = {"503": refusal("the record can't be read")}
_ID = {"name": "event_id", "in": "path", "required": True, "schema": {**TEXT, "format": "uuid"}}
_FORMAT = query("format", "of the answer", {"type": "string", "enum": ["json", "csv"], "default": "json"})
_SPAN = (
    query(
        "from",
        "first day (2026-11-09, today, yesterday, -6d for six days ago) or time (2026-11-09T08:00, with or without an "
        f"offset); six days before the last when left out. At most {MOST_DAYS} days",
    ),
    query("to", "last day, whole, or the time before which it ends; today when left out"),
    query("tz", "IANA name of the time zone of days, hours, and times without an offset; web.timezone when left out"),
)
_NAMES = f"with commas between them, or repeated; at most {MOST_NAMES}, all when left out"
_WHERE = (query("camera", f"names {_NAMES}"), query("zone", f"names {_NAMES}"))
_PEOPLE = (
    *_SPAN,
    *_WHERE,
    query("by", f"at most {MOST_KEYS} of {', '.join(By)}, with commas between them; nothing for the total alone"),
)
_EVENTS = (
    *_SPAN,
    *_WHERE,
    query("kind", f"of {', '.join(EventKind)}; {_NAMES}"),
    query("rule", f"names {_NAMES}"),
    query("severity", f"of {', '.join(Severity)}; {_NAMES}"),
    query("after", "`next` of the page before"),
    query("limit", "most events of one answer: 1 to 1000, 50 when left out; of CSV 1 to 10000", {"type": "integer"}),
)
