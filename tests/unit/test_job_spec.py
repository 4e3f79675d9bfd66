"""What may be asked for in a job about recorded material, and in one that trains."""

from __future__ import annotations

from typing import Any

import pytest

from maskwatch.errors import JobError
from maskwatch.jobs.spec import VideoSpec, clean_name
from workers.jobs.train import train_words

UPLOAD = {"upload": "upload-abc.mp4"}


def test_spec_survives_its_way() -> None:
    spec = VideoSpec.read({"input": {"path": "walk.mp4"}, "every": 5, "profile": "fast", "detector": "yunet"})
    assert spec.name == "walk.mp4"
    assert VideoSpec.read(spec.as_dict()) == spec


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({}, "input"),
        ({"input": {"upload": "event-abc.jpg"}}, "key of an upload"),
        ({"input": {"upload": "upload-../x"}}, "key of an upload"),
        ({"input": {"path": ""}}, "a path"),
        ({"input": UPLOAD, "every": 0}, "every"),
        ({"input": UPLOAD, "every": True}, "every"),
        ({"input": UPLOAD, "profile": "best"}, "profile"),
        ({"input": UPLOAD, "detector": "x"}, "detector"),
        ({"input": UPLOAD, "shell": "rm"}, "unknown key 'shell'"),
    ],
)
def test_what_is_no_spec_is_told(spec: dict[str, Any], says: str) -> None:
    with pytest.raises(JobError, match=says):
        VideoSpec.read(spec)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("C:\\films\\door.mp4", "door.mp4"),
        ("../../etc/passwd", "passwd"),
        ("a\x00\n\x1bb.mp4", "ab.mp4"),
        ("", "unnamed"),
    ],
)
def test_names_of_files_are_cleaned(name: str, shown: str) -> None:
    assert clean_name(name) == shown


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"data": [], "name": "ours"}, "data"),
        ({"data": "x", "name": "ours"}, "list of folders"),
        ({"data": ["x"], "name": "ours"}, "jobs.folders"),
        ({"name": "ours", "out": "/etc"}, "unknown key 'out'"),
    ],
)
def test_training_takes_nothing_but_what_it_knows(spec: dict[str, Any], says: str) -> None:
    with pytest.raises(JobError, match=says):
        train_words(spec, [])
