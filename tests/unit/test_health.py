from __future__ import annotations

import pytest

from maskwatch.broker.events import Backlog
from maskwatch.broker.messages import CameraInfo, ProcessInfo
from maskwatch.settings import Settings, parse_settings
from maskwatch.types import CameraState
from tests.support_bus import FakeBus, camera_view
from web.app import create_app
from web.health import what_is_missing
from web.site import site_of

CONFIGURED = parse_settings("cameras: {lobby: {source: 'rtsp://10.0.0.5/s'}}", {})


@pytest.fixture
def bus() -> FakeBus:
    return FakeBus([camera_view("lobby"), camera_view("yard")])


def test_working_installation_is_ready(bus: FakeBus) -> None:
    assert what_is_missing(bus, Settings()) == []


def test_offline_camera_is_ready(bus: FakeBus) -> None:
    bus.change("lobby", state=CameraState.OFFLINE)
    assert what_is_missing(bus, Settings()) == []


def test_records_that_nobody_records_are_not_ready(bus: FakeBus) -> None:
    bus.waiting = Backlog(100_000, 900.0, 100_000)
    (missing,) = what_is_missing(bus, Settings())
    assert "100000 records wait for a recorder" in missing
    assert "maskwatch recorder" in missing


def test_no_cameras_are_ready() -> None:
    assert what_is_missing(FakeBus(), Settings()) == []


def test_camera_without_a_holder_is_not_ready(bus: FakeBus) -> None:
    del bus.held["yard"]
    assert "yard" in what_is_missing(bus, Settings())[0]


def test_disabled_camera_needs_no_holder(bus: FakeBus) -> None:
    del bus.held["yard"]
    bus.change("yard", info=CameraInfo("yard", enabled=False), state=CameraState.DISABLED)
    assert what_is_missing(bus, Settings()) == []


def test_no_worker_is_not_ready(bus: FakeBus) -> None:
    bus.alive = [ProcessInfo("ingest", "ingest-1")]
    assert "worker" in what_is_missing(bus, Settings())[0]


def test_configured_cameras_without_an_ingest_are_not_ready() -> None:
    bus = FakeBus()
    bus.alive = [ProcessInfo("worker", "worker-1")]
    assert "ingest" in what_is_missing(bus, CONFIGURED)[0]


def test_cameras_removed_since_this_process_began_are_not_missed() -> None:
    assert what_is_missing(FakeBus(), CONFIGURED) == []


def test_silent_redis_is_not_ready(bus: FakeBus) -> None:
    bus.down = True
    assert "Redis" in what_is_missing(bus, Settings())[0]


def test_readyz_answers_with_the_reasons(bus: FakeBus) -> None:
    app = create_app(Settings(), bus)
    browser = app.test_client()
    assert browser.get("/readyz").json == {"ready": True, "missing": []}
    bus.alive = []
    answer = browser.get("/readyz")
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["missing"]
    site_of(app).hub.close()
