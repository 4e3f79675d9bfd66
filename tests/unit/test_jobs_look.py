from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from maskwatch.jobs.types import JobKind, JobState, JobView
from web.asked import AskedWrong
from web.jobs.asked import checked_name, named_spec, upload_spec
from web.jobs.look import job_look, size_words

AT = datetime(2026, 11, 9, 8, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
RUNNING = JobView(
    "j1", JobKind.VIDEO, "door.mp4", JobState.RUNNING, 0.4267, 83.0, AT, AT, None, "", 1,
    spec={"input": {"path": "films/door.mp4"}, "every": 3, "profile": "fast", "detector": "yunet"},
)  # fmt: skip


def test_running_job_tells_how_far_it_is_and_what_is_left() -> None:
    look = job_look(RUNNING, BERLIN)
    assert (look.percent, look.left, look.took, look.state) == (42, "about 83 s left", "", "running")
    assert look.made_at.hour == 9
    assert look.wishes == (
        ("From", "films/door.mp4"), ("Pictures", "one in 3"), ("Profile", "fast"), ("Detector", "yunet"),
    )  # fmt: skip


def test_job_that_is_over_tells_what_it_took_and_no_longer_what_is_left() -> None:
    look = job_look(replace(RUNNING, state=JobState.DONE, progress=1, ended_at=AT + timedelta(seconds=75)), BERLIN)
    assert (look.percent, look.left, look.took) == (100, "", "75 s")


def test_shape_changes_with_the_state_and_not_with_progress() -> None:
    shape = job_look(RUNNING, BERLIN).shape
    assert job_look(replace(RUNNING, progress=0.9), BERLIN).shape == shape
    assert job_look(replace(RUNNING, state=JobState.FAILED), BERLIN).shape != shape


def test_job_whose_end_was_asked_for_says_so_until_it_has_come() -> None:
    look = job_look(replace(RUNNING, is_cancelling=True), BERLIN)
    assert (look.state, look.left) == ("cancelling", "")
    assert look.shape != job_look(RUNNING, BERLIN).shape


def test_summary_is_people_and_facts() -> None:
    summary = {
        "people": {"with_mask": 3, "unknown": 1, "without_mask": -1}, "frames": 1500, "seconds": 60.04, "ratio": 0.25,
        "detector": "face 1.0.0", "is_cut": True, "problems": ["a.mp4: cut off"], "compliance": 1.0, "every": 3,
    }  # fmt: skip
    look = job_look(replace(RUNNING, summary=summary), BERLIN)
    assert look.people is not None
    assert (look.people.with_mask, look.people.without_mask, look.people.unknown) == (3, 0, 1)
    assert look.facts == (("Frames", "1\u202f500"), ("Length", "60 s"), ("Ratio", "0.25"), ("Detector", "face 1.0.0"))
    assert look.problems == ("a.mp4: cut off",)
    assert ("Detector", "yunet") not in look.wishes
    assert job_look(RUNNING, BERLIN).people is None


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [(0, "0 bytes"), (2048, "2.0 kB"), (15 << 20, "15 MB"), (5 * (1 << 29), "2.5 GB")],
)
def test_sizes_are_told_in_the_largest_unit(size_bytes: int, words: str) -> None:
    assert size_words(size_bytes) == words


@pytest.mark.parametrize("name", [None, "", "  ", "door", "door.exe", "door.mp4.sh", "mp4"])
def test_name_of_something_else_is_refused(name: str | None) -> None:
    with pytest.raises(AskedWrong, match="name: "):
        checked_name(name)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("C:\\films\\Door.MP4", "Door.MP4"), ("../../etc/a.png", "a.png"), ("<b>\u202edoor.mp4", "<b>door.mp4")],
)
def test_name_is_only_shown_and_cleaned_for_that(name: str, shown: str) -> None:
    assert checked_name(name) == shown


def test_wishes_are_read_from_texts_and_what_is_empty_is_left_out() -> None:
    spec = upload_spec("upload-1.mp4", "door.mp4", {"every": "5", "profile": "", "detector": "yunet", "file": "x"})
    assert (spec["every"], spec["profile"], spec["detector"]) == (5, "accurate", "yunet")
    assert named_spec(" films/door.mp4 ", {"every": 7})["input"] == {"path": "films/door.mp4"}


@pytest.mark.parametrize(
    "wishes", [{"every": "0"}, {"every": "-1"}, {"every": "many"}, {"every": "9" * 30}, {"profile": "slow"},
               {"detector": "x"}]
)  # fmt: skip
def test_wish_that_is_not_allowed_is_named(wishes: dict[str, str]) -> None:
    with pytest.raises(AskedWrong, match=next(iter(wishes))):
        upload_spec("upload-1.mp4", "door.mp4", wishes)


def test_name_of_nothing_is_refused() -> None:
    with pytest.raises(AskedWrong, match="path: missing"):
        named_spec("  ", {})
