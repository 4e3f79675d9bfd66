from __future__ import annotations

import itertools

import pytest

from ingest.states import TRANSITIONS, CameraMachine, Happening, IllegalTransition
from maskwatch.types import CameraState


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def machine(clock: Clock) -> CameraMachine:
    return CameraMachine(clock=clock, utc=lambda: 1e9 + clock.now_s)


def test_every_state_has_a_row_and_every_row_leads_to_a_state() -> None:
    assert set(TRANSITIONS) == set(CameraState)
    assert {state for row in TRANSITIONS.values() for state in row.values()} <= set(CameraState)


def test_every_state_but_disabled_can_be_reached_from_the_first() -> None:
    reached = {CameraState.CONNECTING}
    for _ in CameraState:
        reached |= {after for state in reached for after in TRANSITIONS[state].values()}
    assert reached == set(CameraState) - {CameraState.DISABLED}


@pytest.mark.parametrize(("state", "what"), list(itertools.product(CameraState, Happening)))
def test_what_the_table_leaves_out_is_refused(machine: CameraMachine, state: CameraState, what: Happening) -> None:
    way = {
        CameraState.LIVE: [Happening.PICTURE],
        CameraState.STALLED: [Happening.PICTURE, Happening.SILENCE],
        CameraState.OFFLINE: [Happening.LOSS],
        CameraState.AUTH_FAILED: [Happening.REFUSAL],
        CameraState.UNSUPPORTED: [Happening.UNDECODABLE],
        CameraState.FAILED: [Happening.CRASH],
        CameraState.ENDED: [Happening.END],
    }
    if state is CameraState.DISABLED:
        return
    for step in way.get(state, []):
        machine.happen(step)
    assert machine.state is state
    if what in TRANSITIONS[state]:
        machine.happen(what)
        assert machine.state is TRANSITIONS[state][what]
    else:
        with pytest.raises(IllegalTransition, match=state.value):
            machine.happen(what)
        assert machine.state is state


def test_same_state_with_another_reason_keeps_its_beginning(machine: CameraMachine, clock: Clock) -> None:
    assert machine.happen(Happening.LOSS, "refused")
    clock.now_s += 30
    assert not machine.happen(Happening.LOSS, "timed out")
    standing = machine.standing
    assert (standing.reason, standing.since_s, standing.since_utc) == ("timed out", 100.0, 1e9 + 100)
    assert standing.number == 2


def test_reason_holds_no_credentials(machine: CameraMachine) -> None:
    machine.happen(Happening.LOSS, "rtsp://admin:hunter2@10.0.0.5/ch1: broke off")
    assert machine.standing.reason == "rtsp://***@10.0.0.5/ch1: broke off"


def test_only_a_live_camera_stalls_and_only_a_stalled_one_resumes(machine: CameraMachine) -> None:
    assert not machine.silent("no packet")
    assert not machine.resumed()
    machine.happen(Happening.PICTURE)
    stalled = machine.silent("no packet"), machine.standing.state
    resumed = machine.resumed(), machine.standing.state
    assert (stalled, resumed) == ((True, CameraState.STALLED), (True, CameraState.LIVE))
    machine.happen(Happening.LOSS)
    assert not machine.resumed()
    assert machine.standing.state is CameraState.OFFLINE
