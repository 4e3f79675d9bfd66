from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from maskwatch.broker.events import Backlog
from maskwatch.events import Event, event_id
from maskwatch.settings import parse_settings
from maskwatch.types import EventKind, Severity, Verdict
from tests.support_answers import FakeRecords, closed, violation
from tests.support_bus import FakeBus, camera_view
from web.answers.pages import without_told_beginnings
from web.app import create_app
from web.site import site_of

MORNING = datetime(2026, 11, 9, 8, 0, tzinfo=UTC)
WEEK = "from=2026-11-09&to=2026-11-15"
ENDED = event_id("entrance-e", 900, "door", EventKind.VIOLATION_ENDED, 0)
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def people() -> Iterator[Any]:
    """Yield 40 people: 27 properly, 9 without, 3 wrongly and 1 unknown; one a day apart in zone door."""
    verdicts = [Verdict.WITH_MASK] * 27 + [Verdict.WITHOUT_MASK] * 9 + [Verdict.INCORRECT_MASK] * 3 + [Verdict.UNKNOWN]
    for number, verdict in enumerate(verdicts):
        zones = ["door"] if number % 2 else []
        yield from closed(number, verdict, MORNING + timedelta(hours=3 * number), zones=zones)


@pytest.fixture
def records() -> FakeRecords:
    records = FakeRecords(people())
    records.add(violation(900, Verdict.WITHOUT_MASK, MORNING, 34, snapshot="kept"))
    records.add(violation(901, Verdict.INCORRECT_MASK, MORNING + timedelta(hours=2), 8, severity=Severity.CRITICAL))
    records.add(violation(902, Verdict.WITHOUT_MASK, MORNING + timedelta(days=1), 0, is_open=True))
    records.pictures["kept"] = b"\xff\xd8 a picture"
    return records


@pytest.fixture
def bus() -> FakeBus:
    return FakeBus([camera_view("entrance")])


@pytest.fixture
def app(records: FakeRecords, bus: FakeBus) -> Iterator[Flask]:
    app = create_app(parse_settings("web: {timezone: Europe/Berlin}", {}), bus, records)
    yield app
    site_of(app).hub.close()


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    return app.test_client()


def json_of(answer: TestResponse) -> Any:
    assert answer.mimetype == "application/json"
    return answer.json


def rows_of(answer: TestResponse) -> list[dict[str, str]]:
    assert answer.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_compliance_counts_whole_pictures_and_says_who_is_unknown(browser: FlaskClient) -> None:
    answer = json_of(browser.get(f"/api/v1/compliance?{WEEK}"))
    assert (answer["from"], answer["timezone"]) == ("2026-11-09T00:00:00+01:00", "Europe/Berlin")
    assert answer["to"] == "2026-11-16T00:00:00+01:00"
    total = answer["total"]
    assert (total["known"], total["unknown"], total["compliance"], total["unknown_share"]) == (39, 1, 0.6923, 0.025)
    assert total["low"] < 0.6923 < total["high"]
    assert len(answer["items"]) == 1


def test_compliance_of_a_zone_is_of_those_who_were_there(browser: FlaskClient) -> None:
    assert json_of(browser.get(f"/api/v1/compliance?{WEEK}&zone=door"))["total"]["known"] == 19
    by_zone = json_of(browser.get(f"/api/v1/compliance?{WEEK}&by=zone"))["items"]
    assert [(row["zone"], row["known"]) for row in by_zone] == [("", 39), ("door", 19)]


def test_csv_has_what_json_has_and_a_name(browser: FlaskClient) -> None:
    answer = browser.get(f"/api/v1/compliance?{WEEK}&by=day&format=csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="compliance-2026-11-09-2026-11-15.csv"'
    items = json_of(browser.get(f"/api/v1/compliance?{WEEK}&by=day"))["items"]
    assert [(row["day"], int(row["known"])) for row in rows_of(answer)] == [(i["day"], i["known"]) for i in items]


def test_nobody_is_no_share_and_no_error(browser: FlaskClient) -> None:
    answer = json_of(browser.get("/api/v1/compliance?from=2020-01-01&to=2020-01-02&by=hour"))
    assert answer["items"] == []
    assert answer["total"]["compliance"] is None
    assert answer["total"]["too_few"] is True


def test_events_come_in_pages_that_go_on_where_the_last_ended(browser: FlaskClient) -> None:
    first = json_of(browser.get(f"/api/v1/events?{WEEK}&limit=2"))
    second = json_of(browser.get(f"/api/v1/events?{WEEK}&limit=2&after={first['next']}"))
    third = json_of(browser.get(f"/api/v1/events?{WEEK}&limit=2&after={second['next']}"))
    times = [event["time_utc"] for page in (first, second, third) for event in page["items"]]
    assert len(times) == 5
    assert times == sorted(times, reverse=True)
    assert third["next"] is None


def test_csv_says_where_it_goes_on(browser: FlaskClient) -> None:
    answer = browser.get(f"/api/v1/events?{WEEK}&format=csv&limit=2")
    assert len(rows_of(answer)) == 2
    assert answer.headers["X-Maskwatch-Next"] == "2"
    assert "X-Maskwatch-Next" not in browser.get(f"/api/v1/events?{WEEK}&format=csv").headers


def test_page_says_how_many_events_go_into_a_file(browser: FlaskClient) -> None:
    page = browser.get(f"/events?{WEEK}", headers=HTML).text
    assert "at most the newest 10\u202f000 and 1\u202f000" in page
    links = [html.unescape(link) for link in re.findall(r'href="(/api/v1/events\?[^"]+)"', page)]
    as_csv, as_json = (browser.get(link) for link in links)
    assert len(rows_of(as_csv)) == len(json_of(as_json)["items"]) == 5


def test_long_csv_is_put_together_from_pages(browser: FlaskClient, records: FakeRecords) -> None:
    records.add(
        Event(uuid4(), EventKind.CAMERA_ONLINE, "yard", "e", "", "", Severity.INFO, MORNING + timedelta(seconds=n))
        for n in range(2500)
    )
    assert len(rows_of(browser.get(f"/api/v1/events?{WEEK}&format=csv&camera=yard"))) == 2500


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("kind=violation_started&severity=critical", ["violation_started"]),
        ("kind=crowd", []),
        ("zone=nowhere", []),
        ("rule=door&severity=critical", ["violation_ended", "violation_started"]),
    ],
)
def test_events_are_filtered(browser: FlaskClient, query: str, kinds: list[str]) -> None:
    items = json_of(browser.get(f"/api/v1/events?{WEEK}&{query}"))["items"]
    assert [item["kind"] for item in items] == kinds


def test_event_and_its_picture_are_found_by_id(browser: FlaskClient) -> None:
    event = json_of(browser.get(f"/api/v1/events/{ENDED}"))
    assert (event["duration_s"], event["snapshot"]) == (34, f"/api/v1/events/{ENDED}/snapshot.jpg")
    picture = browser.get(event["snapshot"])
    assert (picture.mimetype, picture.data) == ("image/jpeg", b"\xff\xd8 a picture")
    assert picture.headers["Cache-Control"] == "no-store"


def test_missing_pictures_say_why(browser: FlaskClient, records: FakeRecords) -> None:
    records.pictures.clear()
    gone = browser.get(f"/api/v1/events/{ENDED}/snapshot.jpg")
    assert gone.status_code == 410
    assert "store.snapshots_days" in json_of(gone)["error"]["message"]
    began = event_id("entrance-e", 900, "door", EventKind.VIOLATION_STARTED, 0)
    none = browser.get(f"/api/v1/events/{began}/snapshot.jpg")
    assert none.status_code == 404
    assert "privacy" in json_of(none)["error"]["message"]
    assert browser.get(f"/api/v1/events/{uuid4()}/snapshot.jpg").status_code == 404
    assert browser.get("/api/v1/events/..%2f..%2fetc/snapshot.jpg").status_code == 404


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api/v1/compliance?by=colour", "by: expected camera"),
        ("/api/v1/events?after=nonsense", "after: expected `next` of an earlier answer, received 'nonsense'"),
        ("/api/v1/events?limit=5000", "limit: expected a number from 1 to 1000"),
        ("/api/v1/compliance?from=2020-01-01", "from: expected at most 1100 days"),
        ("/events?tz=Mars", "tz: expected the name of a time zone"),
        ("/compliance?frm=today", "did you mean from?"),
        ("/compliance/report?to=never", "to: expected a day"),
    ],
)
def test_wrong_question_is_400_that_says_how_to_mend_it(browser: FlaskClient, path: str, said: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 400
    message = json_of(answer)["error"]["message"] if path.startswith("/api") else answer.text
    assert said in message


def test_wrong_question_on_a_page_is_a_page(browser: FlaskClient) -> None:
    answer = browser.get("/compliance?by=<script>alert(1)</script>", headers=HTML)
    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize(
    "path", ["/compliance", "/events", "/compliance/report", "/api/v1/compliance", "/api/v1/events"]
)
def test_database_that_is_away_is_503_and_says_where(browser: FlaskClient, records: FakeRecords, path: str) -> None:
    records.down = True
    answer = browser.get(path, headers=HTML)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "record.db" in answer.text


def test_pages_of_cameras_answer_while_the_database_is_away(browser: FlaskClient, records: FakeRecords) -> None:
    records.down = True
    assert browser.get("/").status_code == 200
    assert browser.get("/readyz").status_code == 200


@pytest.mark.parametrize("path", ["/compliance", f"/compliance?{WEEK}&by=camera,zone", "/events", f"/events?{WEEK}"])
def test_pages_need_no_script_and_nothing_from_elsewhere(browser: FlaskClient, path: str) -> None:
    page = browser.get(path).text
    for banned in ("http://", "https://", "<script", "style=", "onclick", "javascript:"):
        assert banned not in page
    assert page.count("<h1>") == 1
    assert 'aria-current="page"' in page
    for field in re.findall(r"<(?:select|input type=\"(?!hidden)[^>]*)", page):
        assert "name=" in field or field == "<select"


def test_compliance_page_speaks_of_people_and_their_interval(browser: FlaskClient) -> None:
    page = browser.get(f"/compliance?{WEEK}").text.replace("\u202f", " ")
    assert "<b>69 %</b> wore a mask properly" in page
    assert "of <b>39</b> people whose verdict is known" in page
    assert "54 to 81 %" in page
    assert "Mon 9 Nov 2026" in page
    assert "by=day&amp;format=csv" in page


def test_few_people_are_told_as_such(browser: FlaskClient) -> None:
    page = browser.get("/compliance?from=2026-11-09&to=2026-11-09").text
    assert "Too few people to say" in page
    assert "By hour of the day" in page


def test_nobody_seen_is_not_taken_for_compliance(browser: FlaskClient, records: FakeRecords) -> None:
    page = browser.get("/compliance?from=2020-01-01&to=2020-01-02").text
    assert "Nobody was seen" in page
    assert "doesn't say that everybody wore a mask" in page
    records.people.clear()
    records.happened.clear()
    assert "maskwatch recorder" in browser.get("/compliance").text
    assert "require_mask" in browser.get("/events").text


def test_more_unknown_than_known_is_pointed_out(browser: FlaskClient, records: FakeRecords) -> None:
    for number in range(60):
        records.add(closed(5000 + number, Verdict.UNKNOWN, MORNING))
    assert "More than half of the people couldn't be told" in browser.get(f"/compliance?{WEEK}").text


def test_event_page_tells_each_violation_once_and_the_open_one_as_begun(browser: FlaskClient) -> None:
    page = browser.get(f"/events?{WEEK}").text
    titles = [
        " ".join(re.sub("<[^>]*>", " ", title).split()) for title in re.findall(r"<h3>(.*?)</h3>", page, re.DOTALL)
    ]
    assert titles == ["No mask: began warning", "Mask worn wrongly for 8 s critical", "No mask for 34 s warning"]
    assert ">09:00:34</time>" in page
    assert page.count("<img src=") == 2  # the sign of the house, and the one picture that was kept


def test_beginning_stays_when_its_end_is_on_another_page() -> None:
    began, ended = violation(1, Verdict.WITHOUT_MASK, MORNING, 5)
    again = violation(2, Verdict.WITHOUT_MASK, MORNING, 5)[0]
    assert without_told_beginnings([ended, again, began]) == [ended, again]
    assert without_told_beginnings([began]) == [began]


def test_violation_that_a_mask_ended_tells_what_was_wrong_when_it_began(
    browser: FlaskClient, records: FakeRecords
) -> None:
    began, ended = violation(910, Verdict.WITHOUT_MASK, MORNING + timedelta(days=2), 21)
    records.add([began, replace(ended, verdict=Verdict.WITH_MASK, looks=20, scores=(0.54, 0.44, 0.02))])
    page = browser.get("/events?from=2026-11-11&to=2026-11-11").text
    assert "No mask for 21 s" in page
    assert f"{began.looks} looks at the face, 94\u202f% sure on average" in page
    alone = browser.get("/events?from=2026-11-11&to=2026-11-11&kind=violation_ended").text
    assert "No proper mask for 21 s" in alone
    assert "20 looks at the face, with a mask at the end" in alone
    assert "54\u202f%" not in page + alone, "that is how sure it is of the mask"


def test_event_page_goes_on_to_older_ones_with_the_same_filters(browser: FlaskClient) -> None:
    page = browser.get(f"/events?{WEEK}&kind=violation_ended&limit=1").text
    (older,) = re.findall(r'<a href="([^"]*)" rel="next">', page)
    following = browser.get(older.replace("&amp;", "&")).text
    assert "No mask for 34 s" in following
    assert "Newest</a>" in following
    assert 'value="violation_ended" selected' in following


def test_what_is_not_recorded_yet_is_told(browser: FlaskClient, bus: FakeBus) -> None:
    assert "wait for a recorder" not in browser.get("/compliance").text
    bus.waiting = Backlog(1234, 754.0, 100_000)
    assert "The newest 13 min are missing: 1\u202f234 records wait" in browser.get("/compliance").text
    assert "are missing" not in browser.get("/compliance?from=2020-01-06&to=2020-01-12").text
    bus.down = True
    assert "recorded: Redis at localhost" in browser.get("/events").text


def test_time_that_is_not_kept_any_longer_is_told(browser: FlaskClient) -> None:
    assert "is kept" not in browser.get("/events").text
    assert "Nothing older than 90 days is kept" in browser.get("/events?from=-91d").text
    assert "Nothing older than 90 days" not in browser.get("/compliance?from=-91d").text
    assert "Nothing older than 730 days is kept" in browser.get("/compliance?from=-731d").text


def test_report_on_the_site_has_charts_and_violations(browser: FlaskClient) -> None:
    page = browser.get(f"/compliance/report?{WEEK}").text
    assert page.count('<svg class="chart columns"') == 6
    assert "<style>" not in page
    assert "Half lasted at most" in page
    assert "No camera was lost." in page
