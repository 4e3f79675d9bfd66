"""Whatever happens, in whatever order, the queue does what the model does and every frame is accounted for."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from maskwatch.broker import keys
from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.counts import Counts, Totals
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.messages import CameraInfo, Hold, Offer, Taken, TakenKind
from maskwatch.broker.viewer import Viewer
from maskwatch.types import DropReason, FrameResult, FrameStatus, Verdict
from tests.integration.queue_model import ModelCamera, QueueModel
from tests.support_queue import done, expire_hold, expire_lease, offer

NAMES = ["a", "b", "c", "d"]
HOUR_MS = 3_600_000
"""Leases and holds end when a step says so, not by themselves in the middle of one."""

names = st.sampled_from(NAMES)
takes = st.sampled_from([5, 3, 2, 1, 0, 0])
"""How many turns a worker takes right after a step; without this, most steps would find nothing in flight."""

rarely = st.sampled_from([False] * 5 + [True])
drops = st.dictionaries(st.sampled_from([DropReason.STILL, DropReason.BROKER_DOWN]), st.integers(1, 3), max_size=2)


class QueueMachine(RuleBasedStateMachine):
    """Drives the real queue and the model side by side."""

    def __init__(self, client: redis.Redis) -> None:
        super().__init__()
        client.flushall()
        self.client = client
        self.queue = FrameQueue(client, lease_ms=HOUR_MS, stale_ms=HOUR_MS)
        self.book = CameraBook(client, hold_ms=HOUR_MS)
        self.model = QueueModel()
        self.holds: list[Hold] = []
        self.offers: list[tuple[Offer, int]] = []
        self.turns: list[Taken] = []
        self.numbers = 0
        self.newest_taken: dict[str, float] = {}
        self.handed_out = Counter[str]()

    @initialize()
    def hold_all(self) -> None:
        for name in NAMES:
            self._hold(name)

    @rule(name=names)
    def hold(self, name: str) -> None:
        self._hold(name)

    @precondition(lambda self: len(self.model.cameras) < len(NAMES))
    @rule()
    def hold_what_is_missing(self) -> None:
        for name in NAMES:
            if name not in self.model.cameras:
                self._hold(name)

    def _hold(self, name: str) -> None:
        self.book.register([CameraInfo(name)])
        hold = self.book.hold(name, "ingest")
        assert hold is not None
        self.holds.append(hold)
        self.model.hold(name, hold.epoch)

    @precondition(lambda self: self.holds)
    @rule(chance=st.data())
    def new_epoch(self, chance: st.DataObject) -> None:
        old = chance.draw(st.sampled_from(self.holds))
        held = self.model.holds(old.camera, old.epoch) and self.model.cameras[old.camera].held
        new = self.book.new_epoch(old)
        assert (new is not None) == held
        if new is not None:
            self.holds.append(new)
            self.model.begin_epoch(self.model.cameras[old.camera], new.epoch)

    @rule(cameras=st.lists(names, min_size=1, unique=True), dropped=drops, n=takes)
    def offer(self, cameras: list[str], dropped: dict[DropReason, int], n: int) -> None:
        for name in cameras:
            self._offer_now(name, dropped)
        self._take(n)

    def _offer_now(self, name: str, dropped: dict[DropReason, int]) -> None:
        if name in self.model.cameras:
            self._offer(Hold(name, self.model.cameras[name].epoch), dropped)

    @precondition(lambda self: self.holds)
    @rule(chance=st.data())
    def offer_under_any_epoch(self, chance: st.DataObject) -> None:
        self._offer(chance.draw(st.sampled_from(self.holds)), {})

    def _offer(self, hold: Hold, dropped: dict[DropReason, int]) -> None:
        self.numbers += 1
        frame = offer(hold, self.numbers, dropped=dropped)
        self.offers.append((frame, self.numbers))
        assert self.queue.offer(frame) is self.model.offer(frame, self.numbers)

    @precondition(lambda self: self.offers)
    @rule(chance=st.data())
    def offer_again(self, chance: st.DataObject) -> None:
        frame, number = self.offers[-chance.draw(st.integers(1, min(len(self.offers), 4)))]
        assert self.queue.offer(frame) is self.model.offer(frame, number)

    @rule(n=st.integers(1, 5))
    def take(self, n: int) -> None:
        self._take(n)

    def _take(self, n: int) -> None:
        if n == 0:
            return
        self.model.prepare_take()
        expected = self.model.expected_turns(n)
        # As a worker does that was woken: whoever takes from more than it is handed has to ring for the next one.
        self.client.zpopmin(keys.BELL)
        taken = self.queue.take(n, wait_s=0)
        assert [one.camera for one in taken] == expected
        for one in taken:
            camera = self.model.cameras[one.camera]
            turn = self.model.take(one)
            assert (one.epoch, one.state, one.alone) == (camera.epoch, camera.state, turn.alone)
            if turn.number is None:
                assert (one.kind, one.jpeg) == (TakenKind.END, b"")
            else:
                assert (one.kind, one.frame_id) == (TakenKind.FRAME, f"nonce-{turn.number}")
                assert one.jpeg == f"{one.camera} {turn.number} ".encode().ljust(10, b".")
                assert one.media_time_s > self.newest_taken.get(one.camera, -1.0)
                self.newest_taken[one.camera] = one.media_time_s
        self.turns += taken
        self.handed_out.update(one.kind for one in taken)
        self.handed_out.update("alone" for one in taken if one.alone)

    @precondition(lambda self: self.turns)
    @rule(
        chance=st.data(),
        closed=st.lists(st.sampled_from(Verdict), max_size=2),
        fine=st.booleans(),
        kept=st.booleans(),
        n=takes,
    )
    def done(self, chance: st.DataObject, closed: list[Verdict], fine: bool, kept: bool, n: int) -> None:
        places = st.integers(1, min(len(self.turns), 6))
        items = []
        for place in chance.draw(st.lists(places, min_size=1, max_size=3, unique=True)):
            status = FrameStatus.OK if fine else FrameStatus.DECODE_ERROR
            said = FrameResult(status, closed=tuple(closed))
            items.append(done(self.turns[-place], said, b"tracks" if kept else b""))
        assert self.queue.done(items) == [self.model.done(item) for item in items]
        self._take(n)

    @precondition(lambda self: self.turns)
    @rule(chance=st.data())
    def renew(self, chance: st.DataObject) -> None:
        turn = self.turns[-chance.draw(st.integers(1, min(len(self.turns), 6)))]
        assert self.queue.renew([turn]) == [self.model.renew(turn.camera, turn.token)]

    @rule(cameras=st.lists(names, min_size=1, unique=True), n=takes)
    def leases_run_out(self, cameras: list[str], n: int) -> None:
        for name in cameras:
            self._expire(name)
        self._take(n)

    @rule(name=names, times=st.integers(2, 5))
    def workers_die_over_it(self, name: str, times: int) -> None:
        for _ in range(times):
            self._offer_now(name, {})
            self._take(5)
            self._expire(name)
        self._take(1)

    def _expire(self, name: str) -> None:
        turn = self.model.cameras[name].turn if name in self.model.cameras else None
        if turn is not None:
            turn.expired = True
            expire_lease(self.client, name)

    @rule(cameras=st.lists(names, min_size=1, unique=True), n=takes)
    def waiting_frames_grow_old(self, cameras: list[str], n: int) -> None:
        for name in cameras:
            camera = self.model.cameras.get(name)
            if camera is not None and camera.waiting is not None and not camera.grown_old:
                camera.grown_old = True
                self.client.hincrby(keys.camera_key(name), "next_at", -2 * HOUR_MS)
                self.handed_out["old"] += 1
        self._take(n)

    @precondition(lambda self: any(camera.backing_off for camera in self.model.cameras.values()))
    @rule()
    def back_off_ends(self) -> None:
        for name, camera in self.model.cameras.items():
            if camera.backing_off:
                camera.backing_off = False
                self.client.hset(keys.camera_key(name), "retry_at", 1)
                self.client.zadd(keys.FAILED, {name: 1})

    @precondition(lambda self: self.holds)
    @rule(chance=st.data())
    def end(self, chance: st.DataObject) -> None:
        hold = chance.draw(st.sampled_from(self.holds))
        self.book.end(hold)
        if self.model.holds(hold.camera, hold.epoch):
            self.model.cameras[hold.camera].finish = True

    @rule(name=names)
    def nobody_holds_it_for_long(self, name: str) -> None:
        if self.client.zscore(keys.HOLDS, name) is not None:
            expire_hold(self.client, name, ago_ms=60_000)
            self.model.cameras[name].orphaned = True

    @rule(name=names, really=st.booleans())
    def retire(self, name: str, really: bool) -> None:
        if not really:
            return
        self.book.retire(name)
        epoch = self.client.hget(keys.camera_key(name), "epoch")
        self.model.retire(name, epoch.decode() if isinstance(epoch, bytes) else "")

    @rule(really=rarely)
    def flush(self, really: bool) -> None:
        if really:
            self.client.flushall()
            self.model.flush()

    @rule(really=rarely)
    def flush_scripts(self, really: bool) -> None:
        if really:
            self.client.script_flush()

    @invariant()
    def every_frame_is_accounted_for(self) -> None:
        snapshot = Counts.read(self.client)
        assert snapshot.balanced, snapshot
        assert set(snapshot.cameras) == set(self.model.cameras)
        for name, seen in snapshot.cameras.items():
            camera = self.model.cameras[name]
            assert _flat(seen) == +camera.counts
            in_flight = camera.turn is not None and camera.turn.number is not None
            assert (seen.waiting, seen.in_flight) == (camera.waiting is not None, in_flight)
        assert _flat(snapshot.removed) == +self.model.removed

    @invariant()
    def pictures_are_those_of_the_model(self) -> None:
        shown = Viewer(self.client).versions(NAMES)
        expected = {name: camera.shown for name, camera in self.model.cameras.items() if camera.shown is not None}
        assert shown == {name: f"nonce-{number}" for name, number in expected.items()}
        with self.client.pipeline(transaction=False) as batch:
            for name in NAMES:
                for slot in (keys.next_key, keys.taken_key, keys.shown_key):
                    batch.exists(slot(name))
            there = batch.execute()
        expected_there = []
        for name in NAMES:
            camera = self.model.cameras.get(name, ModelCamera())
            flying = camera.turn is not None and camera.turn.number is not None
            expected_there += [camera.waiting is not None, flying, camera.shown is not None]
        assert there == expected_there

    @invariant()
    def bell_is_set_while_somebody_should_take(self) -> None:
        with self.client.pipeline(transaction=False) as batch:
            batch.zrange(keys.READY, 0, -1)
            batch.zrangebyscore(keys.FAILED, 0, 1)
            ready, due = ({name.decode() for name in answer} for answer in batch.execute())
        expected = {name for name, camera in self.model.cameras.items() if camera.ready}
        assert ready | due >= expected >= ready
        if ready:
            assert self.client.exists(keys.BELL)

    @invariant()
    def nothing_is_left_of_removed_cameras(self) -> None:
        left = {key.decode().split(":")[2] for key in self.client.scan_iter("{mw}:*:*")}
        assert left <= set(self.model.cameras)


def _flat(totals: Totals) -> dict[str, int]:
    flat: dict[str, Any] = {"captured": totals.captured, "analysed": totals.analysed}
    for family in ("dropped", "people", "faces"):
        flat |= {f"{family}:{name}": number for name, number in getattr(totals, family).items()}
    return {name: number for name, number in flat.items() if number}


@pytest.mark.timeout(600)
def test_queue_does_what_the_model_does(redis_client: redis.Redis) -> None:
    handed_out = Counter[str]()

    class Machine(QueueMachine):
        def __init__(self) -> None:
            super().__init__(redis_client)

        def teardown(self) -> None:
            handed_out.update(self.handed_out)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            # The same steps every time: drawn afresh, some runs hand out too few frames to mean anything.
            derandomize=True,
            max_examples=150,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    # Steps that lead nowhere prove nothing.
    assert handed_out[TakenKind.FRAME] > 200
    assert handed_out[TakenKind.END] > 10
    assert handed_out["alone"] > 0
    assert handed_out["old"] > 10
