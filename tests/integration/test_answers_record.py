"""The site and the report on a real database, as a recorder leaves it."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from maskwatch.blobs import BlobStore
from maskwatch.errors import ConfigError
from maskwatch.events import Event, PersonClosed
from maskwatch.settings import Settings, parse_settings
from maskwatch.store import Store
from maskwatch.types import EventKind, Verdict
from tests.support import ROOT
from tests.support_answers import FakeRecords, some_weeks
from tests.support_bus import FakeBus, camera_view, jpeg_of
from tests.support_feed import picture
from tests.support_postgres import record_url_in
from web.answers.kept import kept_records
from web.answers.report_verb import report as report_verb
from web.app import create_app
from web.site import site_of

pytestmark = pytest.mark.timeout(600)

LAST = date(2026, 10, 31)
"""The clocks are put back on the 25th, in the middle of the two weeks."""
WEEKS = "from=2026-10-18&to=2026-10-31"
RECORDS, KEYS = some_weeks(LAST, share=0.2)
EVENTS = [record for record in RECORDS if isinstance(record, Event)]
PEOPLE = [record for record in RECORDS if isinstance(record, PersonClosed)]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def state(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of state, and in it the address of the record, which is in each kind of database once."""
    folder = tmp_path_factory.mktemp("state")
    url = record_url_in(request, folder)
    (folder / "address").write_text(url)
    with Store(url) as store:
        store.upgrade()
        store.record(RECORDS)
    blobs = BlobStore(folder / "blobs", 64 << 20)
    for key in KEYS[1:]:
        blobs.put(key, jpeg_of(picture(3)))
    return folder


def configuration(folder: Path) -> str:
    address = folder / "address"
    url = address.read_text() if address.exists() else f"sqlite:///{folder / 'record.db'}"
    return f"state_dir: {folder}\nstore: {{url: '{url}'}}\nweb: {{timezone: Europe/Berlin}}\n"


def settings_in(folder: Path) -> Settings:
    return parse_settings(configuration(folder), {})


@pytest.fixture(scope="module")
def browser(state: Path) -> Iterator[FlaskClient]:
    settings = settings_in(state)
    with closing(kept_records(settings)) as records:
        app = create_app(settings, FakeBus([camera_view("entrance")]), records)
        yield app.test_client()
        site_of(app).hub.close()


def ask(browser: FlaskClient, path: str) -> Any:
    answer = browser.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json


def test_all_people_are_in_the_total_once(browser: FlaskClient) -> None:
    expected = Counter(person.verdict.value for person in PEOPLE if not person.zone)
    total = ask(browser, f"/api/v1/compliance?{WEEKS}")["total"]
    assert {verdict.value: total[verdict.value] for verdict in Verdict} == dict(expected)


@pytest.mark.parametrize("by", ["day", "camera,zone", "weekday,hour", "zone,camera,day"])
def test_database_answers_what_counting_by_hand_answers(browser: FlaskClient, by: str) -> None:
    app = create_app(settings_in(Path("unused")), FakeBus(), FakeRecords(RECORDS))
    try:
        for where in ("&camera=entrance,ward-3&tz=Asia/Kathmandu", "&zone=door", "&to=2026-10-25T02:30%2B01:00"):
            query = f"{WEEKS.partition('&')[0] if '&to' in where else WEEKS}{where}&by={by}"
            path = f"/api/v1/compliance?{query}"
            assert ask(browser, path) == ask(app.test_client(), path)
    finally:
        site_of(app).hub.close()


def test_parts_add_up_to_the_whole(browser: FlaskClient) -> None:
    whole = ask(browser, f"/api/v1/compliance?{WEEKS}&by=day")
    assert sum(row["known"] + row["unknown"] for row in whole["items"]) == sum(
        whole["total"][name] for name in ("known", "unknown")
    )
    assert [row["day"] for row in whole["items"]] == sorted(row["day"] for row in whole["items"])
    assert len(whole["items"]) == 14


def test_all_events_are_found_by_paging_and_in_csv(browser: FlaskClient) -> None:
    found: list[str] = []
    after = ""
    while True:
        page = ask(browser, f"/api/v1/events?{WEEKS}&limit=70&after={after}")
        found += [item["id"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert len(found) == len(EVENTS)
    assert set(found) == {str(event.id) for event in EVENTS}
    rows = list(csv.DictReader(io.StringIO(browser.get(f"/api/v1/events?{WEEKS}&format=csv").text)))
    assert [row["id"] for row in rows] == found


def test_cursor_that_is_none_is_told(browser: FlaskClient) -> None:
    answer = browser.get("/api/v1/events?after=nonsense")
    assert answer.status_code == 400
    assert "after: expected `next` of an earlier answer" in answer.text


def test_pictures_come_from_the_kept_files_and_go_with_them(browser: FlaskClient) -> None:
    with_picture = {event.snapshot: event for event in EVENTS if event.snapshot}
    kept, gone = with_picture[KEYS[1]], with_picture[KEYS[0]]
    answer = browser.get(f"/api/v1/events/{kept.id}/snapshot.jpg")
    assert (answer.status_code, answer.data[:2]) == (200, b"\xff\xd8")
    assert browser.get(f"/api/v1/events/{gone.id}/snapshot.jpg").status_code == 410


@pytest.mark.parametrize("path", [f"/compliance?{WEEKS}", f"/events?{WEEKS}", f"/compliance/report?{WEEKS}"])
def test_pages_are_made_of_the_database(browser: FlaskClient, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 200
    assert "cafeteria" in answer.text


def test_many_ask_at_once(browser: FlaskClient) -> None:
    codes: list[int] = []

    def ask_some() -> None:
        codes.extend(browser.application.test_client().get(f"/events?{WEEKS}").status_code for _ in range(2))

    threads = [threading.Thread(target=ask_some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert codes == [200] * 8


def test_database_without_tables_says_who_makes_them(tmp_path: Path) -> None:
    app = create_app(settings_in(tmp_path), FakeBus())
    answer = app.test_client().get("/compliance", headers={"Accept": "text/html"})
    site_of(app).hub.close()
    assert answer.status_code == 503
    assert "maskwatch recorder" in answer.text


def test_database_without_records_says_so(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path / 'record.db'}") as store:
        store.upgrade()
    records = kept_records(settings_in(tmp_path))
    assert records.is_empty()
    app = create_app(settings_in(tmp_path), FakeBus())
    page = app.test_client().get("/compliance").text
    site_of(app).hub.close()
    assert "Nobody has been counted yet" in page


def config_for(state: Path, folder: Path) -> Path:
    config = folder / "cameras.yaml"
    config.write_text(configuration(state))
    return config


def report(state: Path, out: Path, *words: str) -> Result:
    return CliRunner().invoke(
        report_verb, ["--config", str(config_for(state, out.parent)), "--out", str(out), *words], env={"TZ": "UTC"}
    )


def test_report_is_one_file_that_says_what_the_database_says(state: Path, tmp_path: Path, browser: FlaskClient) -> None:
    words = [
        "--config",
        str(config_for(state, tmp_path)),
        "--out",
        str(tmp_path / "weeks.html"),
        "--from",
        "2026-10-18",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "maskwatch", "report", *words, "--to", "2026-10-31"],
        capture_output=True, text=True, timeout=250, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    total = ask(browser, f"/api/v1/compliance?{WEEKS}")["total"]
    known = f"{total['known']:,}".replace(",", "\u202f")
    assert f"{100 * total['compliance']:.0f}\u202f% of {known} people wore a mask properly" in done.stdout
    page = (tmp_path / "weeks.html").read_text()
    assert f"of <b>{known}</b> people" in page
    for banned in ("http://", "https://", "<script", "<link", " src=", "url("):
        assert banned not in page
    ended = Counter(event.camera for event in EVENTS if event.kind is EventKind.VIOLATION_ENDED)
    assert f"<b>{ended['cafeteria']}</b>" in page
    assert [path.name for path in tmp_path.iterdir() if "weeks" in path.name] == ["weeks.html"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--from", "soon"], "from: expected a day such as"),
        (["--by", "colour"], "by: expected camera"),
        (["--tz", "Mars"], "tz: expected the name"),
    ],
)
def test_wrong_wish_says_so_and_leaves_no_file(state: Path, tmp_path: Path, words: list[str], said: str) -> None:
    done = report(state, tmp_path / "r.html", *words)
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception).startswith(said)
    assert not (tmp_path / "r.html").exists()


def test_report_of_a_place_and_a_day(state: Path, tmp_path: Path) -> None:
    words = [
        "--from",
        "2026-10-25",
        "--to",
        "2026-10-25",
        "--camera",
        "ward-3",
        "--camera",
        "entrance",
        "--by",
        "camera",
    ]
    done = report(state, tmp_path / "day.html", *words)
    assert done.exit_code == 0, done.output
    page = (tmp_path / "day.html").read_text()
    assert "Sunday 25 October 2026" in page
    assert "ward-3, entrance" in page
    assert "cafeteria" not in page


def test_report_into_a_folder_that_is_not_there_says_so(state: Path, tmp_path: Path) -> None:
    done = report(state, tmp_path / "r.html", "--out", str(tmp_path / "nowhere" / "r.html"))
    assert isinstance(done.exception, ConfigError)
    assert "nowhere/r.html: No such file or directory; expected a file in a folder that is there" in str(done.exception)
