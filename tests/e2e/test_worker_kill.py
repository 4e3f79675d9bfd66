"""Workers killed around the very moment at which they hand records over: nothing is lost, nothing counts twice."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.connect import connect
from maskwatch.broker.events import EventLog
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.messages import CameraInfo, Hold, Offer
from maskwatch.events import Event, PersonClosed, Record, unpack_record
from maskwatch.media import encode_jpeg
from maskwatch.types import EventKind, Snapshots, Verdict
from maskwatch.zones import Rule
from tests.e2e.dying_worker import DEATHS, main
from tests.support import wait_for
from tests.support_queue import count
from tests.support_redis import redis_server
from tests.unit.test_pipeline import picture

GENEROUS_S = 120.0
CAMERAS = ("lobby", "yard")
RULE = Rule("masks", grace_s=0.4, cooldown_s=0.0)
BARE, MASKED = encode_jpeg(picture(200)), encode_jpeg(picture(60))

pytestmark = pytest.mark.timeout(4 * GENEROUS_S)


class Workers:
    """One worker at a time; another one whenever it has died. Forked from a server that has imported what it needs."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._ends = threading.Event()
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.e2e.dying_worker"])
        self.deaths = 0

    def run(self) -> None:
        while not self._ends.is_set():
            process = self._context.Process(target=main, args=(self._url,), daemon=True)
            process.start()
            while process.is_alive() and not self._ends.wait(0.05):
                pass
            self.deaths += process.exitcode == -signal.SIGKILL
            process.terminate()
            process.join(GENEROUS_S)
            process.close()

    @contextmanager
    def working(self) -> Iterator[None]:
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            yield
        finally:
            self._ends.set()
            thread.join(2 * GENEROUS_S)
        assert not thread.is_alive()


class Scene:
    """Frames of one camera, each offered when the one before has been dealt with, so that no time is left out."""

    def __init__(self, client: redis.Redis, hold: Hold) -> None:
        self._client = client
        self._hold = hold
        self._queue = FrameQueue(client)
        self._number = 0

    def frame(self, jpeg: bytes) -> None:
        self._number += 1
        name, time_s = self._hold.camera, self._number / 5
        offer = Offer(name, self._hold.epoch, f"{name}-{self._number}", jpeg, (640, 360), 0.0, time_s)
        self._queue.offer(offer)
        wait_for(self._is_dealt_with, GENEROUS_S, f"frame {self._number} of {name}")

    def _is_dealt_with(self) -> bool:
        seen = count(self._client, self._hold.camera)
        return seen.analysed + seen.dropped["lease_lost"] == self._number

    def play(self, jpeg: bytes, kind: EventKind) -> None:
        """Show a picture until an event of a kind is counted."""
        for _ in range(100):
            self.frame(jpeg)
            if count(self._client, self._hold.camera).events[kind.value]:
                return
        raise AssertionError(f"no {kind.value} within 20 s of film")

    def end(self) -> None:
        CameraBook(self._client).end(self._hold)
        wait_for(lambda: sum(count(self._client, self._hold.camera).people.values()) == 1, GENEROUS_S, "the end")


def recorded(client: redis.Redis) -> list[Record]:
    return [unpack_record(entry.data) for entry in EventLog(client).read("me", 1000, 0.1)]


def test_what_killed_workers_said_is_said_again_under_the_same_ids() -> None:
    with redis_server() as url, connect(url, blocking=True) as client:
        book = CameraBook(client)
        book.register([CameraInfo(name, snapshots=Snapshots.BLURRED, rules=(RULE,)) for name in CAMERAS])
        holds = [book.hold(name, "ingest") for name in CAMERAS]
        workers = Workers(url)
        with workers.working():
            for hold in holds:
                assert hold is not None
                scene = Scene(client, hold)
                scene.play(BARE, EventKind.VIOLATION_STARTED)
                scene.play(MASKED, EventKind.VIOLATION_ENDED)
                scene.end()
        records = recorded(client)
        once = {record.id: record for record in records}
        assert workers.deaths >= 3 * len(CAMERAS)
        assert len(records) > len(once), "half of the workers died after they had said it"
        assert client.scard(DEATHS) == len(once)
        for name in CAMERAS:
            own = [record for record in once.values() if record.camera == name]
            kinds = Counter(record.kind for record in own if isinstance(record, Event))
            people = [record.verdict for record in own if isinstance(record, PersonClosed)]
            assert kinds == {EventKind.VIOLATION_STARTED: 1, EventKind.VIOLATION_ENDED: 1}
            assert people == [Verdict.WITH_MASK]
            # What was committed is what is on record.
            seen = count(client, name)
            assert {kind: number for kind, number in seen.events.items() if number} == {
                kind.value: number for kind, number in kinds.items()
            }
            assert seen.people["with_mask"] == 1
