from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime

from maskwatch.store import By, ComplianceRow
from maskwatch.types import Verdict
from tests.support_answers import BERLIN, violation
from web.answers.rows import compliance_csv, compliance_row, event_row, events_csv

ENDED = violation(3, Verdict.WITHOUT_MASK, datetime(2026, 10, 25, 0, 59, 59, tzinfo=UTC), 34.40001)[1]


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_row_has_the_keys_that_were_asked_for() -> None:
    row = compliance_row(ComplianceRow(18, 1, 1, 5, day=date(2026, 11, 9), hour=None), (By.DAY,))
    assert row["day"] == "2026-11-09"
    assert "hour" not in row
    assert (row["known"], row["compliance"], row["unknown_share"], row["too_few"]) == (20, 0.9, 0.2, False)
    assert 0.69 < row["low"] < 0.9 < row["high"] < 0.98


def test_nobody_has_no_share() -> None:
    row = compliance_row(ComplianceRow(0, 0, 0, 0), ())
    assert row["compliance"] is row["low"] is row["high"] is row["unknown_share"] is None
    (read_back,) = read(compliance_csv([ComplianceRow(0, 0, 0, 2)], ()))
    assert read_back["compliance"] == ""
    assert (read_back["unknown_share"], read_back["too_few"]) == ("1.0", "true")


def test_event_tells_its_time_in_the_zone_and_in_utc() -> None:
    row = event_row(ENDED, BERLIN, "/p.jpg")
    # The second time that the clocks show 02:00 on this day.
    assert row["time"] == "2026-10-25T02:00:33.400010+01:00"
    assert row["time_utc"].startswith("2026-10-25T01:00:33.4")
    assert row["duration_s"] == 34.4
    assert row["scores"] == {"with_mask": 0.03, "without_mask": 0.94, "incorrect_mask": 0.03}
    assert row["snapshot"] == "/p.jpg"


def test_csv_has_the_same_fields_in_columns() -> None:
    (row,) = read(events_csv([event_row(ENDED, BERLIN, None)]))
    assert (row["camera"], row["zone"], row["verdict"], row["score_without_mask"]) == (
        "entrance",
        "door",
        "without_mask",
        "0.94",
    )
    assert row["snapshot"] == row["people"] == ""


def test_text_that_a_spreadsheet_would_run_is_disarmed() -> None:
    hostile = replace(ENDED, note='=cmd|"/c calc"!A1', rule="-1+1", zone="plain, with a comma")
    (row,) = read(events_csv([event_row(hostile, BERLIN, None)]))
    assert row["note"] == '\'=cmd|"/c calc"!A1'
    assert row["rule"] == "'-1+1"
    assert row["zone"] == "plain, with a comma"
