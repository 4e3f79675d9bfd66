from __future__ import annotations

from dataclasses import replace

import pytest

from maskwatch.broker.messages import CameraInfo
from maskwatch.settings import CameraSettings, parse_settings
from maskwatch.types import CameraState, StreamFaces, Verdict
from tests.support_bus import camera_view
from web.sight import STALLED_AFTER_S, describe, describe_settings, sight_of


def test_live_camera_shows_its_picture() -> None:
    sight = sight_of(camera_view())
    assert sight.is_picture
    assert sight.state is CameraState.LIVE


@pytest.mark.parametrize("state", [state for state in CameraState if state is not CameraState.LIVE])
def test_every_other_state_shows_a_card(state: CameraState) -> None:
    sight = sight_of(camera_view(state=state, reason="because"))
    assert not sight.is_picture
    assert sight.state is state
    assert sight.reason == "because"
    assert sight.title


def test_still_scene_is_shown_as_live() -> None:
    view = camera_view(frame_age_s=6.0, packet_age_s=0.2)
    assert view.status is not None
    view = replace(view, status=replace(view.status, is_still=True, note="decoded in software"))
    sight = sight_of(view)
    assert sight.is_picture
    facts = describe(view, sight)
    assert (facts["is_still"], facts["frame_age_s"], facts["packet_age_s"]) == (True, 6.0, 0.2)
    assert facts["note"] == "decoded in software"


def test_camera_without_packets_is_stalled_before_three_seconds() -> None:
    assert STALLED_AFTER_S <= 2.7
    sight = sight_of(camera_view(packet_age_s=STALLED_AFTER_S))
    assert sight.state is CameraState.STALLED
    assert not sight.is_picture


def test_frozen_picture_is_not_live_when_nobody_analyses() -> None:
    sight = sight_of(camera_view(frame_age_s=14.0))
    assert not sight.is_picture
    assert sight.state is CameraState.LIVE
    assert "worker" in sight.reason


def test_slow_camera_has_time_for_its_next_frame() -> None:
    slow = camera_view(frame_age_s=14.0)
    object.__setattr__(slow.info, "fps", 0.1)
    assert sight_of(slow).is_picture


def test_camera_before_its_first_frame_shows_a_card() -> None:
    assert not sight_of(camera_view(frame_age_s=None)).is_picture


def test_description_tells_the_state_that_is_shown() -> None:
    view = camera_view(packet_age_s=5.0)
    facts = describe(view, sight_of(view))
    assert facts["state"] == "stalled"
    assert facts["packet_age_s"] == 5.0
    assert facts["shows_picture"] is False
    assert facts["source"] == "rtsp://***@10.0.0.5/stream2"


def test_nobody_is_present_in_a_picture_that_is_not_shown_as_live() -> None:
    people = {verdict.value: 1 for verdict in Verdict}
    live, stalled = camera_view(people=people), camera_view(people=people, packet_age_s=5.0)
    assert sum(describe(live, sight_of(live))["people"].values()) > 0
    assert set(describe(stalled, sight_of(stalled))["people"].values()) == {0}


def test_description_without_a_holder_has_every_key() -> None:
    with_status = camera_view()
    without = camera_view(state=CameraState.OFFLINE, status=None, packet_age_s=None, frame_age_s=None)
    assert describe(without, sight_of(without)).keys() == describe(with_status, sight_of(with_status)).keys()


def camera(keys: str) -> CameraSettings:
    return parse_settings(f"cameras: {{lobby: {{source: 'webcam:0', {keys}}}}}", {}).cameras["lobby"]


def test_zones_and_rules_are_told_in_the_words_of_the_configuration() -> None:
    wanted = camera(
        "zones: {door: {polygon: [[0.1, 0.2], [0.6, 0.2], [0.6, 0.9]], require_mask: true}, "
        "window: {polygon: [[0.8, 0], [1, 0], [1, 0.3]], ignore: true}}, "
        "rules: {shift: {zone: door, crowd: 4, require: with_mask, severity: critical, grace_s: 1.5, cooldown_s: 0, "
        "schedule: {days: [fri, mon], from: '22:00', to: '24:00', timezone: Europe/Berlin}, "
        "evidence: {of: 8, at_least: 6}}, full: {crowd: 12}}, privacy: {snapshots: none, stream: blurred}"
    )
    info = CameraInfo("lobby", zones=wanted.zone_values, rules=wanted.rule_values, snapshots=wanted.privacy.snapshots,
                      stream=wanted.privacy.stream)  # fmt: skip
    told = describe_settings(camera_view(info=info))
    assert told["privacy"] == {"snapshots": "none", "stream": "blurred"}
    assert [(zone["name"], zone["ignore"]) for zone in told["zones"]] == [("door", False), ("window", True)]
    assert told["rules"][0] == {
        "name": "door", "zone": "door", "require": "with_mask", "crowd": None, "schedule": None,
        "evidence": {"of": 5, "at_least": 3}, "grace_s": 2.0, "cooldown_s": 30.0, "severity": "warning",
    }  # fmt: skip
    # What is told, put into a configuration, makes the very same camera.
    zones = {zone.pop("name"): zone for zone in told["zones"]}
    rules = {rule.pop("name"): rule for rule in told["rules"]}
    again = CameraSettings.model_validate({"source": "webcam:0", "zones": zones, "rules": rules})
    assert (again.zone_values, again.rule_values) == (wanted.zone_values, wanted.rule_values)


def test_faces_are_hidden_in_every_state_of_a_camera_that_wants_it() -> None:
    private = CameraInfo("lobby", stream=StreamFaces.BLURRED)
    for state in CameraState:
        assert sight_of(camera_view(state=state, info=private)).hides_faces
        assert not sight_of(camera_view(state=state)).hides_faces
