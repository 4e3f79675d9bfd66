"""People walk past real cameras: the metrics, the database and the report say who they were, and all say the same."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from html.parser import HTMLParser
from typing import Any

import pytest

from maskwatch.demo.film import make_films
from maskwatch.types import EventKind, Verdict
from tests.support import ROOT, wait_for
from tests.support_up import GENEROUS_S, Up, at_home, started_up

pytestmark = [pytest.mark.timeout(5 * GENEROUS_S), pytest.mark.alone]

CAMERAS = {
    "lobby": "zones: {hall: {polygon: [[0, 0], [1, 0], [1, 1], [0, 1]], require_mask: true}}",
    "ward": "rules: {masks: {severity: critical}}",
    "office": "rules: {masks: {}}, privacy: {snapshots: full, stream: blurred}",
    "gate": "rules: {masks: {grace_s: 1}, crowds: {crowd: 1, grace_s: 0}}, privacy: {snapshots: none}",
}
"""Films of twenty seconds, each played once, and what is asked of them."""

WALKED_PAST = Counter(
    {
        ("lobby", "without_mask"): 1,
        ("ward", "with_mask"): 1,
        ("office", "incorrect_mask"): 1,
        ("gate", "without_mask"): 1,
        ("gate", "with_mask"): 1,
    }
)
"""Who does so: camera and how the mask is worn."""


class Tables(HTMLParser):
    """The tables of a page, row by row, by their captions."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: dict[str, list[list[str]]] = {}
        self._caption = ""
        self._text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("caption", "th", "td"):
            self._text = []
        elif tag == "tr":
            self.rows.setdefault(self._caption, []).append([])

    def handle_endtag(self, tag: str) -> None:
        text = " ".join("".join(self._text).split())
        if tag == "caption":
            self._caption = text
        elif tag in ("th", "td"):
            self.rows[self._caption][-1].append(text)

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def records(self, caption: str) -> list[dict[str, str]]:
        """Return the rows of a table by the words of its head."""
        head, *rows = self.rows.get(caption, [[]])
        return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """An installation that has seen all films to their end."""
    folder = tmp_path_factory.mktemp("truth")
    make_films({name: folder / f"{name}.mp4" for name in CAMERAS}, lambda: False)
    lines = [f"  {name}: {{source: {name}.mp4, {keys}}}" for name, keys in CAMERAS.items()]
    config = folder / "cameras.yaml"
    config.write_text("worker: {processes: 2}\ncameras:\n" + "\n".join(lines) + "\n")
    with started_up(folder / "home", "--config", str(config), environ={"MASKWATCH_WORKER__STALE_AFTER_S": "30"}) as up:
        wait_for(lambda: states(up) == {name: "ended" for name in CAMERAS}, GENEROUS_S, "all films to be over")
        wait_for(lambda: has_closed(up), GENEROUS_S, "everybody who was there to be counted")
        wait_for(lambda: of_metrics(up, "events", "kind") == of_database(up, EVENTS), GENEROUS_S, "all to be recorded")
        yield up


PEOPLE = "SELECT camera, verdict, SUM(people) FROM tallies WHERE zone = '' GROUP BY camera, verdict"
ZONES = "SELECT camera || ' ' || zone, verdict, SUM(people) FROM tallies WHERE zone <> '' GROUP BY 1, 2"
EVENTS = "SELECT camera, kind, COUNT(*) FROM events GROUP BY camera, kind"
VIOLATIONS = (
    "SELECT camera, rule || ' ' || verdict, COUNT(*) FROM events WHERE kind = 'violation_started' GROUP BY 1, 2"
)


def states(up: Up) -> dict[str, str]:
    return {name: camera["state"] for name, camera in up.cameras().items()}


def has_closed(up: Up) -> bool:
    """Tell whether all frames have been dealt with, and as many people have gone by as there are in the films."""
    for name in CAMERAS:
        counts = json.loads(up.get(f"/api/v1/cameras/{name}") or b"{}").get("counts")
        if not counts or counts["waiting"] or counts["in_flight"] or sum(counts["present"].values()):
            return False
    return of_metrics(up, "people", "verdict").total() >= WALKED_PAST.total()


def of_metrics(up: Up, noun: str, label: str) -> Counter[tuple[str, str]]:
    """Return what Prometheus would read: (camera, label) -> number, without zeros."""
    text = (up.get("/metrics") or b"").decode()
    pattern = rf'^maskwatch_{noun}_total\{{camera="([\w-]+)",{label}="(\w+)"\}} (\d+)'
    return Counter({(one[0], one[1]): int(one[2]) for one in re.findall(pattern, text, re.MULTILINE) if int(one[2])})


def of_database(up: Up, query: str) -> Counter[tuple[str, str]]:
    """Return what the file says to whoever opens it without us."""
    path = up.home / ".local/state/maskwatch/record.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return Counter({(first, second): number for first, second, number in database.execute(query)})


def report(up: Up) -> Tables:
    """Run `maskwatch report` beside the installation and read what it writes."""
    out = up.home.parent / "report.html"
    words = [
        "--config",
        str(up.home.parent / "cameras.yaml"),
        "--from",
        "yesterday",
        "--to",
        "today",
        "--out",
        str(out),
    ]
    subprocess.run(
        [sys.executable, "-m", "maskwatch", "report", *words],
        env=at_home(up.home), cwd=ROOT, check=True, timeout=GENEROUS_S, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return Tables(out.read_text(encoding="utf-8"))


def of_report(tables: Tables, zone: str | None) -> Counter[tuple[str, str]]:
    """Return the numbers of the report's table by camera and zone, of whole pictures or of zones."""
    heads = {
        "With mask": "with_mask",
        "Worn wrongly": "incorrect_mask",
        "Without": "without_mask",
        "Not told": "unknown",
    }
    found: Counter[tuple[str, str]] = Counter()
    for row in tables.records("Compliance by camera and zone"):
        if (row["Zone"] == "whole picture") != (zone is None):
            continue
        name = row["Camera"] if zone is None else f"{row['Camera']} {row['Zone']}"
        found.update({(name, verdict): int(row[head].split()[0]) for head, verdict in heads.items()})
    return +found


def test_everybody_who_walked_past_is_counted_once_as_what_they_were(up: Up) -> None:
    assert of_metrics(up, "people", "verdict") == WALKED_PAST


def test_metrics_database_and_report_agree_about_people(up: Up) -> None:
    counted = of_metrics(up, "people", "verdict")
    assert of_database(up, PEOPLE) == counted
    assert of_report(report(up), None) == counted
    answer = json.loads(up.get("/api/v1/compliance?from=yesterday&to=today&by=camera") or b"{}")
    by_api = Counter({(row["camera"], one.value): row[one.value] for row in answer["items"] for one in Verdict})
    assert +by_api == counted


def test_metrics_database_and_report_agree_about_zones(up: Up) -> None:
    text = (up.get("/metrics") or b"").decode()
    pattern = r'^maskwatch_zone_people_total\{camera="([\w-]+)",verdict="(\w+)",zone="([\w-]+)"\} (\d+)'
    rows = re.findall(pattern, text, re.MULTILINE)
    counted = Counter({(f"{camera} {zone}", verdict): int(number) for camera, verdict, zone, number in rows})
    assert +counted == of_database(up, ZONES) == {("lobby hall", "without_mask"): 1}
    assert of_report(report(up), "all") == of_database(up, ZONES)


def test_metrics_database_and_report_agree_about_what_happened(up: Up) -> None:
    counted = of_metrics(up, "events", "kind")
    assert of_database(up, EVENTS) == counted
    assert {name: counted[name, EventKind.CAMERA_ONLINE] for name in CAMERAS} == dict.fromkeys(CAMERAS, 1)
    by_kind = {kind: sum(number for (_, one), number in counted.items() if one == kind) for kind in EventKind}
    assert by_kind[EventKind.VIOLATION_STARTED] == by_kind[EventKind.VIOLATION_ENDED] == 3
    assert counted["gate", EventKind.CROWD] == 1
    rows = report(up).records("Violations by camera, zone and rule")
    reported: Counter[tuple[str, str]] = Counter()
    for row in rows:
        for head, verdict in (("Without mask", "without_mask"), ("Worn wrongly", "incorrect_mask")):
            reported[row["Camera"], f"{row['Rule']} {verdict}"] = int(row[head])
    assert +reported == of_database(up, VIOLATIONS)
    assert sum(int(row["Violations"]) for row in rows) == 3


def test_pictures_are_kept_where_they_may_be(up: Up) -> None:
    page = json.loads(up.get("/api/v1/events?from=yesterday&to=today&kind=violation_ended") or b"{}")
    pictures = {item["camera"]: item["snapshot"] for item in page["items"]}
    assert {name: url is not None for name, url in pictures.items()} == {"lobby": True, "office": True, "gate": False}
    for url in filter(None, pictures.values()):
        assert (up.get(url) or b"").startswith(b"\xff\xd8")


def test_api_tells_zones_rules_and_privacy_as_configured(up: Up) -> None:
    def told(name: str) -> dict[str, Any]:
        return up.camera(name)

    assert [zone["name"] for zone in told("lobby")["zones"]] == ["hall"]
    assert [(rule["name"], rule["zone"]) for rule in told("lobby")["rules"]] == [("hall", "hall")]
    assert [rule["severity"] for rule in told("ward")["rules"]] == ["critical"]
    assert {rule["name"]: rule["crowd"] for rule in told("gate")["rules"]} == {"masks": None, "crowds": 1}
    assert told("office")["privacy"] == {"snapshots": "full", "stream": "blurred"}
