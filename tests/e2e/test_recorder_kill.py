"""Recorders, workers, both Redis and PostgreSQL killed at random while records flow: every record once, none lost.

What was handed over is written down in files of the test's own, which no server knows of. `KILL_TEST_S=120` kills for
longer than the usual seconds.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import NullPool, create_engine, func, select

from maskwatch.broker.connect import connect
from maskwatch.broker.events import EventLog, Snapshots
from maskwatch.broker.processes import ProcessBook
from maskwatch.errors import QueueError
from maskwatch.events import Event, PersonClosed, Record, unpack_record
from maskwatch.store import By, Store
from maskwatch.store.engine import store_url
from maskwatch.store.schema import CountedPerson, RecordedEvent, RejectedRecord
from maskwatch.types import Verdict
from tests.e2e.killed_worker import DONE, TRIED, be_worker
from tests.support import wait_for
from tests.support_doors import Doors
from tests.support_ingest import STOP_S
from tests.support_postgres import postgres_server
from tests.support_records import an_event, somebody
from tests.support_redis import redis_server
from tests.support_victims import RedisVictim, Staff, be_recorder

KILL_S = float(os.environ.get("KILL_TEST_S", "20"))
GENEROUS_S = 120.0
YESTERDAY = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=1)
"""When it all happens: retention is at work too, and takes what is too old."""

pytestmark = pytest.mark.timeout(KILL_S + 4 * GENEROUS_S)


class Producer(threading.Thread):
    """A worker's part: adds records until Redis has them, sometimes twice, and then writes down that they are there."""

    def __init__(self, durable_url: str, live_url: str) -> None:
        super().__init__(daemon=True)
        self._durable_url = durable_url
        self._live_url = live_url
        self._chance = random.Random(3)
        self.over = threading.Event()
        self.events: set[Event] = set()
        self.people: dict[Verdict, int] = dict.fromkeys(Verdict, 0)

    def run(self) -> None:
        number = 0
        with connect(self._durable_url) as client, connect(self._live_url) as live:
            log, snapshots = EventLog(client), Snapshots(live)
            while not self.over.is_set():
                records: list[Record] = []
                for _ in range(self._chance.randint(1, 4)):
                    number += 1
                    verdict = self._chance.choice(list(Verdict))
                    event = an_event(
                        number, id=uuid4(), snapshot=uuid4().hex, time_utc=YESTERDAY + timedelta(seconds=number)
                    )
                    snapshots.put(str(event.snapshot), f"picture {number}".encode(), 3600)
                    records += [event, somebody(number, verdict, at=event.time_utc)]
                self._add(log, records)
                if self._chance.random() < 0.1:
                    self._add(log, records[:1])  # as a worker does that died before it finished its turn
                for record in records:
                    if isinstance(record, Event):
                        self.events.add(record)
                    else:
                        self.people[record.verdict] += 1
                time.sleep(0.005)

    def _add(self, log: EventLog, records: list[Record]) -> None:
        while True:
            try:
                log.add(records)
                return
            except QueueError:
                time.sleep(0.02)


def _config(live_url: str, durable_url: str, folder: Path, record_url: str) -> str:
    return (
        f"redis: {{live: '{live_url}', durable: '{durable_url}'}}\nstate_dir: {folder / 'state'}\n"
        f"store: {{url: '{record_url}'}}\nlog: {{level: error}}\n"
    )


def _kill_at_random(victims: Mapping[str, Callable[[], None]], url: str) -> Counter[str]:
    """Kill for a while, each time when something has been recorded since; return how often whom."""
    chance = random.Random(11)
    ends = time.monotonic() + KILL_S
    names = list(victims)
    kills: Counter[str] = Counter()
    recorded = 0
    while time.monotonic() < ends or kills.total() < 2 * len(names):
        before = recorded
        recorded = wait_for(lambda: _more(url, before), GENEROUS_S, "something more to be recorded")  # noqa: B023
        time.sleep(chance.uniform(0, 0.5))
        # Everybody's turn comes, in no order.
        name = names[kills.total() % len(names)] if kills.total() < 2 * len(names) else chance.choice(names)
        victims[name]()
        kills[name] += 1
    return kills


def _query(url: str, *statements: Any) -> list[list[Any]]:
    """Ask the database itself, without the code that wrote it."""
    engine = create_engine(store_url(url), poolclass=NullPool)
    with engine.connect() as connection:
        return [list(connection.execute(statement).scalars()) for statement in statements]


def _more(url: str, than: int) -> int:
    counted = func.count()
    ((events,), (people,)) = _query(
        url, select(counted).select_from(RecordedEvent), select(counted).select_from(CountedPerson)
    )
    return events + people if events + people > than else 0


def _all_recorded(durable_url: str) -> None:
    with connect(durable_url) as client:
        log = EventLog(client)
        wait_for(lambda: log.backlog().records == 0, GENEROUS_S, "everything to be recorded")


def _events(store: Store) -> list[Event]:
    found: list[Event] = []
    after: str | None = ""
    while after is not None:
        page = store.events(after=after or None, limit=1000)
        found += page.rows
        after = page.next
    return found


def _assert_each_once(store: Store, producer: Producer, blobs: Path) -> int:
    found = _events(store)
    wanted = {event.id: event for event in producer.events}
    assert len(found) == len(wanted)
    assert {event.id for event in found} == set(wanted)
    (row,) = store.compliance(YESTERDAY, YESTERDAY + timedelta(days=10))
    assert {verdict: getattr(row, verdict.value) for verdict in Verdict} == producer.people
    for event in found:
        assert event.snapshot == f"event-{wanted[event.id].snapshot}.jpg"
    assert len([path for path in blobs.rglob("event-*.jpg")]) == len(found)
    return len(found)


@pytest.mark.slow
def test_killed_recorder_and_redis_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'record.db'}"
    durable = RedisVictim(tmp_path, keeps=True)
    durable.start()
    try:
        with redis_server() as live_url, Store(url) as store:
            staff = Staff([(be_recorder, (_config(live_url, durable.url, tmp_path, url), "recorder-0"))])
            producer = Producer(durable.url, live_url)
            try:
                producer.start()
                wait_for(store.schema_version, GENEROUS_S, "the recorder to make its tables")
                victims = {"recorder": lambda: staff.restart(0), "durable Redis": durable.restart}
                kills = _kill_at_random(victims, url)
                producer.over.set()
                producer.join(GENEROUS_S)
                assert not producer.is_alive()
                _all_recorded(durable.url)
            finally:
                producer.over.set()
                staff.end()
            count = _assert_each_once(store, producer, tmp_path / "state" / "blobs")
    finally:
        durable.kill()
    sys.stdout.write(f"{dict(kills)} kills, {count} events and as many people, each once\n")


@dataclass(frozen=True)
class Noted:
    """What the workers wrote down: all versions of each record that they began to hand over, and what they had."""

    tried: Mapping[UUID, list[Record]]
    done: frozenset[UUID]

    @classmethod
    def read(cls, logs: Sequence[Path]) -> Noted:
        tried: dict[UUID, list[Record]] = {}
        done: set[UUID] = set()
        for line in b"".join(log.read_bytes() for log in logs if log.exists()).splitlines(keepends=True):
            if not line.endswith(b"\n"):
                continue  # its writer was killed over it, so it hadn't handed anything over
            record = unpack_record(line[len(TRIED) :])
            if line.startswith(DONE):
                done.add(record.id)
            else:
                tried.setdefault(record.id, []).append(record)
        return cls(tried, frozenset(done))

    def of(self, kind: type[Record]) -> tuple[set[UUID], set[UUID]]:
        """Return the ids of what was handed over, and of what may have been."""
        ids = {id_ for id_, versions in self.tried.items() if isinstance(versions[0], kind)}
        return ids & self.done, ids


def _assert_as_noted(store: Store, url: str, noted: Noted, blobs: Path) -> tuple[int, int]:
    """Compare the record with what the workers noted; return the numbers of events and of people in it."""
    events, people, refused = _query(url, select(RecordedEvent.id), select(CountedPerson.id), select(RejectedRecord.id))
    assert refused == []
    for found, kind in ((events, Event), (people, PersonClosed)):
        handed_over, tried = noted.of(kind)
        assert len(found) == len(set(found))
        assert handed_over <= set(found), "lost"
        assert set(found) <= tried, "from nowhere"
    for event in _events(store):
        versions = [replace(one, snapshot=None) for one in noted.tried[event.id] if isinstance(one, Event)]
        assert replace(event, snapshot=None) in versions
        assert event.snapshot is None or list(blobs.rglob(event.snapshot))
    _assert_tallies(store, [noted.tried[id_] for id_ in people])
    return len(events), len(people)


def _assert_tallies(store: Store, people: Sequence[Sequence[Record]]) -> None:
    """Check the sums: a person about whom two workers said different things is in one or the other."""
    sure: Counter[tuple[str, str, Verdict]] = Counter()
    possible: Counter[tuple[str, str, Verdict]] = Counter()
    for versions in people:
        keys = {(one.camera, one.zone, one.verdict) for one in versions if isinstance(one, PersonClosed)}
        possible.update(keys)
        if len(keys) == 1:
            sure.update(keys)
    rows = store.compliance(YESTERDAY, YESTERDAY + timedelta(days=10), by=[By.CAMERA, By.ZONE])
    summed = Counter(
        {(str(row.camera), str(row.zone), one): getattr(row, one.value) for row in rows for one in Verdict}
    )
    assert summed.total() == len(people)
    assert sure <= summed <= possible


def test_everything_killed_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    durable, live = RedisVictim(tmp_path, keeps=True), RedisVictim(tmp_path, keeps=False)
    logs = [tmp_path / f"worker-{number}.log" for number in range(2)]
    with postgres_server() as postgres, Store(url := postgres.make_database("record")) as store, ExitStack() as stack:
        for server in (durable, live):
            server.start()
            stack.callback(server.kill)
        config = _config(live.url, durable.url, tmp_path, url)
        recorders = Staff([(be_recorder, (config, f"recorder-{number}")) for number in range(2)])
        stack.callback(recorders.end)
        workers = Staff([(be_worker, (live.url, durable.url, log)) for log in logs])
        stack.callback(workers.end)
        wait_for(store.schema_version, GENEROUS_S, "a recorder to make the tables")
        with Doors(live.url).open():
            kills = _kill_at_random(
                {
                    "recorder 1": lambda: recorders.restart(0),
                    "worker 1": lambda: workers.restart(0),
                    "durable Redis": durable.restart,
                    "live Redis": live.restart,
                    "PostgreSQL": postgres.restart,
                    "recorder 2": lambda: recorders.restart(1),
                    "worker 2": lambda: workers.restart(1),
                },
                url,
            )
        workers.end()
        _all_recorded(durable.url)
        noted = Noted.read(logs)
        events, people = _assert_as_noted(store, url, noted, tmp_path / "state" / "blobs")
    unsure = len(noted.tried) - len(noted.done)
    sys.stdout.write(f"{dict(kills)}: {events} events, {people} entries of people; {unsure} ids begun and not noted\n")


def test_recorder_verb_records_and_ends_on_sigterm(tmp_path: Path) -> None:
    with redis_server() as live_url:
        environ = {key: value for key, value in os.environ.items() if not key.startswith("MASKWATCH_")}
        environ |= {"MASKWATCH_REDIS": live_url, "MASKWATCH_STATE_DIR": str(tmp_path / "state")}
        process = subprocess.Popen([sys.executable, "-m", "maskwatch", "recorder", "--name", "r1"], env=environ)
        try:
            with connect(live_url) as client, Store(f"sqlite:///{tmp_path / 'state' / 'record.db'}") as store:
                EventLog(client).add([an_event(1, time_utc=YESTERDAY)])
                wait_for(lambda: EventLog(client).backlog().records == 0, GENEROUS_S, "the record to be written")
                assert [event.track_id for event in store.events().rows] == [1]
                assert [info.name for info in ProcessBook(client).list("recorder")] == ["r1"]
                process.send_signal(signal.SIGTERM)
                assert process.wait(STOP_S) == 0
                assert ProcessBook(client).list("recorder") == []
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait(10)
