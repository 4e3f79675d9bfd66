"""Who was in a video, where a job stands, and what its summary says."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from maskwatch.types import FrameResult, FrameStatus, Person, Verdict
from workers.findings import Finding, TimelineMark
from workers.jobs.checkpoint import Checkpoint, VideoPlace
from workers.jobs.people import PEOPLE_COLUMNS, People, write_people
from workers.jobs.summary import write_summary
from workers.recorded import Place


def seen(*people: tuple[int, Verdict]) -> FrameResult:
    box = (0.1, 0.1, 0.2, 0.2)
    persons = tuple(Person(number, box, 0.9, None, (), verdict, True) for number, verdict in people)
    return FrameResult(FrameStatus.OK, (64, 36), persons)


def two_people() -> People:
    people = People()
    people.add(seen((1, Verdict.UNKNOWN)), 0.0)
    people.add(seen((1, Verdict.WITH_MASK), (2, Verdict.UNKNOWN)), 0.5)
    people.add(seen((2, Verdict.WITHOUT_MASK)), 2.0)
    return people


def test_person_has_a_time_of_coming_and_going_and_the_last_verdict() -> None:
    assert two_people().as_list() == [[1, 0.0, 0.5, 2, "with_mask"], [2, 0.5, 2.0, 2, "without_mask"]]
    assert two_people().present(0.6, 1.0) == {Verdict.WITHOUT_MASK: 1}


def test_people_are_a_table_that_no_spreadsheet_runs(tmp_path: Path) -> None:
    write_people(tmp_path / "people.csv", [("=cmd|x.mp4", two_people())])
    rows = list(csv.reader((tmp_path / "people.csv").read_text().splitlines()))
    assert rows == [
        list(PEOPLE_COLUMNS),
        ["'=cmd|x.mp4", "1", "0.0", "0.5", "2", "with_mask"],
        ["'=cmd|x.mp4", "2", "0.5", "2.0", "2", "without_mask"],
    ]


def place() -> VideoPlace:
    finding = Finding("door.mp4", "video", 20, 5, 2.0, Counter({Verdict.WITH_MASK: 1, Verdict.WITHOUT_MASK: 1}))
    return VideoPlace(finding, Place(24, 2.3, b"\x00state"), two_people(), TimelineMark(20, 900, 300), 2, 21, (64, 36))


def test_checkpoint_is_what_was_written_and_belongs_to_what_was_asked_for(tmp_path: Path) -> None:
    written = Checkpoint(tmp_path, {"spec": (1, 2)})
    written.done, written.current = [place()], place()
    written.save()
    same, other = Checkpoint(tmp_path, {"spec": [1, 2]}), Checkpoint(tmp_path, {"spec": [1, 3]})
    assert same.load()
    assert same.current is not None
    assert [one.as_dict() for one in (*same.done, same.current)] == [place().as_dict()] * 2
    assert not other.load()
    assert other.current is None


def test_broken_checkpoint_is_none(tmp_path: Path) -> None:
    for text in ("", "{", "[]", '{"about": {}}', '{"about": {}, "done": [{}], "current": null}'):
        (tmp_path / "checkpoint.json").write_text(text)
        assert not Checkpoint(tmp_path, {}).load()


def test_summary_says_it_in_words_and_shows_names_as_text(tmp_path: Path) -> None:
    summary = {
        "people": {"with_mask": 1, "without_mask": 1, "incorrect_mask": 0, "unknown": 0}, "compliance": 0.5,
        "frames": 20, "seconds": 2.0, "every": 1, "profile": "fast", "model": "m 1", "detector": "d 1",
        "problems": ["<b>.mp4: cut off"],
    }  # fmt: skip
    write_summary(tmp_path / "summary.html", "<script>x</script>", summary, [place()])
    text = (tmp_path / "summary.html").read_text()
    assert "<p>1 of 2 people wore a mask properly.</p>" in text
    assert "<script>" not in text
    assert "&lt;b&gt;.mp4: cut off" in text
    assert text.count("<rect") >= 2


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((0, 0, 0, 0), "Nobody was seen."),
        ((0, 0, 0, 1), "1 person was seen; of none it could be told how a mask was worn."),
        ((1, 0, 0, 0), "1 of 1 person wore a mask properly."),
        ((19, 0, 0, 3), "19 of 19 people wore a mask properly; of 3 more it couldn't be told."),
        ((15, 4, 1, 0), "15 of 20 people wore a mask properly (75 %; 95 % interval 53 to 89 %)."),
        ((999, 1, 0, 0), "999 of 1000 people wore a mask properly (99 %; 95 % interval 99 to 100 %)."),
    ],
)
def test_summary_gives_no_share_of_few_people_and_an_interval_with_each(
    tmp_path: Path, counts: tuple[int, ...], said: str
) -> None:
    names = ("with_mask", "without_mask", "incorrect_mask", "unknown")
    summary: dict[str, Any] = {
        "people": dict(zip(names, counts, strict=True)), "compliance": None, "frames": 20, "seconds": 2.0, "every": 1,
        "profile": "fast", "model": "m 1", "detector": "d 1", "problems": [],
    }  # fmt: skip
    write_summary(tmp_path / "summary.html", "door.mp4", summary, [place()])
    assert f"<p>{said}</p>" in (tmp_path / "summary.html").read_text()
