from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from maskwatch.broker.counts import Distribution
from maskwatch.settings import Settings
from maskwatch.types import CameraState, DropReason, EventKind, MaskLabel, Verdict
from maskwatch.zones import Zone
from tests.support_bus import FakeBus, camera_counts, camera_view
from web.app import create_app
from web.site import site_of

Samples = dict[str, list[tuple[dict[str, str], float]]]


@pytest.fixture
def bus() -> FakeBus:
    return FakeBus(
        [
            camera_view("lobby"),
            camera_view("yard", CameraState.OFFLINE),
            camera_view("cellar", packet_age_s=5.0),
        ]
    )


@pytest.fixture
def app(bus: FakeBus) -> Iterator[Flask]:
    app = create_app(Settings(), bus)
    yield app
    site_of(app).hub.close()


def scrape(app: Flask) -> Samples:
    answer = app.test_client().get("/metrics")
    assert answer.status_code == 200
    samples: Samples = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
    return samples


@pytest.mark.parametrize(
    ("name", "label", "values"),
    [
        ("maskwatch_frames_dropped_total", "reason", DropReason),
        ("maskwatch_faces_total", "label", MaskLabel),
        ("maskwatch_people_total", "verdict", Verdict),
        ("maskwatch_people_present", "verdict", Verdict),
        ("maskwatch_events_total", "kind", EventKind),
    ],
)
def test_labels_are_closed_sets_with_every_value(app: Flask, name: str, label: str, values: Iterable[str]) -> None:
    found = scrape(app)[name]
    expected = {(camera, str(value)) for camera in ("lobby", "yard", "cellar") for value in values}
    assert {(labels["camera"], labels[label]) for labels, _ in found} == expected
    assert all(set(labels) == {"camera", label} for labels, _ in found)


def test_frames_are_counted_by_camera(app: Flask) -> None:
    samples = scrape(app)
    assert ({"camera": "lobby"}, 10) in samples["maskwatch_frames_captured_total"]
    assert ({"camera": "lobby"}, 7) in samples["maskwatch_frames_analysed_total"]


def test_camera_is_up_only_while_packets_arrive(app: Flask) -> None:
    up = {labels["camera"]: value for labels, value in scrape(app)["maskwatch_camera_up"]}
    assert up == {"lobby": 1, "yard": 0, "cellar": 0}


@pytest.mark.parametrize("name", ["maskwatch_frame_latency_seconds", "maskwatch_queue_wait_seconds"])
def test_histograms_are_cumulative(app: Flask, name: str) -> None:
    samples = scrape(app)
    assert [(labels["le"], value) for labels, value in samples[f"{name}_bucket"]] == [
        ("0.1", 3),
        ("1.0", 5),
        ("+Inf", 6),
    ]
    assert samples[f"{name}_sum"] == [({}, 4.5)]
    assert samples[f"{name}_count"] == [({}, 6)]


def test_removed_cameras_series_disappear(app: Flask, bus: FakeBus) -> None:
    del bus.views["yard"], bus.counted["yard"]
    samples = scrape(app)
    assert not any(labels.get("camera") == "yard" for found in samples.values() for labels, _ in found)


def test_scrape_answers_while_redis_is_away(app: Flask, bus: FakeBus) -> None:
    bus.down = True
    samples = scrape(app)
    assert samples["maskwatch_redis_up"] == [({"server": "live"}, 0), ({"server": "durable"}, 0)]
    assert "process_cpu_seconds_total" in samples
    assert "maskwatch_build_info" in samples
    assert "maskwatch_camera_up" not in samples


def test_counters_are_read_once_a_scrape(app: Flask, bus: FakeBus) -> None:
    bus.calls.clear()
    scrape(app)
    assert sorted(bus.calls) == ["backlog", "counts", "overview", "processes", "shedding"]


def test_one_server_that_is_away_hides_nothing_of_the_other(app: Flask, bus: FakeBus) -> None:
    bus.durable_down = True
    samples = scrape(app)
    assert samples["maskwatch_redis_up"] == [({"server": "live"}, 1), ({"server": "durable"}, 0)]
    assert "maskwatch_camera_up" in samples
    assert "maskwatch_records_waiting" not in samples


def test_records_that_wait_are_shown_by_the_site(app: Flask) -> None:
    samples = scrape(app)
    assert samples["maskwatch_records_waiting"] == [({}, 3)]
    assert samples["maskwatch_records_waiting_seconds"] == [({}, 0.2)]
    assert samples["maskwatch_records_max"] == [({}, 100_000)]


def test_services_without_a_process_are_shown_as_zero(app: Flask) -> None:
    alive = {labels["service"]: value for labels, value in scrape(app)["maskwatch_processes"]}
    assert alive == {"ingest": 1, "worker": 1, "recorder": 0, "jobs": 0, "web": 0}


def test_camera_is_in_one_state(app: Flask, bus: FakeBus) -> None:
    bus.change("lobby", state=CameraState.AUTH_FAILED)
    states = {labels["camera"]: (labels["state"], value) for labels, value in scrape(app)["maskwatch_camera_state"]}
    assert states == {"lobby": ("auth_failed", 1), "yard": ("offline", 1), "cellar": ("stalled", 1)}


def test_age_of_the_newest_frame_is_shown_once_there_is_one(app: Flask, bus: FakeBus) -> None:
    bus.change("yard", frame_age_s=None)
    ages = {labels["camera"]: value for labels, value in scrape(app)["maskwatch_camera_frame_age_seconds"]}
    assert ages == {"lobby": 0.2, "cellar": 0.2}


def test_people_are_shown_by_the_zones_that_are_configured(app: Flask, bus: FakeBus) -> None:
    square = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
    zones = (Zone("door", square), Zone("desk", square), Zone("street", square, is_ignored=True))
    bus.change("lobby", info=replace(bus.views["lobby"].info, zones=zones))
    gone = {verdict.value: 2 for verdict in Verdict}
    bus.counted["lobby"] = replace(bus.counted["lobby"], zones={"door": gone, "renamed": gone})
    found = {
        (labels["camera"], labels["zone"], labels["verdict"]): value
        for labels, value in scrape(app)["maskwatch_zone_people_total"]
    }
    assert found == {
        ("lobby", zone, verdict.value): number for zone, number in (("door", 2), ("desk", 0)) for verdict in Verdict
    }


def test_faces_are_counted_by_size_and_by_what_was_said_of_them(app: Flask, bus: FakeBus) -> None:
    sizes = Distribution((24.0, 48.0), (1, 2, 1), 170)
    bus.counted["lobby"] = replace(bus.counted["lobby"], face_sizes_px=sizes, unlabelled=5, label_flips=6)
    samples = scrape(app)
    ours = [
        (labels["le"], n) for labels, n in samples["maskwatch_face_size_pixels_bucket"] if labels["camera"] == "lobby"
    ]
    assert ours == [("24.0", 1), ("48.0", 3), ("+Inf", 4)]
    assert ({"camera": "lobby"}, 170) in samples["maskwatch_face_size_pixels_sum"]
    assert ({"camera": "lobby"}, 5) in samples["maskwatch_faces_unlabelled_total"]
    assert ({"camera": "lobby"}, 6) in samples["maskwatch_label_flips_total"]
    assert {labels["label"] for labels, _ in samples["maskwatch_face_confidence_count"]} == set(MaskLabel)


def test_level_of_shedding_is_there_once_whatever_it_is(app: Flask, bus: FakeBus) -> None:
    assert scrape(app)["maskwatch_shedding_level"] == [({}, 0)]
    bus.level = 7
    assert scrape(app)["maskwatch_shedding_level"] == [({}, 7)]


def test_open_metrics_is_spoken_to_those_who_ask(app: Flask) -> None:
    answer = app.test_client().get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.mimetype == "application/openmetrics-text"
    assert answer.text.endswith("# EOF\n")


def test_retiring_camera_is_counted_though_it_has_no_view(app: Flask, bus: FakeBus) -> None:
    bus.counted["old"] = camera_counts()
    assert ({"camera": "old"}, 10) in scrape(app)["maskwatch_frames_captured_total"]
