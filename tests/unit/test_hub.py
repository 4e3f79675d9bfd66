from __future__ import annotations

import json
import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest
from structlog.testing import capture_logs

from maskwatch.types import CameraState
from tests.support import wait_for
from tests.support_bus import FakeBus, FakeClock, camera_view
from tests.support_feed import picture
from web.hub import Hub, HubTimes
from web.watcher import Picture, Watcher


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def bus() -> FakeBus:
    bus = FakeBus([camera_view("a"), camera_view("b")])
    bus.show("a", "a-1", picture(0))
    bus.show("b", "b-1", picture(1))
    return bus


@pytest.fixture
def hub(bus: FakeBus, clock: FakeClock) -> Hub:
    return Hub(bus, HubTimes(), clock)


def pictures(watcher: Watcher) -> list[Picture]:
    found = []
    while (item := watcher.take(0)) is not None:
        if isinstance(item, Picture):
            found.append(item)
    return found


def overview(watcher: Watcher) -> dict[str, object]:
    item = watcher.take(0)
    assert isinstance(item, bytes)
    message: dict[str, object] = json.loads(item)
    return message


def step(hub: Hub, clock: FakeClock, seconds: float = 0.1) -> None:
    clock.now += seconds
    hub.step()


def test_only_watched_cameras_are_fetched(hub: Hub, bus: FakeBus, clock: FakeClock) -> None:
    watcher = hub.watch(["a"])
    step(hub, clock)
    assert bus.fetched == ["a"]
    assert [(one.camera, one.frame_id, one.is_live) for one in pictures(watcher)] == [("a", "a-1", True)]


def test_frame_is_drawn_once_for_all_who_watch(bus: FakeBus, clock: FakeClock) -> None:
    draws = []
    hub = Hub(bus, HubTimes(), clock, lambda stage, _seconds: draws.append(stage) if stage == "draw" else None)
    watchers = [hub.watch(["a"]) for _ in range(20)]
    step(hub, clock)
    assert draws == ["draw"]
    jpegs = {id(pictures(watcher)[0].jpeg) for watcher in watchers}
    assert len(jpegs) == 1


def test_each_width_gets_its_own_picture_and_none_is_enlarged(hub: Hub, clock: FakeClock) -> None:
    widths = {}
    for width in (0, 320, 1280):
        watcher = hub.watch(["a"], width)
        step(hub, clock)
        image = cv2.imdecode(np.frombuffer(pictures(watcher)[0].jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        widths[width] = image.shape[1]
    assert widths == {0: 640, 320: 320, 1280: 640}


def test_unchanged_picture_is_not_sent_again(hub: Hub, bus: FakeBus, clock: FakeClock) -> None:
    watcher = hub.watch(["a"])
    step(hub, clock)
    pictures(watcher)
    for _ in range(5):
        step(hub, clock)
    assert pictures(watcher) == []
    assert bus.calls.count("fetch") == 1
    bus.show("a", "a-2", picture(2))
    step(hub, clock)
    assert [one.frame_id for one in pictures(watcher)] == ["a-2"]


def test_late_viewer_is_given_what_the_others_see(hub: Hub, clock: FakeClock) -> None:
    hub.watch(["a"])
    step(hub, clock)
    assert [one.frame_id for one in pictures(hub.watch(["a"]))] == ["a-1"]


def test_pictures_come_no_quicker_than_allowed(bus: FakeBus, clock: FakeClock) -> None:
    hub = Hub(bus, HubTimes(frame_s=0.5), clock)
    watcher = hub.watch(["a"])
    seen = []
    for number in range(50):
        bus.show("a", f"a-{number}", picture(number))
        step(hub, clock, 0.04)
        seen += pictures(watcher)
    assert 4 <= len(seen) <= 5


def test_lost_camera_is_a_card_and_comes_back(hub: Hub, bus: FakeBus, clock: FakeClock) -> None:
    watcher = hub.watch(["a"])
    step(hub, clock)
    live = pictures(watcher)[0]
    bus.change("a", state=CameraState.OFFLINE, reason="connection refused")
    step(hub, clock, 0.3)
    card = pictures(watcher)[0]
    assert not card.is_live
    assert card.jpeg != live.jpeg
    bus.change("a", state=CameraState.LIVE, reason="")
    step(hub, clock, 0.3)
    assert [one.is_live for one in pictures(watcher)] == [True]


def test_card_whose_reason_counts_is_drawn_seldom(hub: Hub, bus: FakeBus, clock: FakeClock) -> None:
    watcher = hub.watch(["a"])
    cards = 0
    for number in range(40):
        bus.change("a", state=CameraState.OFFLINE, reason=f"tried again in {40 - number} s")
        step(hub, clock, 0.25)
        cards += len(pictures(watcher))
    assert 4 <= cards <= 6


def test_camera_that_is_gone_is_a_card(hub: Hub, bus: FakeBus, clock: FakeClock) -> None:
    watcher = hub.watch(["a"])
    step(hub, clock)
    pictures(watcher)
    del bus.views["a"], bus.shown["a"]
    step(hub, clock, 0.3)
    assert [one.is_live for one in pictures(watcher)] == [False]


def test_unreadable_picture_is_a_card_and_spares_the_others(hub: Hub, bus: FakeBus, clock: FakeClock) -> None:
    bus.shown["a"] = replace(bus.shown["a"], jpeg=b"not a picture")
    watcher = hub.watch(None)
    step(hub, clock)
    assert {one.camera: one.is_live for one in pictures(watcher)} == {"a": False, "b": True}


def test_overview_lists_all_cameras_to_those_who_want_it(hub: Hub, clock: FakeClock) -> None:
    watcher = hub.watch(["a"], wants_overview=True)
    other = hub.watch(["a"])
    step(hub, clock)
    message = overview(watcher)
    cameras = message["cameras"]
    assert isinstance(cameras, list)
    assert [camera["name"] for camera in cameras] == ["a", "b"]
    assert message["redis"] == {"up": True, "message": ""}
    assert message["shedding"] == {"level": 0, "most": 15, "fps_factor": 1.0, "words": ""}
    assert all(isinstance(item, Picture) for item in [other.take(0)])


def test_overview_tells_what_gives_way(hub: Hub, bus: FakeBus, clock: FakeClock) -> None:
    watcher = hub.watch([], wants_overview=True)
    bus.level = 14
    step(hub, clock)
    words = "25 % of the frames, profile fast"
    assert overview(watcher)["shedding"] == {"level": 14, "most": 15, "fps_factor": 0.25, "words": words}


@pytest.mark.parametrize("fault", ["down", "broken"])
def test_fault_is_told_to_everybody_and_survived(hub: Hub, bus: FakeBus, clock: FakeClock, fault: str) -> None:
    watcher = hub.watch(None, wants_overview=True)
    step(hub, clock)
    overview(watcher)
    pictures(watcher)
    setattr(bus, fault, True)
    with capture_logs() as logged:
        step(hub, clock, 0.3)
        step(hub, clock, 0.3)
    assert [line["event"] for line in logged].count("hub.lost") == 1
    message = overview(watcher)
    assert isinstance(message["redis"], dict)
    assert message["redis"]["up"] is False
    assert message["redis"]["message"]
    cameras = message["cameras"]
    assert isinstance(cameras, list)
    assert not any(camera["shows_picture"] for camera in cameras)
    ages = {camera[age] for camera in cameras for age in ("frame_age_s", "packet_age_s", "since_utc")}
    assert ages == {None}, "ages would stand still, and look new for as long as this lasts"
    assert [one.is_live for one in pictures(watcher)] == [False, False]
    setattr(bus, fault, False)
    step(hub, clock, 0.3)
    assert [one.is_live for one in pictures(watcher)] == [True, True]


def test_silence_is_measured_since_the_last_answer(hub: Hub, bus: FakeBus, clock: FakeClock) -> None:
    hub.watch(["a"])
    step(hub, clock)
    assert hub.silent_s == 0
    bus.down = True
    step(hub, clock, 2.0)
    step(hub, clock, 2.0)
    assert hub.silent_s == 4.0


def test_retries_are_further_apart_up_to_a_cap(hub: Hub, bus: FakeBus, clock: FakeClock) -> None:
    hub.watch(["a"])
    bus.down = True
    pauses = [hub.step() for _ in range(20)]
    assert 0.25 * 0.75 <= pauses[0] <= 0.25 * 1.25
    assert max(pauses) <= 2.0
    assert pauses[-1] >= 1.0


def test_thread_sleeps_while_nobody_watches() -> None:
    bus = FakeBus([camera_view("a")])
    bus.show("a", "a-1", picture(0))
    hub = Hub(bus, HubTimes(tick_s=0.001))
    hub.start()
    try:
        watcher = hub.watch(["a"])
        assert isinstance(watcher.take(60), Picture)
        watcher.close()
        assert hub.watcher_count == 0
        wait_for(lambda: _is_quiet(bus), 60, "the hub asking nothing any more")
    finally:
        hub.close()


def _is_quiet(bus: FakeBus) -> bool:
    before = len(bus.calls)
    threading.Event().wait(0.1)
    return len(bus.calls) == before


def test_close_ends_watchers_now_and_later(bus: FakeBus) -> None:
    hub = Hub(bus)
    hub.start()
    watcher = hub.watch(["a"])
    hub.close()
    assert watcher.is_closed()
    assert hub.watch(["a"]).is_closed()
