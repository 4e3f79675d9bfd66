"""The stream of records on real servers."""

from __future__ import annotations

import time

import pytest
import redis

from maskwatch.broker import keys
from maskwatch.broker.connect import connect
from maskwatch.broker.events import EventLog, Snapshots
from maskwatch.errors import BrokerDown, QueueError, StreamFull
from maskwatch.events import Record, unpack_record
from tests.support import free_port, wait_for
from tests.support_records import an_event, somebody


def test_records_come_out_as_they_went_in_and_in_order(each_redis: redis.Redis) -> None:
    log = EventLog(each_redis)
    records: list[Record] = [an_event(1, note="Straße"), somebody(1), an_event(2)]
    log.add(records[:2])
    log.add(records[2:])
    entries = log.read("a", 10, 0)
    assert [unpack_record(entry.data) for entry in entries] == records


def test_record_is_in_the_stream_until_it_is_acknowledged(each_redis: redis.Redis) -> None:
    log = EventLog(each_redis)
    log.add([an_event(number) for number in range(3)])
    entries = log.read("a", 10, 0)
    assert log.backlog().records == 3
    log.ack([entries[0].id, entries[2].id])
    assert log.backlog().records == 1
    log.ack([entries[1].id])
    assert log.backlog().records == 0
    assert each_redis.xpending(keys.RECORDS, "recorder")["pending"] == 0
    assert log.read("a", 10, 0) == []


def test_recorder_that_starts_again_gets_what_it_owes_first(each_redis: redis.Redis) -> None:
    before = EventLog(each_redis)
    before.add([an_event(number) for number in range(5)])
    owed = before.read("a", 3, 0)
    after = EventLog(each_redis)
    assert after.read("a", 2, 0) == owed[:2]
    after.ack([entry.id for entry in owed[:2]])
    assert after.read("a", 2, 0) == owed[2:]
    after.ack([owed[2].id])
    assert len(after.read("a", 5, 0)) == 2


def test_recorder_that_could_not_record_reads_again(each_redis: redis.Redis) -> None:
    log = EventLog(each_redis)
    log.add([an_event(1)])
    first = log.read("a", 10, 0)
    assert log.read("a", 10, 0) == []
    log.read_again("a")
    assert log.read("a", 10, 0) == first


def test_what_a_dead_recorder_held_goes_to_another(each_redis: redis.Redis) -> None:
    patient = EventLog(each_redis, claim_after_s=3600)
    patient.add([an_event(1), an_event(2)])
    dead = patient.read("dead", 10, 0)
    assert patient.read("alive", 10, 0) == []
    hasty = EventLog(each_redis, claim_after_s=0.2)
    taken = wait_for(lambda: hasty.read("alive", 10, 0.05), 60, "the dead one's entries")
    assert taken == dead


def test_two_recorders_share_what_is_new(each_redis: redis.Redis) -> None:
    log = EventLog(each_redis)
    log.add([an_event(number) for number in range(4)])
    one, other = log.read("a", 2, 0), log.read("b", 2, 0)
    assert len({entry.id for entry in one + other}) == 4


def test_full_stream_takes_nothing_and_all_again_once_there_is_room(each_redis: redis.Redis) -> None:
    log = EventLog(each_redis, most=3)
    log.add([an_event(1), an_event(2)])
    with pytest.raises(StreamFull, match=r"limit of 3.*maskwatch recorder"):
        log.add([an_event(3), an_event(4)])
    assert log.backlog().records == 2
    assert not log.backlog().is_full
    log.add([an_event(3)])
    assert log.backlog().is_full
    log.ack([entry.id for entry in log.read("a", 2, 0)])
    log.add([an_event(4)])
    assert log.backlog().records == 2


def test_records_from_before_the_first_recorder_are_read(each_redis: redis.Redis) -> None:
    EventLog(each_redis).add([an_event(1)])
    assert len(EventLog(each_redis).read("a", 10, 0)) == 1


def test_flushed_server_is_used_again(each_redis: redis.Redis) -> None:
    log = EventLog(each_redis)
    log.add([an_event(1)])
    log.read("a", 10, 0)
    each_redis.flushall()
    each_redis.script_flush()
    assert log.read("a", 10, 0) == []
    log.add([an_event(2)])
    assert len(log.read("a", 10, 0)) == 1


def test_reading_waits_for_something_new_and_no_longer(each_redis: redis.Redis) -> None:
    log = EventLog(each_redis)
    log.read("a", 10, 0)
    began = time.monotonic()
    assert log.read("a", 10, 0.3) == []
    assert 0.25 < time.monotonic() - began < 30


def test_backlog_tells_how_long_the_oldest_waits(each_redis: redis.Redis) -> None:
    log = EventLog(each_redis)
    assert (log.backlog().records, log.backlog().oldest_s) == (0, 0.0)
    log.add([an_event(1)])
    wait_for(lambda: log.backlog().oldest_s > 0.05, 60, "the record to age")
    assert log.backlog().oldest_s < 60


def test_recorder_that_leaves_or_is_silent_for_long_is_forgotten(
    each_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def known() -> set[bytes]:
        return set(idle_ms())

    def idle_ms() -> dict[bytes, int]:
        return {words["name"]: words["idle"] for words in each_redis.xinfo_consumers(keys.RECORDS, "recorder")}

    # Long enough for whoever reads on a busy machine.
    monkeypatch.setattr("maskwatch.broker.events._FORGET_AFTER_S", 1.0)
    log = EventLog(each_redis, claim_after_s=30)
    log.add([an_event(1), an_event(2)])
    first = log.read("owes", 1, 0)
    log.ack([entry.id for entry in log.read("silent", 1, 0)])
    wait_for(lambda: idle_ms()[b"silent"] > 1000, 60, "its silence")
    EventLog(each_redis, claim_after_s=30).read("new", 1, 0)
    assert known() == {b"owes", b"new"}
    log.leave("owes")
    assert known() == {b"owes", b"new"}
    log.ack([entry.id for entry in first])
    log.leave("owes")
    log.leave("nobody")
    assert known() == {b"new"}


def test_leaving_a_server_without_a_stream_is_fine(each_redis: redis.Redis) -> None:
    EventLog(each_redis).leave("a")


def test_strange_entry_is_read_like_any_other(each_redis: redis.Redis) -> None:
    each_redis.xadd(keys.RECORDS, {"r": b"\xff\0poison"})
    each_redis.xadd(keys.RECORDS, {"other": b"field"})
    assert [entry.data for entry in EventLog(each_redis).read("a", 10, 0)] == [b"\xff\0poison", b""]


def test_server_that_is_away_is_told() -> None:
    with connect(f"redis://127.0.0.1:{free_port()}/0") as client:
        log = EventLog(client)
        for ask in (lambda: log.add([an_event(1)]), lambda: log.read("a", 1, 0), log.backlog, lambda: log.ack(["1-1"])):
            with pytest.raises(BrokerDown):
                ask()
        log.add([])


def test_snapshot_can_be_taken_until_it_runs_out(each_redis: redis.Redis) -> None:
    snapshots = Snapshots(each_redis)
    snapshots.put("a.jpg", b"picture", ttl_s=60)
    snapshots.put("b.jpg", b"short", ttl_s=0.05)
    assert snapshots.get(["a.jpg", "never.jpg"]) == {"a.jpg": b"picture"}
    wait_for(lambda: "b.jpg" not in snapshots.get(["a.jpg", "b.jpg"]), 60, "it to run out")
    assert snapshots.get([]) == {}


@pytest.mark.parametrize("key", ["", "../etc", "a/b", ".hidden", "a" * 129, "a\nb", "a\0"])
def test_snapshot_under_an_unsafe_name_is_refused(each_redis: redis.Redis, key: str) -> None:
    with pytest.raises(QueueError, match="expected letters"):
        Snapshots(each_redis).put(key, b"picture", 1)
