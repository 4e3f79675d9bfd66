from __future__ import annotations

import json
import struct

import pytest

from tests.support_bus import FakeBus, FakeClock, camera_view
from tests.support_feed import picture
from web import streams
from web.hub import Hub, HubTimes
from web.streams import StreamSlots, mjpeg_parts, wall_messages


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def bus() -> FakeBus:
    bus = FakeBus([camera_view("a")])
    bus.show("a", "a-1", picture(0))
    return bus


@pytest.fixture
def hub(bus: FakeBus, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setattr(streams, "REPEAT_S", 0.0)
    return Hub(bus, HubTimes(), clock)


def test_still_scene_is_repeated(hub: Hub) -> None:
    watcher = hub.watch(["a"])
    hub.step()
    parts = mjpeg_parts(hub, watcher)
    next(parts)
    first = next(parts)
    assert next(parts) == first
    assert next(parts) == first


def test_frozen_picture_gives_way_to_a_card_when_nothing_is_heard(hub: Hub, clock: FakeClock) -> None:
    watcher = hub.watch(["a"])
    hub.step()
    parts = mjpeg_parts(hub, watcher)
    next(parts)
    live = next(parts)
    clock.now += 2.6
    card = next(parts)
    assert card != live
    assert next(parts) == card


def test_streams_end_when_their_watcher_is_closed(hub: Hub) -> None:
    watcher, other = hub.watch(["a"]), hub.watch(["a"], wants_overview=True)
    hub.step()
    parts, messages = mjpeg_parts(hub, watcher), wall_messages(other)
    next(parts)
    next(messages)
    hub.close()
    assert list(parts) == []
    assert list(messages) == []


def test_wall_messages_can_be_taken_apart(hub: Hub) -> None:
    watcher = hub.watch(None, wants_overview=True)
    hub.step()
    messages = wall_messages(watcher)
    kinds = []
    for _ in range(3):
        message = next(messages)
        json_length, jpeg_length = struct.unpack(">II", message[:8])
        meta = json.loads(message[8 : 8 + json_length])
        assert len(message) == 8 + json_length + jpeg_length
        kinds.append(meta["kind"])
        if meta["kind"] == "picture":
            assert meta == {"kind": "picture", "camera": "a", "live": True, "frame": "a-1"}
            assert message[8 + json_length :].startswith(b"\xff\xd8")
    assert kinds == ["overview", "picture", "quiet"]


def test_whoever_holds_most_places_makes_room_for_others() -> None:
    slots, ended = StreamSlots(4), []

    def take(whose: str, name: str) -> bool:
        return slots.take(whose, lambda: ended.append(name)) is not None

    assert [take("greedy", f"g{number}") for number in range(6)] == [True] * 4 + [False] * 2
    assert take("nurse", "n0")
    assert take("guard", "w0")
    assert ended == ["g0", "g1"], "the oldest go first"
    assert not take("greedy", "g6"), "or places would change hands for ever"
    assert not take("nurse", "n1"), "two and two are as fair as one and three"
    assert slots.open == 4


def test_place_that_went_to_another_is_given_back_by_that_one_alone() -> None:
    slots = StreamSlots(2)
    lost = slots.take("greedy", lambda: None)
    slots.take("greedy", lambda: None)
    mine = slots.take("nurse", lambda: None)
    assert lost is not None
    assert mine is not None
    lost()
    assert slots.open == 2
    mine()
    assert slots.open == 1


def test_places_are_limited_and_given_back_once() -> None:
    slots = StreamSlots(2)
    first, second = slots.take(), slots.take()
    assert first is not None
    assert second is not None
    assert slots.take() is None
    first()
    first()
    assert slots.open == 1
    assert slots.take() is not None
    assert slots.take() is None
