from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import cv2
import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from maskwatch.render import VERDICT_STYLES
from maskwatch.settings import parse_settings
from maskwatch.types import CameraState, Verdict
from tests.support_bus import FakeBus, camera_view
from tests.support_feed import picture, result_with
from web.app import create_app
from web.site import site_of

SECRET = "hunter2"


@pytest.fixture
def bus() -> FakeBus:
    bus = FakeBus([camera_view("lobby"), camera_view("yard", CameraState.OFFLINE, reason="connection refused")])
    bus.show("lobby", "l-1", picture(0), result_with(Verdict.WITH_MASK))
    return bus


@pytest.fixture
def app(bus: FakeBus) -> Iterator[Flask]:
    settings = parse_settings(
        f"cameras: {{lobby: {{source: 'rtsp://u:{SECRET}@10.0.0.5/s'}}}}\nweb: {{max_streams: 2}}", {}
    )
    app = create_app(settings, bus)
    yield app
    site_of(app).hub.close()


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    return app.test_client()


def shape_of(jpeg: bytes) -> tuple[int, ...]:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return tuple(image.shape)


def json_of(answer: TestResponse) -> Any:
    return answer.json


@pytest.mark.parametrize(
    "path", ["/", "/cameras/lobby", "/api/v1/cameras", "/metrics", "/nowhere", "/static/site.css", "/healthz"]
)
def test_every_answer_has_the_security_headers(browser: FlaskClient, path: str) -> None:
    with closing(browser.get(path)) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"


def test_only_pictures_may_be_shown_by_other_pages(browser: FlaskClient) -> None:
    def policy(path: str) -> str:
        with closing(browser.get(path)) as answer:
            return answer.headers["Cross-Origin-Resource-Policy"]

    assert policy("/cameras/lobby/snapshot.jpg") == policy("/cameras/lobby/stream.mjpg") == "cross-origin"
    assert policy("/") == policy("/api/v1/cameras") == policy("/api/v1/wall") == "same-origin"


def test_pages_have_the_colours_of_the_pictures(browser: FlaskClient) -> None:
    with closing(browser.get("/static/site.css")) as answer:
        css = answer.text
    for verdict, style in VERDICT_STYLES.items():
        assert f"--{verdict.value.replace('_', '-')}: {style.hex_rgb};" in css


@pytest.mark.parametrize("path", ["/", "/cameras/lobby"])
def test_pages_load_nothing_from_elsewhere_and_have_no_inline_script(browser: FlaskClient, path: str) -> None:
    page = browser.get(path).text
    assert "http://" not in page
    assert "https://" not in page
    assert "<script>" not in page
    assert "style=" not in page
    assert "onclick" not in page


def test_cameras_are_listed_with_people_and_without_secrets(browser: FlaskClient) -> None:
    answer = browser.get("/api/v1/cameras")
    items = json_of(answer)["items"]
    assert [(item["name"], item["state"]) for item in items] == [("lobby", "live"), ("yard", "offline")]
    assert items[1]["reason"] == "connection refused"
    assert set(items[0]["people"]) == {verdict.value for verdict in Verdict}
    assert SECRET not in answer.text


def test_one_camera_comes_with_its_counts(browser: FlaskClient) -> None:
    counts = json_of(browser.get("/api/v1/cameras/lobby"))["counts"]
    assert counts["captured"] == 10
    assert counts["dropped"]["replaced"] == 2


def test_unknown_camera_is_404_in_the_form_that_the_reader_understands(browser: FlaskClient) -> None:
    answer = browser.get("/api/v1/cameras/nobody")
    assert answer.status_code == 404
    assert json_of(answer)["error"]["code"] == "not_found"
    assert "nobody" in json_of(answer)["error"]["message"]
    page = browser.get("/cameras/nobody", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.status_code == 404
    assert page.mimetype == "text/html"
    assert browser.get("/cameras/nobody/stream.mjpg").mimetype == "text/plain"
    assert browser.get("/cameras/nobody/snapshot.jpg").status_code == 404


def test_page_of_a_camera_knows_the_zone_of_the_site_s_times(bus: FakeBus) -> None:
    app = create_app(parse_settings("web: {timezone: Asia/Tokyo}", {}), bus)
    try:
        assert 'data-zone="Asia/Tokyo"' in app.test_client().get("/cameras/lobby").text
    finally:
        site_of(app).hub.close()


@pytest.mark.parametrize("path", ["/", "/cameras/lobby"])
def test_pages_claim_no_connection_and_no_counts_before_a_script_knows(browser: FlaskClient, path: str) -> None:
    page = browser.get(path).text
    for part in re.findall(r'<[^>]*id="(?:link|counted)"[^>]*>', page):
        assert part.endswith(" hidden>")
    assert 'id="link"' in page


def test_hostile_camera_name_is_escaped(browser: FlaskClient) -> None:
    page = browser.get("/cameras/<script>alert(1)<%2Fscript>", headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert "<script>alert" not in page.text


def test_other_method_is_405_in_json(browser: FlaskClient) -> None:
    answer = browser.post("/api/v1/cameras")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
    assert json_of(answer)["error"]["status"] == 405


@pytest.mark.parametrize("query", ["width=321", "width=abc", "width=", "width=99999999999999999999"])
def test_width_is_one_of_those_on_offer(browser: FlaskClient, query: str) -> None:
    answer = browser.get(f"/api/v1/wall?{query}")
    assert answer.status_code == 400
    assert "320, 480, 640, 960, 1280" in json_of(answer)["error"]["message"]
    assert browser.get(f"/cameras/lobby/snapshot.jpg?{query}").status_code == 400


def test_camera_names_in_the_query_are_checked(browser: FlaskClient) -> None:
    assert browser.get("/api/v1/wall?cameras=lobby,../etc").status_code == 400


def test_snapshot_of_a_live_camera_is_annotated(browser: FlaskClient) -> None:
    answer = browser.get("/cameras/lobby/snapshot.jpg?width=320")
    assert answer.status_code == 200
    assert answer.mimetype == "image/jpeg"
    assert shape_of(answer.data) == (180, 320, 3)
    assert answer.headers["X-Maskwatch-State"] == "live"
    assert answer.headers["Cache-Control"] == "no-store"


def test_snapshot_of_a_lost_camera_is_a_card_with_503(browser: FlaskClient) -> None:
    answer = browser.get("/cameras/yard/snapshot.jpg")
    assert answer.status_code == 503
    assert shape_of(answer.data) == (360, 640, 3)
    assert answer.headers["X-Maskwatch-State"] == "offline"
    assert int(answer.headers["Retry-After"]) > 0


def test_stream_sends_parts_with_their_length(browser: FlaskClient) -> None:
    answer = browser.get("/cameras/lobby/stream.mjpg")
    assert answer.mimetype == "multipart/x-mixed-replace"
    boundary = answer.mimetype_params["boundary"]
    chunks = answer.iter_encoded()
    assert next(chunks) == f"--{boundary}\r\n".encode()
    part = next(chunks)
    head, _, rest = part.partition(b"\r\n\r\n")
    length = int(head.split(b"Content-Length: ")[1])
    assert shape_of(rest[:length]) == (360, 640, 3)
    assert rest[length:] == f"\r\n--{boundary}\r\n".encode()
    answer.close()


def test_one_stream_too_many_is_refused_and_places_come_back(browser: FlaskClient, app: Flask) -> None:
    open_ones = [browser.get("/cameras/lobby/stream.mjpg"), browser.get("/api/v1/wall")]
    refused = browser.get("/api/v1/wall")
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert "max_streams" in json_of(refused)["error"]["message"]
    assert browser.get("/cameras/lobby/stream.mjpg").status_code == 503
    for answer in open_ones:
        answer.close()
        answer.close()
    assert site_of(app).slots.open == 0
    assert site_of(app).hub.watcher_count == 0


def test_one_client_with_all_streams_keeps_nobody_else_out(browser: FlaskClient, app: Flask) -> None:
    greedy = [browser.get("/cameras/lobby/stream.mjpg") for _ in range(2)]
    with closing(browser.get("/api/v1/wall", environ_overrides={"REMOTE_ADDR": "10.0.0.7"})) as other:
        assert other.status_code == 200
        assert list(greedy[0].iter_encoded())[1:] == [], "its oldest stream ends"
        assert site_of(app).slots.open == site_of(app).hub.watcher_count == 2
    for answer in greedy:
        answer.close()
    assert site_of(app).slots.open == 0


def test_head_of_a_stream_keeps_no_place(browser: FlaskClient, app: Flask) -> None:
    with closing(browser.head("/cameras/lobby/stream.mjpg")) as answer:
        assert answer.status_code == 200
    assert site_of(app).slots.open == 0


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "10.0.0.7", ""])
def test_other_host_names_are_refused_on_loopback(browser: FlaskClient, host: str) -> None:
    assert browser.get("/api/v1/cameras", headers={"Host": host}).status_code in (400, 421)


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:8080", "127.0.0.1:1"])
def test_loopback_names_are_answered(browser: FlaskClient, host: str) -> None:
    assert browser.get("/api/v1/cameras", headers={"Host": host}).status_code == 200


def test_any_host_name_is_answered_when_insecure_is_spelled_out(bus: FakeBus) -> None:
    app = create_app(parse_settings("web: {host: 0.0.0.0, insecure: true}", {}), bus)
    assert app.test_client().get("/healthz", headers={"Host": "cams.example"}).status_code == 200
    site_of(app).hub.close()


def test_everything_answers_while_redis_is_away(browser: FlaskClient, bus: FakeBus) -> None:
    bus.down = True
    assert browser.get("/").status_code == 200
    assert browser.get("/cameras/lobby").status_code == 200
    assert browser.get("/healthz").status_code == 200
    assert browser.get("/cameras/lobby/snapshot.jpg").status_code == 503
    cameras = browser.get("/api/v1/cameras")
    assert cameras.status_code == 503
    assert "Redis" in json_of(cameras)["error"]["message"]
    status = browser.get("/api/v1/status")
    assert status.status_code == 200
    assert json_of(status)["redis"]["up"] is False


def test_fault_of_our_own_is_500_without_its_details(browser: FlaskClient, bus: FakeBus, app: Flask) -> None:
    bus.broken = True
    app.logger.disabled = True
    answer = browser.get("/api/v1/cameras")
    assert answer.status_code == 500
    assert "bug" not in answer.text
    assert json_of(answer)["error"]["status"] == 500


def test_discovery_lists_what_has_an_address(browser: FlaskClient) -> None:
    assert json_of(browser.get("/api/v1/discovery")) == [
        {"targets": ["127.0.0.1:9001"], "labels": {"service": "ingest", "process": "ingest-1"}}
    ]


def test_status_counts_processes_and_states(browser: FlaskClient) -> None:
    status = json_of(browser.get("/api/v1/status"))
    assert (status["workers"], status["ingests"]) == (1, 1)
    assert status["cameras"] == {"live": 1, "offline": 1}
    assert status["streams"]["max"] == 2
