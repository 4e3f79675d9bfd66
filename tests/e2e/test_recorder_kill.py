"""Recorders, the durable Redis and PostgreSQL killed at random while records flow: every record once, none lost.

The test keeps a log of its own of what was added. `KILL_TEST_S=120` kills for longer than the usual seconds.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from maskwatch.broker.connect import connect
from maskwatch.broker.events import Backlog, EventLog, Snapshots
from maskwatch.broker.processes import ProcessBook
from maskwatch.embedded import find_server
from maskwatch.errors import QueueError
from maskwatch.events import Event, Record
from maskwatch.service import Stop
from maskwatch.settings import parse_settings
from maskwatch.store import Store
from maskwatch.types import Verdict
from tests.support import free_port, wait_for
from tests.support_postgres import postgres_server
from tests.support_records import an_event, somebody
from tests.support_redis import redis_server

KILL_S = float(os.environ.get("KILL_TEST_S", "15"))
GENEROUS_S = 120.0
YESTERDAY = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=1)
"""When it all happens: retention is at work too, and takes what is too old."""

pytestmark = pytest.mark.timeout(KILL_S + 4 * GENEROUS_S)


class Durable:
    """A Redis with an append-only file that is written before each answer, killed and started at one address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        command = [str(find_server()), "--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        command += ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with connect(self.url) as client:
            wait_for(lambda: _answers(EventLog(client)), GENEROUS_S, "Redis to have read its file")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)


class Recorders:
    """Recorder processes that are killed and started again.

    They are forked from a server that has imported what they need, so that they live longer than they take to start.
    """

    def __init__(self, config: str, count: int) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["workers.recorder_process", "psycopg"])
        self._config = config
        self._processes = [self._start(number) for number in range(count)]

    def kill(self, number: int) -> None:
        """Kill one and start it again."""
        self._end(number)
        self._processes[number] = self._start(number)

    def end(self) -> None:
        for number in range(len(self._processes)):
            self._end(number)

    def count(self) -> int:
        return len(self._processes)

    def _start(self, number: int) -> multiprocessing.process.BaseProcess:
        process = self._context.Process(target=_be_recorder, args=(self._config, f"recorder-{number}"), daemon=True)
        process.start()
        return process

    def _end(self, number: int) -> None:
        process = self._processes[number]
        process.kill()
        process.join(10)
        process.close()


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


def _be_recorder(config: str, name: str) -> None:
    from workers.recorder_process import run

    run(parse_settings(config, {}), name, Stop())


def _answers(log: EventLog) -> Backlog | None:
    try:
        return log.backlog()
    except QueueError:
        return None


@contextmanager
def _stage(folder: Path, record_url: str, recorders: int) -> Iterator[tuple[Durable, Recorders, Producer]]:
    durable = Durable(folder)
    durable.start()
    try:
        with redis_server() as live_url:
            config = (
                f"redis: {{live: '{live_url}', durable: '{durable.url}'}}\nstate_dir: {folder / 'state'}\n"
                f"store: {{url: '{record_url}'}}\nlog: {{level: error}}\n"
            )
            staff = Recorders(config, recorders)
            producer = Producer(durable.url, live_url)
            try:
                producer.start()
                yield durable, staff, producer
            finally:
                producer.over.set()
                producer.join(GENEROUS_S)
                staff.end()
    finally:
        durable.kill()
        shutil.rmtree(folder / "appendonlydir", ignore_errors=True)


def _kill_at_random(victims: list[Callable[[], None]], store: Store) -> int:
    """Kill for a while, each time when something has been recorded since; return how often."""
    chance = random.Random(11)
    ends = time.monotonic() + KILL_S
    kills = 0
    recorded = 0
    while time.monotonic() < ends or kills < 2 * len(victims):
        before = recorded
        recorded = wait_for(lambda: _more(store, before), GENEROUS_S, "something more to be recorded")  # noqa: B023
        time.sleep(chance.uniform(0, 0.5))
        # Everybody's turn comes, in no order.
        victims[kills % len(victims) if kills < 2 * len(victims) else chance.randrange(len(victims))]()
        kills += 1
    return kills


def _more(store: Store, than: int) -> int:
    people = sum(row.people for row in store.compliance(YESTERDAY, YESTERDAY + timedelta(days=10)))
    return people if people > than else 0


def _assert_each_once(store: Store, durable: Durable, producer: Producer, blobs: Path) -> int:
    producer.over.set()
    producer.join(GENEROUS_S)
    assert not producer.is_alive()
    with connect(durable.url) as client:
        log = EventLog(client)
        wait_for(lambda: log.backlog().records == 0, GENEROUS_S, "everything to be recorded")
    found: list[Event] = []
    after: str | None = ""
    while after is not None:
        page = store.events(after=after or None, limit=1000)
        found += page.rows
        after = page.next
    wanted = {event.id: event for event in producer.events}
    assert len(found) == len(wanted)
    assert {event.id for event in found} == set(wanted)
    (row,) = store.compliance(YESTERDAY, YESTERDAY + timedelta(days=10))
    assert {verdict: getattr(row, verdict.value) for verdict in Verdict} == producer.people
    for event in found:
        assert event.snapshot == f"event-{wanted[event.id].snapshot}.jpg"
    assert len([path for path in blobs.rglob("event-*.jpg")]) == len(found)
    return len(found)


def test_killed_recorder_and_redis_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'record.db'}"
    with _stage(tmp_path, url, 1) as (durable, staff, producer), Store(url) as store:
        wait_for(store.schema_version, GENEROUS_S, "the recorder to make its tables")

        def restart_redis() -> None:
            durable.kill()
            durable.start()

        kills = _kill_at_random([lambda: staff.kill(0), restart_redis], store)
        count = _assert_each_once(store, durable, producer, tmp_path / "state" / "blobs")
    sys.stdout.write(f"{kills} kills, {count} events and as many people, each once\n")


def test_killed_postgresql_with_several_recorders_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    with postgres_server() as postgres:
        url = postgres.make_database("record")
        with _stage(tmp_path, url, 2) as (durable, staff, producer), Store(url) as store:
            wait_for(store.schema_version, GENEROUS_S, "a recorder to make the tables")

            def restart_redis() -> None:
                durable.kill()
                durable.start()

            def restart_postgres() -> None:
                postgres.kill()
                postgres.start()

            victims = [lambda: staff.kill(0), restart_redis, restart_postgres, lambda: staff.kill(1)]
            kills = _kill_at_random(victims, store)
            count = _assert_each_once(store, durable, producer, tmp_path / "state" / "blobs")
    sys.stdout.write(f"{kills} kills, {count} events and as many people, each once\n")


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
                assert process.wait(10) == 0
                assert ProcessBook(client).list("recorder") == []
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait(10)
