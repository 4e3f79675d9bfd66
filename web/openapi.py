"""The OpenAPI document of the site, kept by hand; a test compares it with the routes and with real answers."""

from __future__ import annotations

from maskwatch.types import CameraState, Verdict
from web import openapi_cameras
from web.answers import openapi as answers
from web.jobs import openapi as jobs
from web.login import openapi as login
from web.openapi_parts import (
    COUNT,
    TEXT,
    Json,
    answer,
    in_words,
    json_answer,
    list_of,
    object_of,
    operation,
    ref,
    refusal,
)
from web.painter import WIDTHS

__all__ = ["document"]

_AGE = {"type": ["number", "null"], "description": "seconds; null before the first"}
_COUNT_BY = {"type": "object", "additionalProperties": COUNT}
_NUMBERS = {"type": "array", "items": {"type": "number"}}

_NAME = {"name": "name", "in": "path", "required": True, "schema": TEXT, "description": "of the camera"}
_WIDTH = {
    "name": "width",
    "in": "query",
    "schema": {"type": "integer", "enum": list(WIDTHS)},
    "description": "pixels, never enlarged; the analysed width when left out",
}
_CAMERAS = {
    "name": "cameras",
    "in": "query",
    "schema": TEXT,
    "description": "names with commas between them whose pictures are wanted; all when left out",
}


def document(version: str) -> Json:
    """Return the document.

    Args:
        version: of Maskwatch.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Maskwatch",
            "version": version,
            "description": "Cameras, their annotated streams, what is counted, and what is on record.",
        },
        "paths": in_words(
            login.secured(
                {
                    **_pages(),
                    **answers.pages(),
                    **jobs.pages(),
                    **login.pages(),
                    **_api(),
                    **answers.api(),
                    **jobs.api(),
                    **_operations(),
                }
            )
        ),
        "components": {
            "schemas": {**_schemas(), **openapi_cameras.schemas(), **answers.schemas(), **jobs.schemas()},
            "securitySchemes": login.schemes(),
        },
        "security": [{name: []} for name in login.schemes()],
    }


def _pages() -> Json:
    return {
        "/": _get("The wall of all cameras", {"200": answer("the page", "text/html")}),
        "/cameras/{name}": _get("The page of one camera", {"200": answer("the page", "text/html")}, _NAME),
        "/cameras/{name}/stream.mjpg": _get(
            "Annotated pictures for any client; the last one is repeated twice a second, a card stands in for it "
            "while the camera isn't live",
            {
                "200": answer("parts with Content-Length", "multipart/x-mixed-replace"),
                "503": {"description": "web.max_streams streams are open; try again after Retry-After seconds"},
            },
            _NAME,
            _WIDTH,
        ),
        "/cameras/{name}/snapshot.jpg": _get(
            "The newest annotated picture",
            {
                "200": answer("the picture, of a live camera", "image/jpeg"),
                "503": answer("a card that says why there is none", "image/jpeg"),
            },
            _NAME,
            _WIDTH,
        ),
    }


def _api() -> Json:
    items = {"type": "object", "required": ["items"], "properties": {"items": list_of("Camera")}}
    whole = {
        "allOf": [
            ref("Camera"),
            {"type": "object", "properties": {"counts": {"oneOf": [ref("Counts"), {"type": "null"}]}}},
        ]
    }
    return {
        "/api/v1/cameras": _get("All cameras, sorted by name", {"200": json_answer("cameras", items), **_BROKER_DOWN}),
        "/api/v1/cameras/{name}": _get(
            "One camera", {"200": json_answer("it", whole), **_UNKNOWN, **_BROKER_DOWN}, _NAME
        ),
        "/api/v1/status": _get(
            "How the installation is doing; answers while Redis is away, too", {"200": json_answer("it", ref("Status"))}
        ),
        "/api/v1/wall": _get(
            "Everything over one connection: messages of two lengths (unsigned, 4 bytes, big-endian), JSON of the "
            "first and a JPEG of the second, which may be 0. `kind` is `overview` (all cameras and what gives "
            "way under overload, four times a second), `picture` (then the JPEG follows) or `quiet`.",
            {"200": answer("messages", "application/x-maskwatch-wall"), **_TOO_MANY, **_BAD_QUERY},
            _CAMERAS,
            _WIDTH,
        ),
        "/api/v1/discovery": _get(
            "Every process' metrics address, for Prometheus' http_sd_configs",
            {"200": json_answer("target groups", list_of("TargetGroup")), **_BROKER_DOWN},
        ),
        "/api/v1/openapi.json": _get("This document", {"200": json_answer("it", {"type": "object"})}),
    }


def _operations() -> Json:
    ready = {
        "type": "object",
        "required": ["ready", "missing"],
        "properties": {"ready": {"type": "boolean"}, "missing": {"type": "array", "items": TEXT}},
    }
    alive = {"type": "object", "required": ["status"], "properties": {"status": TEXT}}
    return {
        "/metrics": _get("Prometheus' text format", {"200": answer("metrics", "text/plain")}),
        "/healthz": _get("Whether this process is alive", {"200": json_answer("alive", alive)}),
        "/readyz": _get(
            "Whether Redis answers, a worker is alive, each enabled camera is held by an ingest, and records have room",
            {"200": json_answer("ready", ready), "503": json_answer("not ready, and why", ready)},
        ),
    }


def _schemas() -> Json:
    return {
        "Camera": object_of({**_camera(), **openapi_cameras.properties()}),
        "Counts": object_of(_counts()),
        **_status(),
        "TargetGroup": object_of({"targets": {"type": "array", "items": TEXT}, "labels": {"type": "object"}}),
        "Error": object_of({"error": object_of({"status": {"type": "integer"}, "code": TEXT, "message": TEXT})}),
    }


def _counts() -> Json:
    return {
        "captured": COUNT, "analysed": COUNT, "waiting": COUNT, "in_flight": COUNT, "dropped": _COUNT_BY,
        "faces": _COUNT_BY, "people": _COUNT_BY, "events": _COUNT_BY, "present": _COUNT_BY,
        "unlabelled": {**COUNT, "description": "faces without a label: too small, too blurred, or nobody could tell"},
        "label_flips": {**COUNT, "description": "looks that said something else of a person than the look before"},
        "face_sizes_px": {
            **object_of({"bounds": _NUMBERS, "counts": _NUMBERS, "sum": {"type": "number"}}),
            "description": "faces by their longest side in pixels; the last count is of those beyond all bounds",
        },
        "zones": {
            "type": "object",
            "additionalProperties": _COUNT_BY,
            "description": "people who have gone, by zone they were in and verdict; zones where nobody was are missing",
        },
    }  # fmt: skip


def _status() -> Json:
    return {
        "Status": object_of(
            {
                "version": TEXT,
                "uptime_s": {"type": "number"},
                "streams": object_of({"open": COUNT, "max": COUNT, "watchers": COUNT}),
                "redis": object_of({"up": {"type": "boolean"}, "message": TEXT}),
                "processes": list_of("Process"),
                "workers": COUNT,
                "ingests": COUNT,
                "cameras": {**_COUNT_BY, "description": "number of cameras by state"},
                "shedding": ref("Shedding"),
            }
        ),
        "Shedding": {
            **object_of({"level": COUNT, "most": COUNT, "fps_factor": {"type": "number"}, "words": TEXT}),
            "description": "what gives way because the workers can't keep up; level 0: nothing. Every camera is "
            "analysed at its fps times fps_factor",
        },
        "Process": object_of(
            {
                "kind": TEXT,
                "name": TEXT,
                "address": {**TEXT, "description": "of its own /metrics, or empty"},
                "host": TEXT,
                "engine": TEXT,
                "models": {
                    "type": "array",
                    "items": TEXT,
                    "description": "of a worker: names and versions of the models that speak",
                },
                "age_s": {"type": "number"},
            }
        ),
    }


def _camera() -> Json:
    return {
        "name": TEXT,
        "state": {"type": "string", "enum": [state.value for state in CameraState]},
        "reason": {**TEXT, "description": "why, for a person"},
        "title": {**TEXT, "description": "the state in words, as the pages show it"},
        "shows_picture": {"type": "boolean", "description": "false where a card stands in for the picture"},
        "fps": {"type": "number", "description": "analysed frames per second"},
        "captured_fps": {"type": "number", "description": "frames per second that were due and read"},
        "frame_age_s": {**_AGE, "description": "since the capture of the newest analysed frame"},
        "packet_age_s": {**_AGE, "description": "since the last packet: the camera's liveness"},
        "people": {
            "type": "object",
            "description": "people in the newest analysed frame, by verdict; 0 while the camera isn't shown as live",
            "properties": {verdict.value: COUNT for verdict in Verdict},
        },
        "source": {**TEXT, "description": "without credentials"},
        "enabled": {"type": "boolean"},
        "configured_fps": {"type": "number"},
        "width": {"type": "integer", "description": "greatest width in pixels of an analysed frame"},
        "detector": TEXT,
        "profile": TEXT,
        "on": {"type": ["string", "null"], "description": "the only ingest that may hold it"},
        "holder": {**TEXT, "description": "the ingest that holds it, or empty"},
        "size_wh": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
        "is_still": {
            "type": "boolean",
            "description": "nothing moves, so that a frame is analysed every few seconds only",
        },
        "note": {**TEXT, "description": "what isn't as it was asked for though pictures come, or empty"},
        "reconnects": COUNT,
        "since_utc": {"type": ["number", "null"], "description": "when the state began; seconds since 1970"},
    }


def _get(summary: str, responses: Json, *parameters: Json) -> Json:
    if any(parameter["in"] == "path" for parameter in parameters):
        responses = {**responses, **_UNKNOWN}
    if any(parameter["in"] == "query" for parameter in parameters):
        responses = {**responses, **_BAD_QUERY}
    return {"get": operation(summary, responses, *parameters)}


_UNKNOWN = {"404": refusal("no camera of that name")}
_BAD_QUERY = {"400": refusal("a query value that isn't allowed")}
_BROKER_DOWN = {"503": refusal("Redis doesn't answer")}
_TOO_MANY = {"503": refusal("web.max_streams streams are open; try again after Retry-After seconds")}
