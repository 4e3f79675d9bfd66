from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask

from maskwatch.broker.messages import CameraInfo
from maskwatch.events import event_id
from maskwatch.settings import Settings
from maskwatch.types import EventKind, Verdict
from maskwatch.zones import Rule, Schedule, Zone
from tests.support_answers import FakeRecords, closed, violation
from tests.support_bus import FakeBus, camera_view
from web.app import create_app
from web.openapi import document
from web.site import site_of

DAY = "from=2026-11-09&to=2026-11-09&tz=UTC"
EVENT = event_id("entrance-e", 2, "door", EventKind.VIOLATION_ENDED, 0)
LOBBY = CameraInfo(
    "lobby",
    zones=(Zone("door", ((0.1, 0.2), (0.6, 0.2), (0.6, 0.9))), Zone("window", ((0.8, 0), (1, 0), (1, 1)), True)),
    rules=(
        Rule("shift", "door", schedule=Schedule((0, 4), 1320, 360, "Europe/Berlin")),
        Rule("full", requires_mask=False, crowd=12),
    ),
)
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}


@pytest.fixture
def app() -> Iterator[Flask]:
    at = datetime(2026, 11, 9, 8, 0, tzinfo=UTC)
    records = FakeRecords(
        [*closed(1, Verdict.WITH_MASK, at), *violation(2, Verdict.WITHOUT_MASK, at, 9, snapshot="kept")]
    )
    app = create_app(Settings(), FakeBus([camera_view("lobby", info=LOBBY)]), records)
    yield app
    site_of(app).hub.close()


@pytest.fixture
def described(app: Flask) -> dict[str, Any]:
    answer = app.test_client().get("/api/v1/openapi.json")
    assert isinstance(answer.json, dict)
    return answer.json


def test_document_has_every_route_and_no_other(app: Flask, described: dict[str, Any]) -> None:
    routes = {
        re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static"
    }
    assert set(described["paths"]) == routes


def test_path_parameters_are_declared(described: dict[str, Any]) -> None:
    for path, item in described["paths"].items():
        for operation in item.values():
            declared = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
            assert declared == set(re.findall(r"{(\w+)}", path))


def test_references_lead_somewhere(described: dict[str, Any]) -> None:
    names = set(re.findall(r"#/components/schemas/(\w+)", str(described)))
    assert names <= set(described["components"]["schemas"])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/cameras", 200),
        ("/api/v1/cameras/lobby", 200),
        ("/api/v1/cameras/nobody", 404),
        ("/api/v1/status", 200),
        ("/api/v1/discovery", 200),
        ("/healthz", 200),
        (f"/api/v1/compliance?{DAY}&by=camera,zone,day", 200),
        (f"/api/v1/compliance?{DAY}&by=weekday,hour", 200),
        ("/api/v1/compliance?by=colour", 400),
        (f"/api/v1/events?{DAY}&limit=1", 200),
        (f"/api/v1/events/{EVENT}", 200),
        ("/api/v1/events/nothing", 404),
        (f"/api/v1/events/{EVENT}/snapshot.jpg", 410),
        ("/readyz", 200),
    ],
)
def test_answers_have_the_form_that_is_described(app: Flask, described: dict[str, Any], path: str, status: int) -> None:
    template = re.sub(r"/cameras/\w+", "/cameras/{name}", path.partition("?")[0])
    template = re.sub(r"/events/[\w-]+", "/events/{event_id}", template)
    answer = app.test_client().get(path)
    assert answer.status_code == status
    response = described["paths"][template]["get"]["responses"][str(status)]
    check(answer.json, response["content"]["application/json"]["schema"], described, path)


@pytest.mark.parametrize("accept", ["text/html", "*/*"])
@pytest.mark.parametrize(
    "path",
    [
        "/cameras/nobody",
        "/cameras/nobody/stream.mjpg",
        "/cameras/lobby/snapshot.jpg?width=7",
        "/events?from=x",
        "/jobs",
    ],
)
def test_errors_of_pages_are_told_as_described(app: Flask, described: dict[str, Any], path: str, accept: str) -> None:
    template = re.sub(r"/cameras/\w+", "/cameras/{name}", path.partition("?")[0])
    answer = app.test_client().get(path if path != "/jobs" else "/jobs?state=x", headers={"Accept": accept})
    response = described["paths"][template]["get"]["responses"][str(answer.status_code)]
    assert answer.status_code >= 400
    assert answer.mimetype in response["content"]


def test_what_is_refused_as_forged_is_described(app: Flask, described: dict[str, Any]) -> None:
    for path, item in described["paths"].items():
        for method in item.keys() - {"get"}:
            address, responses = re.sub(r"{\w+}", "x", path), item[method]["responses"]
            refused = app.test_client().open(address, method=method, headers={"Sec-Fetch-Site": "cross-site"})
            assert str(refused.status_code) in responses.keys() & {"403"}, f"{method} {path}"
            assert refused.mimetype in responses["403"]["content"], f"{method} {path}"
            assert responses.keys() & {"400", "4XX"}, f"{method} {path}"
            if path == "/jobs/upload":  # it shows the list again, which wants Redis
                continue
            browser = app.test_client()
            browser.set_cookie("any", "thing")
            said = browser.open(address, method=method, headers={"Sec-Fetch-Site": "same-origin"})
            assert said.status_code == 400, f"{method} {path}"


def test_version_is_ours() -> None:
    assert document("1.2.3")["info"]["version"] == "1.2.3"


def check(value: Any, schema: dict[str, Any], described: dict[str, Any], where: str) -> None:
    """Check a value against the part of JSON Schema that the document uses, and refuse keys that it doesn't name."""
    if "$ref" in schema:
        schema = described["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    if "oneOf" in schema:
        options = [s for s in schema["oneOf"] if (s.get("type") == "null") == (value is None)]
        return check(value, options[0], described, where)
    if "allOf" in schema:
        parts = [
            described["components"]["schemas"][s["$ref"].rsplit("/", 1)[1]] if "$ref" in s else s
            for s in schema["allOf"]
        ]
        merged = {key: part for each in parts for key, part in each["properties"].items()}
        schema = {"type": "object", "required": list(merged), "properties": merged}
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        assert isinstance(value, tuple(kind for name in names for kind in TYPES[name])), f"{where}: {value!r}"
    assert value in schema.get("enum", [value]), where
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= set(value), where
        if "properties" in schema:
            assert set(value) <= set(schema["properties"]), where
        for key, item in value.items():
            sub = schema.get("properties", {}).get(key) or schema.get("additionalProperties")
            if sub:
                check(item, sub, described, f"{where}.{key}")
    if isinstance(value, list):
        for item in value:
            check(item, schema["items"], described, f"{where}[]")
