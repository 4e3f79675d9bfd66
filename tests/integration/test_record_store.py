"""The record in real databases, SQLite and PostgreSQL: the same tests for both."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4, uuid5
from zoneinfo import ZoneInfo

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from maskwatch.errors import MaskwatchError, RecordRefused, StoreDown, StoreError, WireError
from maskwatch.events import Event, PersonClosed, Record
from maskwatch.store import By, EventFilter, Recorded, Rejected, Retention, Store
from maskwatch.store.engine import store_url
from maskwatch.store.migrate import newest_version
from maskwatch.store.schema import Base
from maskwatch.types import EventKind, Severity, Verdict
from tests.support import free_port
from tests.support_postgres import Postgres

NOON = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
ALWAYS = (NOON - timedelta(days=1000), NOON + timedelta(days=1000))
BERLIN = ZoneInfo("Europe/Berlin")
NAMESPACE = UUID(int=7)


@pytest.fixture
def url(each_record_url: str) -> str:
    return each_record_url


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store(url) as store:
        store.upgrade()
        yield store


def event(number: int, **fields: object) -> Event:
    values: dict[str, object] = {
        "id": uuid5(NAMESPACE, f"event {number}"),
        "kind": EventKind.VIOLATION_ENDED,
        "camera": "lobby",
        "epoch": "abc",
        "zone": "door",
        "rule": "masks",
        "severity": Severity.WARNING,
        "time_utc": NOON + timedelta(seconds=number),
        "track_id": number,
        "duration_s": 1.5,
        "verdict": Verdict.WITHOUT_MASK,
        "looks": 7,
        "scores": (0.1, 0.7, 0.2),
        "note": "Straße 🙂",
        "snapshot": f"picture-{number}.jpg",
    }
    return Event(**(values | fields))  # type: ignore[arg-type]


def person(
    number: int, verdict: Verdict = Verdict.WITH_MASK, *, camera: str = "lobby", zone: str = "", at: datetime = NOON
) -> PersonClosed:
    return PersonClosed(uuid5(NAMESPACE, f"person {number} {camera} {zone}"), camera, zone, verdict, at)


def crowd(with_mask: int, without: int, incorrect: int, unknown: int) -> list[PersonClosed]:
    verdicts = [Verdict.WITH_MASK] * with_mask + [Verdict.WITHOUT_MASK] * without
    verdicts += [Verdict.INCORRECT_MASK] * incorrect + [Verdict.UNKNOWN] * unknown
    return [person(number, verdict) for number, verdict in enumerate(verdicts)]


def test_migrations_make_the_tables_of_the_models(url: str, store: Store) -> None:
    assert store.schema_version() == newest_version()
    engine = create_engine(store_url(url))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_upgrade_again_changes_nothing(store: Store) -> None:
    store.record([event(1)])
    store.upgrade()
    assert len(store.events().rows) == 1


def test_upgrade_by_several_at_once_makes_one_set_of_tables(url: str) -> None:
    stores = [Store(url) for _ in range(4)]
    problems: list[Exception] = []

    def make(store: Store) -> None:
        try:
            store.upgrade()
        except MaskwatchError as error:
            problems.append(error)

    threads = [threading.Thread(target=make, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []
    assert stores[0].schema_version() == newest_version()
    for store in stores:
        store.close()


def test_tables_of_a_newer_version_are_left_alone(url: str, store: Store) -> None:
    engine = create_engine(store_url(url))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreError, match=r"version 9999.*run the newer Maskwatch"):
        store.upgrade()


def test_database_that_cannot_hold_every_text_is_refused(postgres: Postgres) -> None:
    with (
        Store(postgres.make_database(f"test-{uuid4().hex}", "LATIN1")) as store,
        pytest.raises(StoreError, match="UTF8"),
    ):
        store.upgrade()


def test_record_without_tables_says_who_makes_them(url: str) -> None:
    with Store(url) as store:
        assert store.schema_version() is None
        with pytest.raises(StoreError, match="maskwatch recorder"):
            store.events()


def test_event_is_read_as_it_was_recorded(store: Store) -> None:
    full = event(1)
    bare = event(
        2, track_id=None, duration_s=None, verdict=None, looks=0, scores=(), note="", snapshot=None, zone="", rule="",
        kind=EventKind.CAMERA_OFFLINE, time_utc=datetime(2026, 3, 29, 3, 30, 0, 123456, tzinfo=BERLIN),
    )  # fmt: skip
    huge = event(3, track_id=2**63 - 1, looks=2**63 - 1, people=2**63 - 1, duration_s=1e300, note="x" * 1024)
    store.record([full, bare, huge])
    for one in (full, bare, huge):
        assert store.event(one.id) == one
    assert store.event(UUID(int=1)) is None


def test_record_that_comes_again_counts_once(store: Store) -> None:
    records: list[Record] = [event(1), person(1), person(1, zone="door")]
    first = store.record([*records, person(1, Verdict.UNKNOWN)])
    assert first == Recorded(1, 2, 1, frozenset({records[0].id}))
    changed = person(1, Verdict.UNKNOWN, at=NOON + timedelta(hours=1))
    again = store.record([*records, changed, event(1, note="another"), event(2)])
    assert again == Recorded(1, 0, 5, frozenset({event(2).id}))
    (row,) = store.compliance(*ALWAYS)
    assert (row.with_mask, row.unknown) == (1, 0)
    assert store.event(records[0].id) == records[0]


@pytest.mark.parametrize("bad", [{"note": "a\0b"}, {"time_utc": datetime(9999, 12, 31, tzinfo=UTC)}])
def test_nothing_of_a_refused_batch_is_written(store: Store, bad: dict[str, object]) -> None:
    with pytest.raises(RecordRefused):
        store.record([event(1), person(1), event(2, **bad)])
    assert store.events().rows == ()
    assert store.compliance(*ALWAYS) == []


def test_recorders_that_write_the_same_at_once_count_once(url: str, store: Store) -> None:
    batches = [[record for n in range(lot * 40, lot * 40 + 60) for record in (event(n), person(n))] for lot in range(5)]
    problems: list[Exception] = []

    def record(order: int) -> None:
        with Store(url) as other:
            try:
                for batch in batches[order:] + batches[:order]:
                    other.record(batch[:: 1 if order % 2 else -1])
            except MaskwatchError as error:
                problems.append(error)

    threads = [threading.Thread(target=record, args=(order,)) for order in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []
    (row,) = store.compliance(*ALWAYS)
    assert row.with_mask == 220
    assert len(store.events(limit=1000).rows) == 220


def test_large_batch_is_written_in_parts(store: Store) -> None:
    records = [person(number, at=NOON + timedelta(minutes=number)) for number in range(1700)]
    assert store.record(records).people == 1700
    assert len(store.tallies(*ALWAYS)) == 1700


def test_events_are_paged_newest_first_and_pages_meet(store: Store) -> None:
    # Several at one instant: the page's border runs through them.
    events = [event(number, time_utc=NOON + timedelta(seconds=number // 7)) for number in range(50)]
    store.record(events)
    seen: list[Event] = []
    after = None
    while True:
        page = store.events(after=after, limit=6)
        seen += page.rows
        after = page.next
        if after is None:
            break
        assert len(page.rows) == 6
    assert sorted(one.id for one in seen) == sorted(one.id for one in events)
    times = [one.time_utc for one in seen]
    assert times == sorted(times, reverse=True)


def test_page_that_ends_exactly_has_no_next(store: Store) -> None:
    store.record([event(number) for number in range(6)])
    assert store.events(limit=6).next is None
    assert store.events(limit=5).next is not None


@pytest.mark.parametrize("after", ["", "x", "20260101T000000.0-zz", "20260101T000000.000000-" + "0" * 31])
def test_page_after_nothing_known_is_refused(store: Store, after: str) -> None:
    with pytest.raises(WireError, match="begin without"):
        store.events(after=after)


def test_events_are_filtered_by_each_field(store: Store) -> None:
    store.record(
        [
            event(0),
            event(1, camera="yard"),
            event(2, zone=""),
            event(3, kind=EventKind.CROWD),
            event(4, rule="hats"),
            event(5, severity=Severity.CRITICAL),
        ]
    )

    def numbers(wanted: EventFilter) -> list[int]:
        return sorted((one.track_id or 0) for one in store.events(wanted).rows)

    assert numbers(EventFilter(cameras=("yard",))) == [1]
    assert numbers(EventFilter(cameras=("yard", "lobby"))) == [0, 1, 2, 3, 4, 5]
    assert numbers(EventFilter(zones=("",))) == [2]
    assert numbers(EventFilter(kinds=(EventKind.CROWD,))) == [3]
    assert numbers(EventFilter(rules=("hats",), cameras=("lobby",))) == [4]
    assert numbers(EventFilter(severity=(Severity.CRITICAL,))) == [5]
    since, until = NOON + timedelta(seconds=2), NOON + timedelta(seconds=4)
    assert numbers(EventFilter(since=since, until=until.astimezone(BERLIN))) == [2, 3]
    assert numbers(EventFilter(cameras=("'; DROP TABLE events; --",))) == []


def test_compliance_is_the_share_of_those_who_are_known(store: Store) -> None:
    store.record(crowd(8, 1, 1, 10))
    (row,) = store.compliance(*ALWAYS)
    assert (row.with_mask, row.without_mask, row.incorrect_mask, row.unknown) == (8, 1, 1, 10)
    assert (row.known, row.people) == (10, 20)
    assert row.compliance == pytest.approx(0.8)
    assert row.unknown_share == pytest.approx(0.5)
    assert (row.low, row.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert (row.camera, row.zone, row.hour, row.weekday, row.day) == (None, None, None, None, None)


def test_compliance_of_nobody_known_is_none_rather_than_zero(store: Store) -> None:
    assert store.compliance(*ALWAYS) == []
    store.record(crowd(0, 0, 0, 3))
    (row,) = store.compliance(*ALWAYS)
    assert (row.compliance, row.low, row.high, row.unknown_share) == (None, None, None, 1.0)


def test_person_in_two_zones_counts_once_for_the_camera(store: Store) -> None:
    store.record([person(1), person(1, zone="door"), person(1, zone="desk"), person(2, camera="yard")])
    (total,) = store.compliance(*ALWAYS)
    assert total.people == 2
    rows = store.compliance(*ALWAYS, by=("camera", "zone"))
    assert [(row.camera, row.zone, row.people) for row in rows] == [
        ("lobby", "", 1), ("lobby", "desk", 1), ("lobby", "door", 1), ("yard", "", 1),
    ]  # fmt: skip
    (door,) = store.compliance(*ALWAYS, zones=["door"])
    assert door.people == 1
    (yard,) = store.compliance(*ALWAYS, cameras=["yard"], by=[By.CAMERA])
    assert (yard.camera, yard.people) == ("yard", 1)


def test_hours_and_days_are_those_of_the_time_zone(store: Store) -> None:
    # On 2026-03-29 at 01:00 UTC clocks in Berlin go from 02:00 to 03:00.
    moments = ["2026-03-28T22:59", "2026-03-28T23:00", "2026-03-29T00:59", "2026-03-29T01:00"]
    store.record([person(n, at=datetime.fromisoformat(text).replace(tzinfo=UTC)) for n, text in enumerate(moments)])
    rows = store.compliance(*ALWAYS, by=("day", "hour"), tz=BERLIN)
    assert [(row.day, row.hour, row.people) for row in rows] == [
        (date(2026, 3, 28), 23, 1), (date(2026, 3, 29), 0, 1), (date(2026, 3, 29), 1, 1), (date(2026, 3, 29), 3, 1),
    ]  # fmt: skip
    rows = store.compliance(*ALWAYS, by=("weekday",), tz=BERLIN)
    assert [(row.weekday, row.people) for row in rows] == [(5, 1), (6, 3)]
    # Nepal is 5:45 ahead.
    rows = store.compliance(*ALWAYS, by=("hour",), tz=ZoneInfo("Asia/Kathmandu"))
    assert [(row.hour, row.people) for row in rows] == [(4, 2), (6, 2)]


def test_range_takes_its_beginning_and_leaves_its_end(store: Store) -> None:
    store.record([person(n, at=NOON + timedelta(minutes=n, seconds=30)) for n in range(3)])
    (row,) = store.compliance(NOON + timedelta(minutes=1), NOON + timedelta(minutes=2))
    assert row.people == 1
    (tally,) = store.tallies(NOON + timedelta(minutes=1), NOON + timedelta(minutes=2))
    assert (tally.minute_utc, tally.camera, tally.zone) == (NOON + timedelta(minutes=1), "lobby", "")
    assert (tally.verdict, tally.people) == (Verdict.WITH_MASK, 1)


def test_key_given_twice_or_unknown_is_refused(store: Store) -> None:
    for by in (("hour", "hour"), ("moon",)):
        with pytest.raises(ValueError, match=r"hour|moon"):
            store.compliance(*ALWAYS, by=by)


def test_retention_removes_what_is_too_old_and_nothing_else(store: Store) -> None:
    def ago(days: float) -> datetime:
        return NOON - timedelta(days=days)

    events = [
        event(1, time_utc=ago(91)),
        event(2, time_utc=ago(31)),
        event(3, time_utc=ago(29)),
        event(4, snapshot=None),
    ]
    people = [person(5, at=ago(401)), person(6, at=ago(399)), person(6, at=ago(399), zone="door")]
    store.record(
        [*events, *people],
        [Rejected(UUID(int=1), ago(91), "old", b"x"), Rejected(UUID(int=2), ago(1), "new\0", b"\0\xff")],
    )
    purged = store.purge(Retention(events_days=90, snapshots_days=30, tallies_days=400), NOON)
    assert (purged.events, purged.tallies, purged.rejected) == (1, 1, 1)
    assert set(purged.snapshots) == {"picture-1.jpg", "picture-2.jpg"}
    left = {one.track_id: one.snapshot for one in store.events().rows}
    assert left == {2: None, 3: "picture-3.jpg", 4: None}
    assert [(tally.zone, tally.people) for tally in store.tallies(*ALWAYS)] == [("", 1), ("door", 1)]
    # Whoever was counted is known although the tally's time is long ago: the repeat is late, not new.
    assert store.record([person(5, at=ago(401))]).repeated == 1
    assert store.purge(Retention(90, 30, 400), NOON).snapshots == ()


def test_retention_goes_through_many_rows(store: Store) -> None:
    store.record([event(n, time_utc=NOON - timedelta(days=100)) for n in range(2100)])
    store.record([person(n, at=NOON - timedelta(days=500, minutes=n)) for n in range(2100)])
    assert not store.purge(Retention(90, 30, 400), NOON, budget_s=-1).is_all
    purged = store.purge(Retention(90, 30, 400), NOON)
    assert (purged.events, purged.tallies, len(purged.snapshots)) == (2100, 2100, 2100)
    assert purged.is_all
    assert store.events().rows == ()


def test_sqlite_record_is_for_its_owner_alone(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path / 'new' / 'record.db'}") as store:
        store.upgrade()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_database_that_is_away_is_told_without_its_password() -> None:
    with (
        Store(f"postgresql://me:s3cret@127.0.0.1:{free_port()}/records") as store,
        pytest.raises(StoreDown, match=r"127.0.0.1/records.*is it running") as told,
    ):
        store.record([event(1)])
    assert "s3cret" not in str(told.value)


def test_sqlite_in_a_folder_that_cannot_be_is_down(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        Store(f"sqlite:///{tmp_path / 'file' / 'record.db'}") as store,
        pytest.raises(StoreDown, match="can't be used"),
    ):
        store.upgrade()
