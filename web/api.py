"""The API: what programs ask the site. Errors are JSON, too."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify, request
from prometheus_client.exposition import choose_encoder
from werkzeug.exceptions import BadRequest

from maskwatch import __version__
from maskwatch.errors import QueueError
from maskwatch.settings import CAMERA_NAME_PATTERN
from maskwatch.shedding import Shedding
from web.health import what_is_missing
from web.login.gate import is_let_in
from web.openapi import document
from web.pages import streaming
from web.sight import describe, describe_settings, describe_shedding, sight_of
from web.site import asked_width, find_camera, site
from web.streams import WALL_TYPE, wall_messages

__all__ = ["api", "operations"]

api = Blueprint("api", __name__, url_prefix="/api/v1")
operations = Blueprint("operations", __name__)

_MOST_NAMES = 4096
_CAMERA_NAME = re.compile(CAMERA_NAME_PATTERN)


@api.get("/cameras")
def cameras() -> Response:
    """List all cameras with their states."""
    return jsonify(
        items=[{**describe(view, sight_of(view)), **describe_settings(view)} for view in site().bus.overview()]
    )


@api.get("/cameras/<name>")
def camera(name: str) -> Response:
    """Tell all of one camera, its counters included."""
    view = find_camera(name)
    counts = site().bus.counts().cameras.get(name)
    return jsonify(
        **describe(view, sight_of(view)), **describe_settings(view), counts=asdict(counts) if counts else None
    )


@api.get("/status")
def status() -> Response:
    """Tell how the installation is doing; answers while Redis is away, too."""
    here = site()
    answer: dict[str, Any] = {
        "version": __version__,
        "uptime_s": round(time.monotonic() - here.started_at, 1),
        "streams": {"open": here.slots.open, "max": here.slots.most, "watchers": here.hub.watcher_count},
        "redis": {"up": True, "message": ""},
        "processes": [],
        "workers": 0,
        "ingests": 0,
        "cameras": {},
        "shedding": describe_shedding(Shedding()),
    }
    try:
        processes, views, shedding = here.bus.processes(), here.bus.overview(), here.bus.shedding()
    except QueueError as error:
        answer["redis"] = {"up": False, "message": str(error)}
        return jsonify(answer)
    answer["processes"] = [asdict(process) for process in processes]
    answer["workers"] = sum(process.kind == "worker" for process in processes)
    answer["ingests"] = sum(process.kind == "ingest" for process in processes)
    answer["cameras"] = dict(Counter(sight_of(view).state.value for view in views))
    answer["shedding"] = describe_shedding(shedding)
    return jsonify(answer)


@api.get("/wall")
def wall() -> Response:
    """Stream all cameras, or those asked for, over one connection; the overview of all comes with it."""
    width = asked_width()
    watcher = site().hub.watch(_asked_cameras(), width, wants_overview=True)
    return streaming(wall_messages(watcher), WALL_TYPE, watcher)


def _asked_cameras() -> list[str] | None:
    text = request.args.get("cameras")
    if text is None:
        return None
    names = [name for name in text.split(",") if name]
    if len(names) > _MOST_NAMES or not all(_CAMERA_NAME.match(name) for name in names):
        raise BadRequest("cameras: expected names with commas between them; leave it out for all")
    return names


@api.get("/discovery")
def discovery() -> Response:
    """List every process' own metrics address, the site's included, as Prometheus' HTTP service discovery wants it."""
    return jsonify(
        [
            {"targets": [process.address], "labels": {"service": process.kind, "process": process.name}}
            for process in site().bus.processes()
            if process.address
        ]
    )


@api.get("/openapi.json")
def openapi() -> Response:
    """Describe all of this."""
    return jsonify(document(__version__))


@operations.get("/metrics")
def metrics() -> Response:
    """Show the counters of all cameras and the facts of this process to Prometheus."""
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(site().metrics.registry), content_type=content_type)


@operations.get("/healthz")
def healthz() -> Response:
    """Say that this process is alive."""
    return jsonify(status="ok")


@operations.get("/readyz")
def readyz() -> Response:
    """Say whether the installation does its work, and what is missing when it doesn't."""
    missing = what_is_missing(site().bus, site().settings)
    shown = missing if is_let_in() or not missing else ["log in, or send a token, to read what is missing"]
    answer = jsonify(ready=not missing, missing=shown)
    answer.status_code = 503 if missing else 200
    return answer
