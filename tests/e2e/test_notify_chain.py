"""From a record in the stream to receivers, through the processes as a user starts them; one is slow, one dead."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import redis

from maskwatch.broker.connect import connect
from maskwatch.broker.events import EventLog, Snapshots
from maskwatch.events import Event
from maskwatch.jobs import JobBook
from maskwatch.settings import load_settings
from maskwatch.store import Store
from maskwatch.types import EventKind
from tests.support import free_port, wait_for
from tests.support_receivers import SECRET, Broker, Hook, Mails, broker, hook, mails, silent
from tests.support_records import an_event
from tests.support_redis import redis_server

pytestmark = pytest.mark.timeout(700)

GENEROUS_S = 200.0
CONFIG = """
redis: {{live: '{redis}', durable: '{redis}/1'}}
state_dir: {folder}/state
log: {{level: warning}}
notify:
  receivers:
    dead: {{webhook: 'http://127.0.0.1:{dead}/x', secret: {secret}, cooldown_s: 0}}
    slow: {{webhook: 'http://127.0.0.1:{slow}/x', secret: {secret}, cooldown_s: 0}}
    hook: {{webhook: '{hook}', secret: {secret}, cooldown_s: 0}}
    ward: {{apprise: '{mail}', cooldown_s: 0}}
    broker: {{mqtt: '{mqtt}', cooldown_s: 0}}
"""


class Room:
    """An installation with five receivers, two of which don't answer."""

    def __init__(self, folder: Path, redis_url: str, slow: int, taker: Hook, post: Mails, broker: Broker) -> None:
        self.taker, self.post, self.broker = taker, post, broker
        base = redis_url.rpartition("/")[0]
        self.config = folder / "cameras.yaml"
        self.config.write_text(
            CONFIG.format(
                redis=base, folder=folder, dead=free_port(), slow=slow, secret=SECRET, hook=taker.url,
                mail=post.apprise, mqtt=broker.url,
            )
        )  # fmt: skip
        self.settings = load_settings(self.config, {})
        self.durable = f"{base}/1"
        self.live = base

    @contextmanager
    def process(self, verb: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a verb and end it as an operator would."""
        environ = {key: value for key, value in os.environ.items() if not key.startswith("MASKWATCH_")}
        command = [sys.executable, "-m", "maskwatch", verb, "--config", str(self.config)]
        process = subprocess.Popen(command, env=environ)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)

    def happen(self, client: redis.Redis, count: int) -> list[Event]:
        """Let violations begin, with pictures, as workers say it."""
        with connect(self.live) as live:
            now = datetime.now(UTC)
            events = [
                an_event(number, id=uuid4(), kind=EventKind.VIOLATION_STARTED, time_utc=now, snapshot=uuid4().hex)
                for number in range(count)
            ]
            for event in events:
                Snapshots(live).put(str(event.snapshot), b"\xff\xd8jpeg", 3600)
        EventLog(client).add(events)
        return events

    def told(self, events: list[Event]) -> bool:
        """Return whether the three that answer have been told of all of these."""
        wanted = {str(event.id) for event in events}
        by_mail = "".join(str(mail) for mail in self.post.got)
        by_mqtt = b"".join(body for _topic, body in self.broker.got)
        return (
            wanted <= set(self.taker.ids)
            and len(self.post.got) >= len(events)
            and bool(by_mail)
            and all(id_.encode() in by_mqtt for id_ in wanted)
        )


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with (
        redis_server() as url,
        silent() as slow,
        hook() as taker,
        mails() as post,
        broker() as running,
        running.listening(),
    ):
        yield Room(tmp_path, url, slow, taker, post, running)


def over(client: redis.Redis) -> bool:
    """Tell whether nobody speaks with those who answer: what a dead process spoke with waits for two minutes."""
    jobs = [JobBook(client).get(f"notify-{name}") for name in ("hook", "ward", "broker")]
    return all(job is not None and job.state.is_over for job in jobs)


@pytest.mark.slow
def test_everybody_who_answers_is_told_whoever_else_does_not(room: Room) -> None:
    with connect(room.durable) as client, room.process("recorder"), room.process("jobs") as jobs:
        first = room.happen(client, 3)
        # The recorder waits for nobody: it is done while the slow one is spoken to.
        wait_for(lambda: EventLog(client).backlog().records == 0, GENEROUS_S, "the recorder to be done")
        wait_for(lambda: room.told(first), GENEROUS_S, "everybody who answers to be told")
        wait_for(lambda: over(client), GENEROUS_S, "their jobs to be over")
        jobs.kill()  # its children end with it, also the one that speaks with the slow receiver
        jobs.wait(10)
        second = room.happen(client, 2)
        wait_for(lambda: EventLog(client).backlog().records == 0, GENEROUS_S, "the recorder to be done")
        with room.process("jobs"):
            wait_for(lambda: room.told(first + second), GENEROUS_S, "the next process to tell the rest")
    assert room.taker.forged == 0
    assert {one["id"] for one in room.taker.genuine} == {str(event.id) for event in first + second}
    assert all(one["snapshot"] is not None for one in room.taker.genuine)
    with Store(room.settings.record_url) as store:
        views = {view.name: view for view in store.outbox.receivers()}
    for name in ("hook", "ward", "broker"):
        assert (views[name].counts["sent"], views[name].waiting) == (5, 0), name
    for name in ("dead", "slow"):
        assert (views[name].counts["sent"], views[name].waiting) == (0, 5), name
        assert views[name].failures >= 1


def test_verb_jobs_ends_soon_although_a_receiver_is_slow(room: Room) -> None:
    with connect(room.durable) as client, room.process("recorder"), room.process("jobs") as jobs:
        room.happen(client, 1)
        wait_for(lambda: room.taker.ids, GENEROUS_S, "somebody to be told")
        began = time.monotonic()
        jobs.terminate()
        jobs.wait(60)
        assert time.monotonic() - began < 30
