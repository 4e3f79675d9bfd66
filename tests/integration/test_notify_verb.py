"""`maskwatch notify` and the rounds that the jobs run, with a real record and a real receiver."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from maskwatch.blobs import BlobStore
from maskwatch.events import Event
from maskwatch.settings import Settings, load_settings
from maskwatch.store import Store
from maskwatch.types import EventKind
from tests.support import free_port
from tests.support_outbox import let_pass, states
from tests.support_receivers import SECRET, Hook, hook
from tests.support_records import an_event
from workers.notify import deliver, due
from workers.notify.drain import Drained

CONFIG = """
state_dir: {folder}/state
web: {{timezone: Europe/Berlin}}
notify:
  receivers:
    ward: {{webhook: '{url}', secret: {secret}, events: [violation_started], cooldown_s: 0}}
    gone: {{webhook: 'http://me:hunter2@127.0.0.1:{dead}/x', secret: {secret}}}
"""


class Room:
    """An installation with a receiver that answers and one that doesn't."""

    def __init__(self, folder: Path, taker: Hook) -> None:
        self.taker = taker
        self.config = folder / "cameras.yaml"
        self.config.write_text(CONFIG.format(folder=folder, url=taker.url, secret=SECRET, dead=free_port()))

    @property
    def settings(self) -> Settings:
        return load_settings(self.config, {})

    def happen(self, *events: Event) -> None:
        with Store(self.settings.record_url, self.settings.notify.audience) as store:
            store.upgrade()
            store.record(events)

    def notify(self, *words: str) -> subprocess.CompletedProcess[str]:
        environ = {key: value for key, value in os.environ.items() if not key.startswith("MASKWATCH_")}
        command = [sys.executable, "-m", "maskwatch", "notify", "--config", str(self.config), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=250, check=False, env=environ)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that speaks with receivers takes its time to begin on a busy machine."""
    monkeypatch.setattr("workers.notify.sending.START_S", 60.0)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with hook() as taker:
        yield Room(tmp_path, taker)


def event(number: int, kind: EventKind = EventKind.VIOLATION_STARTED, **fields: object) -> Event:
    return an_event(number, kind=kind, time_utc=datetime.now(UTC), **fields)


def test_test_says_what_happened_to_each(room: Room) -> None:
    done = room.notify("--test")
    assert done.returncode == 1
    sent, failed = done.stdout.splitlines()
    assert sent.startswith("sent   ward, http://127.0.0.1")
    assert "answered 204" in sent
    assert failed.startswith("FAILED gone, http://127.0.0.1")
    assert "Connection refused" in failed
    assert "hunter2" not in done.stdout + done.stderr
    assert [one["kind"] for one in room.taker.genuine] == ["test"]


def test_test_of_one_is_sent_to_nobody_else(room: Room) -> None:
    done = room.notify("--test", "ward", "--json")
    (item,) = json.loads(done.stdout)["items"]
    assert (done.returncode, item["name"], item["sent"]) == (0, "ward", True)
    assert not (room.config.parent / "state").exists()


def test_receiver_that_nobody_configured_is_a_wrong_command(room: Room) -> None:
    done = room.notify("--test", "nobody")
    assert done.returncode == 2
    assert "notify.receivers has ward, gone" in done.stderr
    room.config.write_text("")
    assert room.notify().returncode == 2


def test_status_says_what_waits_and_what_went_wrong(room: Room) -> None:
    fresh = room.notify()
    assert fresh.returncode == 0
    assert "ward, http://127.0.0.1" in fresh.stdout
    room.happen(event(1), event(2))
    deliver(room.settings, "ward")
    deliver(room.settings, "gone")
    done = room.notify("--json")
    ward, gone = json.loads(done.stdout)["items"]
    assert (ward["sent"], ward["waiting"], ward["failures_in_a_row"]) == (2, 0, 0)
    assert (gone["sent"], gone["waiting"], gone["failed"], gone["failures_in_a_row"]) == (0, 2, 2, 1)
    assert "Connection refused" in gone["reason"]
    assert done.returncode == 1
    assert "1 failures in a row" in room.notify().stdout


def test_round_tells_what_is_due_with_the_kept_picture(room: Room) -> None:
    BlobStore(room.settings.blobs_folder, 1_000_000).put("event-1.jpg", b"jpeg")
    room.happen(event(1, snapshot="event-1.jpg"), event(2, snapshot="event-lost.jpg"), event(3, EventKind.CROWD))
    assert due(room.settings) == ["gone", "ward"]
    assert deliver(room.settings, "ward") == Drained(sent=2)
    assert deliver(room.settings, "ward") == Drained()
    first, second = sorted(room.taker.genuine, key=lambda one: one["track_id"])
    assert first["snapshot"]["base64"] == "anBlZw=="
    assert second["snapshot"] is None
    assert first["time"].endswith(("+01:00", "+02:00"))
    assert due(room.settings) == ["gone"]


def test_dead_receiver_delays_no_other(room: Room) -> None:
    room.happen(*(event(number) for number in range(5)))
    assert deliver(room.settings, "gone").failed == 2
    assert deliver(room.settings, "ward").sent == 5
    assert due(room.settings) == []
    let_pass(room.settings.record_url, 20)
    assert due(room.settings) == ["gone"]


def test_receiver_that_comes_back_is_told_all(room: Room) -> None:
    room.taker.status = 503
    room.happen(event(1), event(2))
    assert deliver(room.settings, "ward").reason == "answered 503"
    room.taker.status = 200
    let_pass(room.settings.record_url, 20)
    assert deliver(room.settings, "ward") == Drained(sent=2)
    assert sorted(Counter(room.taker.ids).values()) == [2, 2]


def test_what_waits_for_a_receiver_that_was_taken_out_is_given_up(room: Room) -> None:
    room.happen(event(1))
    room.config.write_text(room.config.read_text().replace("    gone:", "    other:"))
    assert due(room.settings) == ["ward"]
    assert states(room.settings.record_url, "gone") == {
        1: ("given_up", "no receiver of this name is configured any more")
    }
    assert deliver(room.settings, "gone") == Drained()
