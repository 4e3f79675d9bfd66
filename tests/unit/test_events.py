"""Records travel as bytes without loss, and whatever else arrives is refused by name."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from maskwatch.errors import WireError
from maskwatch.events import Event, PersonClosed, Record, event_id, pack_record, person_id, unpack_record
from maskwatch.types import EventKind, Severity, Verdict

TIME = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
ENDED = Event(
    id=event_id("e1", 7, "door", EventKind.VIOLATION_ENDED, 0),
    kind=EventKind.VIOLATION_ENDED,
    camera="lobby",
    epoch="e1",
    zone="door",
    rule="door",
    severity=Severity.WARNING,
    time_utc=TIME,
    track_id=7,
    duration_s=12.5,
    verdict=Verdict.WITHOUT_MASK,
    looks=9,
    scores=(0.1, 0.8, 0.1),
    note="Tür",
    snapshot="lobby-e1-7",
)
OFFLINE = Event(
    id=event_id("e1", None, "", EventKind.CAMERA_OFFLINE, 3),
    kind=EventKind.CAMERA_OFFLINE,
    camera="lobby",
    epoch="e1",
    zone="",
    rule="",
    severity=Severity.CRITICAL,
    time_utc=TIME,
)
PERSON = PersonClosed(person_id("e1", 7, "door"), "lobby", "door", Verdict.UNKNOWN, TIME)


@pytest.mark.parametrize("record", [ENDED, OFFLINE, PERSON])
def test_record_survives_its_way(record: Record) -> None:
    assert unpack_record(pack_record(record)) == record


def test_time_of_another_zone_is_the_same_moment() -> None:
    local = replace(PERSON, time_utc=TIME.astimezone(timezone(timedelta(hours=2))))
    assert json.loads(pack_record(local))["time_utc"].endswith("+00:00")
    assert unpack_record(pack_record(local)) == PERSON


def test_id_is_the_same_for_the_same_event_and_differs_otherwise() -> None:
    kinds = (EventKind.VIOLATION_STARTED, EventKind.VIOLATION_ENDED)
    ids = [
        event_id(epoch, track, rule, kind, ordinal)
        for epoch in ("a", "a,1") for track in (None, 1, 12) for rule in ("", "1", "door") for kind in kinds
        for ordinal in (0, 1, 21)
    ]  # fmt: skip
    assert len(set(ids)) == len(ids)
    assert event_id("a", 1, "door", kinds[0], 0) == event_id("a", 1, "door", kinds[0], 0)
    assert person_id("a", 1, "") != person_id("a", 1, "door")


def test_ids_that_were_given_out_stay_what_they_were() -> None:
    assert str(ENDED.id) == "48c69285-b1b8-56f1-bb4a-972b67293231"
    assert str(PERSON.id) == "d70198c6-72fa-54db-b899-62a785cd64fb"


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (replace(ENDED, duration_s=float("nan")), "finite"),
        (replace(ENDED, time_utc=TIME.replace(tzinfo=None)), "time zone"),
        (replace(ENDED, note="x" * 2000), "note: expected text of at most"),
        (replace(ENDED, scores=(0.5, 0.5)), "scores: expected a list of 3"),
        (replace(PERSON, camera=""), "camera: expected a name"),
        (replace(ENDED, note="\ud800"), "valid"),
    ],
)
def test_what_no_reader_would_take_is_refused_where_it_is_made(record: Record, says: str) -> None:
    with pytest.raises(WireError, match=says):
        pack_record(record)


def changed(**fields: object) -> bytes:
    values: dict[str, Any] = json.loads(pack_record(ENDED))
    return json.dumps(values | fields).encode()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "expected JSON"),
        (b"\xff\x00", "expected JSON"),
        (b"[" * 15_000, "expected JSON"),
        (b" " * 20_000, "at most 16384 bytes"),
        (b"[]", "a JSON object"),
        (changed(version=2), "expected version 1, received 2; run the same version"),
        (changed(version=True), "expected version 1"),
        (changed(type="lorry"), "type: expected event or person, received 'lorry'"),
        (changed(kind="party"), "kind: expected one of camera_offline, .*received 'party'"),
        (changed(id="7"), "id: expected a UUID"),
        (changed(time_utc="yesterday"), "time_utc: expected a time in ISO 8601"),
        (changed(time_utc="2026-03-04T05:06:07"), "time_utc: .*with its time zone"),
        (changed(track_id=-1), "track_id: expected an integer"),
        (changed(track_id=True), "track_id: expected an integer"),
        (changed(duration_s="long"), "duration_s: expected a finite number"),
        (changed(duration_s=float("inf")), "duration_s: expected a finite number"),
        (changed(scores=[1, 2]), "scores: expected a list"),
        (changed(severity=None), "severity: expected one of"),
        (changed(note=None), "note: expected text"),
    ],
)
def test_other_bytes_are_refused_by_name(data: bytes, says: str) -> None:
    with pytest.raises(WireError, match=says):
        unpack_record(data)
