from __future__ import annotations

import itertools
import re
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from maskwatch.store import By, ComplianceRow
from tests.support_answers import BERLIN
from web.answers.chart import MOST_ROWS, Point, column_chart, row_chart, split_bar
from web.answers.groups import grouped
from web.answers.heat import heat_chart
from web.answers.span import Span, parse_span

WEEK = parse_span("2026-11-09", "2026-11-15", BERLIN, datetime(2026, 11, 21, tzinfo=UTC))
DAYS = [ComplianceRow(90, 8, 2, 10, day=date(2026, 11, 9)), ComplianceRow(3, 0, 0, 1, day=date(2026, 11, 12))]


def svg(drawn: Markup) -> ElementTree.Element:
    return ElementTree.fromstring(drawn)


def of_class(drawn: Markup, name: str) -> list[ElementTree.Element]:
    return [one for one in svg(drawn).iter() if name in one.get("class", "").split()]


def test_bar_is_divided_by_the_people() -> None:
    widths = {one.get("class"): float(one.get("width", 0)) + 2 for one in of_class(split_bar(DAYS[0], 110), "part")}
    assert widths == {
        "part with_mask": 90,
        "part incorrect_mask": pytest.approx(3.5),
        "part without_mask": 8,
        "part unknown": 10,
    }
    assert split_bar(ComplianceRow(0, 0, 0, 0), 100) == ""


def test_share_stands_on_its_interval_and_few_people_are_marked() -> None:
    table = grouped(DAYS, (By.DAY,), WEEK)
    dots, whiskers = of_class(table.wide, "dot"), of_class(table.wide, "whisker")
    assert [one.get("class") for one in dots] == ["dot sure", "dot few"]
    assert [one.get("class") for one in whiskers] == ["whisker sure", "whisker few"]
    ends = [float(whiskers[0].get(name, 0)) for name in ("y1", "y2")]
    assert min(ends) < float(dots[0].get("cy", 0)) < max(ends)
    told = [one.text for one in svg(table.wide).iter("title")]
    assert told[0] is not None
    assert (
        "90\u202f% of 100 people wore a mask properly (95 % interval 83 to 94\u202f%); 10 couldn't be told" in told[0]
    )
    assert told[1] is not None
    assert "too few people to say" in told[1]


def test_days_without_anybody_have_their_place() -> None:
    table = grouped(DAYS, (By.DAY,), WEEK)
    assert [line.row is not None for line in table.table] == [True, False, False, True, False, False, False]
    assert table.table[1].keys == ("Tue 10 Nov 2026",)
    assert "11 Nov" in table.wide


def test_hours_reach_from_the_first_to_the_last_with_people() -> None:
    rows = [ComplianceRow(1, 0, 0, 0, hour=hour) for hour in (7, 10)]
    assert [line.keys[0][:2] for line in grouped(rows, (By.HOUR,), WEEK).table] == ["07", "08", "09", "10"]


def test_weekdays_are_all_seven() -> None:
    assert len(grouped([ComplianceRow(1, 0, 0, 0, weekday=6)], (By.WEEKDAY,), WEEK).table) == 7


def test_names_that_are_markup_are_text() -> None:
    hostile = '<script>alert("1")</script>'
    table = grouped([ComplianceRow(30, 0, 0, 0, camera=hostile, zone="&")], (By.CAMERA, By.ZONE), WEEK)
    assert "<script" not in table.wide
    assert svg(table.wide).find(".//title") is not None
    assert of_class(table.narrow, "label")[0].text is not None


def test_long_names_that_begin_alike_stay_apart_on_a_phone() -> None:
    names = [f"intensive-care-unit-west-wing-{place} · {zone}" for place in ("door", "desk") for zone in ("all", "bay")]
    drawn = row_chart([Point(name, name, DAYS[0]) for name in names], 400, "")
    labels = re.findall(r'<text class="label"[^>]*>([^<]*)</text>', drawn)
    assert len(set(labels)) == len(names)
    assert all("…" in label for label in labels)


def test_many_rows_are_left_to_the_table() -> None:
    rows = [ComplianceRow(30, 0, 0, 0, camera=f"camera-{number:03d}") for number in range(MOST_ROWS + 9)]
    table = grouped(rows, (By.CAMERA,), WEEK)
    assert len(of_class(table.wide, "dot")) == MOST_ROWS
    assert table.left_out == 9
    assert len(table.table) == MOST_ROWS + 9


def test_everything_stays_within_the_drawing() -> None:
    years = Span(WEEK.since - timedelta(days=1000), WEEK.until, BERLIN)
    rows = [ComplianceRow(number % 60, 3, 1, 900_000, day=day) for number, day in enumerate(years.days)]
    drawings = [
        grouped(rows, (By.DAY,), years).narrow,
        column_chart([Point("a", "a", None)], 400, ""),
        row_chart([Point("b" * 300, "b" * 300, DAYS[0]), Point("n", "n", None)], 400, ""),
    ]
    for drawn in drawings:
        width, height = (float(each) for each in svg(drawn).get("viewBox", "").split()[2:])
        for one in svg(drawn).iter():
            for name, most in (
                ("x", width),
                ("cx", width),
                ("x2", width),
                ("y", height),
                ("cy", height),
                ("y2", height),
            ):
                assert -0.1 <= float(one.get(name, 0)) <= most + 0.1


def test_ticks_do_not_touch() -> None:
    month = Span(WEEK.since - timedelta(days=24), WEEK.until, BERLIN)
    rows = [ComplianceRow(30, 3, 1, 5, day=day) for day in month.days]
    places = [
        float(one.get("x", 0)) for one in of_class(grouped(rows, (By.DAY,), month).narrow, "tick")
        if re.search("[A-Z]", one.text or "")
    ]  # fmt: skip
    assert all(after - before > 38 for before, after in itertools.pairwise(places))


def test_grid_has_a_cell_for_each_hour_with_people_and_no_share_of_few() -> None:
    rows = [ComplianceRow(30, 30, 0, 2, weekday=0, hour=8), ComplianceRow(3, 0, 0, 0, weekday=4, hour=9)]
    grid = grouped(rows, (By.WEEKDAY, By.HOUR), WEEK)
    assert grid.is_grid
    for drawn in (grid.wide, grid.narrow):
        assert len(of_class(drawn, "cell")) == 2
        assert [one.get("fill-opacity") for one in of_class(drawn, "heat-part")] in (["0.60", "0.00"], ["0.00", "0.60"])
        assert "50" in [one.text for one in of_class(drawn, "label")]
    assert heat_chart([], 100, "", is_upright=False) == ""
