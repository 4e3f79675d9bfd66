from __future__ import annotations

from dataclasses import replace

import pytest

from maskwatch.types import CameraState, Verdict
from tests.support_bus import camera_view
from web.sight import STALLED_AFTER_S, describe, sight_of


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
