from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwatch.errors import WireError
from maskwatch.types import Severity, Verdict
from maskwatch.zones import MOST_RULES
from workers.matters import CROWD, MOST_MATTERS, Looks, Matter, Phase, RuleState
from workers.relook import Glance
from workers.rulestate import pack_rules
from workers.state import CameraState, pack_state, unpack_state
from workers.track import MOST_TRACKS, Track, Tracks
from workers.verdict import Evidence

LIMIT_BYTES = 8192

near = st.floats(-2, 2, width=32)
positive = st.floats(2**-20, 2, width=32)
ago = st.sampled_from([0.0, 0.25, 0.5, 1.5, 60.0])


names = st.text("abz-_09", min_size=1, max_size=32)


@st.composite
def rule_states(draw: st.DrawFn, ids: list[int]) -> RuleState:
    zones = draw(st.lists(names, unique=True, max_size=MOST_RULES))
    looks = {}
    for track_id in ids if draw(st.booleans()) else []:
        first = draw(st.integers(0, 65535))
        means = (first / 65535, 0.0, (65535 - first) / 65535)
        visited = frozenset(draw(st.lists(st.sampled_from(zones)))) if zones else frozenset[str]()
        looks[track_id] = Looks(draw(st.integers(0, 65535)), draw(st.integers(1, 255)), means, visited)
    matters = {}
    if ids:
        about = st.tuples(st.sampled_from(["door", "r" * 32]), st.sampled_from([CROWD, *ids]))
        for key in draw(st.lists(about, unique=True, max_size=MOST_MATTERS)):
            times = draw(st.integers(0, 2**32 - 1)) / 100, draw(st.integers(0, 2**32 - 1)) / 100
            quality = 2.0 ** draw(st.integers(0, 15)) - 1
            matters[key] = Matter(draw(st.sampled_from(Phase)), *times, draw(st.integers(0, 2**30 - 1)), quality)
    severity = draw(st.sampled_from(Severity))
    rules = {name: ("z" * 32, severity) for name in sorted({name for name, _ in matters})}
    return RuleState(looks, matters, rules, draw(st.integers(0, 2**30 - 1)))


@st.composite
def states(draw: st.DrawFn) -> CameraState:
    time_s = draw(st.sampled_from([0.0, 0.25, 128.5, 1_000_000.5]))
    ids = draw(st.lists(st.integers(1, 2**31), unique=True, max_size=MOST_TRACKS))
    tracks, evidence, glances = [], {}, {}
    for track_id in sorted(ids):
        tracks.append(
            Track(
                track_id, (draw(near), draw(near)), (draw(near), draw(near)), (draw(positive), draw(positive)),
                (draw(positive), draw(near), draw(positive)), time_s - draw(ago), time_s - draw(ago),
                draw(st.integers(1, 0xFFFF)), draw(st.booleans()), 0.5,
            )
        )  # fmt: skip
        if draw(st.booleans()):
            sums = (draw(near), draw(near), draw(near))
            looks, verdict = draw(st.integers(1, 255)), draw(st.sampled_from(Verdict))
            evidence[track_id] = Evidence(sums, looks, time_s - draw(ago), verdict)
        if draw(st.booleans()):
            first = draw(st.integers(0, 255))
            second = draw(st.integers(0, 255 - first))
            said = (first / 255, second / 255, (255 - first - second) / 255)
            sizes = 2.0 ** draw(st.integers(0, 15)) - 1, 2.0 ** draw(st.integers(0, 15)) - 1
            glances[track_id] = Glance(*sizes, draw(st.binary(min_size=6, max_size=6)), draw(st.booleans()), said)
    epoch = draw(st.text("abcdef0123456789-", max_size=64))
    rules = draw(rule_states(ids))
    return CameraState(epoch, Tracks(time_s, max(ids, default=0) + 1, tuple(tracks)), evidence, glances, rules)


@settings(max_examples=40, deadline=None)
@given(states())
def test_state_comes_back_as_it_was_and_is_small(state: CameraState) -> None:
    data = pack_state(state)
    assert len(data) < LIMIT_BYTES
    assert unpack_state(data) == state


def test_fullest_state_has_fifty_tracks_and_stays_below_the_limit() -> None:
    one = Track(1, (0.5, 0.5), (0.1, 0.1), (0.1, 0.1), (0.1, 0.1, 0.1), 0.0, 0.0, 3, True, 0.9)
    tracks = tuple(Track(n + 1, *[getattr(one, name) for name in Track.__slots__[1:]]) for n in range(MOST_TRACKS))
    zones = frozenset(f"{n:z>32}" for n in range(MOST_RULES))
    rules = {f"{n:r>32}": ("z" * 32, Severity.INFO) for n in range(MOST_RULES)}
    keys = [(name, n + 1) for name in rules for n in range(MOST_TRACKS)][:MOST_MATTERS]
    matters = dict.fromkeys(keys, Matter(Phase.OPEN, 1.0, 1.0))
    looks = {n + 1: Looks(1, 1, zones=zones) for n in range(MOST_TRACKS)}
    evidence = {n + 1: Evidence() for n in range(MOST_TRACKS)}
    in_time = Tracks(0.0, MOST_TRACKS + 1, tracks)
    state = CameraState("e" * 64, in_time, evidence, rules=RuleState(looks, matters, rules))
    assert MOST_TRACKS >= 50
    assert len(pack_state(state)) < LIMIT_BYTES


def test_too_long_an_epoch_is_refused() -> None:
    with pytest.raises(WireError, match="at most 64 bytes"):
        pack_state(CameraState("e" * 65))


def test_state_of_another_version_is_refused() -> None:
    data = pack_state(CameraState("e"))
    with pytest.raises(WireError, match="expected version 4, received 1"):
        unpack_state(b"\x01" + data[1:])


def test_more_matters_than_there_is_room_for_are_refused() -> None:
    matters = {("door", CROWD + n): Matter(Phase.OPEN, 1.0, 1.0) for n in range(MOST_MATTERS + 1)}
    with pytest.raises(WireError, match="and 135 matters, received 1 and 136"):
        pack_rules(RuleState({}, matters, {"door": ("", Severity.INFO)}), range(1, MOST_MATTERS + 1))


def test_too_long_a_name_is_refused() -> None:
    with pytest.raises(WireError, match="names of at most 32 bytes"):
        pack_rules(RuleState(rules={"r" * 33: ("", Severity.INFO)}), [])


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_foreign_bytes_are_refused_and_nothing_else_happens(data: bytes) -> None:
    try:
        state = unpack_state(data)
    except WireError:
        return
    assert pack_state(state)


@settings(max_examples=60, deadline=None)
@given(states(), st.data())
def test_damaged_state_is_refused_or_still_a_state(state: CameraState, data: st.DataObject) -> None:
    packed = bytearray(pack_state(state))
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    for damaged in (bytes(packed), bytes(packed[:at])):
        try:
            pack_state(unpack_state(damaged))
        except WireError:
            continue
