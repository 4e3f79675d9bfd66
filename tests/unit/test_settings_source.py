from __future__ import annotations

from pathlib import Path

import pytest

from maskwatch.errors import ConfigError
from maskwatch.settings import Source, SourceKind, parse_source, scrub
from maskwatch.settings.source import scrub_url


@pytest.mark.parametrize(
    ("text", "kind", "location"),
    [
        ("rtsp://host/1", SourceKind.RTSP, "rtsp://host/1"),
        ("rtsps://u:p@host:322/1", SourceKind.RTSP, "rtsps://u:p@host:322/1"),
        ("http://host/video.mjpg", SourceKind.URL, "http://host/video.mjpg"),
        ("rtmp://host/live", SourceKind.URL, "rtmp://host/live"),
        ("webcam:2", SourceKind.WEBCAM, "/dev/video2"),
        ("/dev/video7", SourceKind.WEBCAM, "/dev/video7"),
        ("file:///videos/a.mp4", SourceKind.VIDEO, "/videos/a.mp4"),
        ("/videos/a.mp4", SourceKind.VIDEO, "/videos/a.mp4"),
        ("rtsp://[::1]:8554/x", SourceKind.RTSP, "rtsp://[::1]:8554/x"),
    ],
)
def test_kind_is_told_from_the_text(text: str, kind: SourceKind, location: str) -> None:
    assert parse_source(text) == Source(kind, location)


def test_folder_is_told_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    assert parse_source("pictures", tmp_path) == Source(SourceKind.FOLDER, str(tmp_path / "pictures"))
    assert parse_source("walk.mp4", tmp_path) == Source(SourceKind.VIDEO, str(tmp_path / "walk.mp4"))


@pytest.mark.parametrize(
    "text", ["", "  ", "rtsp://", "rtsp:///path", "rtsp://host:99999/", "rtsp://host:x/", "http://[::1/"]
)
def test_text_that_is_no_source_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="source"):
        parse_source(text)


def test_live_sources_are_told_from_recorded_ones() -> None:
    assert parse_source("rtsp://host/1").is_live
    assert parse_source("webcam:0").is_live
    assert not parse_source("/a.mp4").is_live


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("opening rtsp://me:pw@host/1 failed", "opening rtsp://***@host/1 failed"),
        ("rtsp://me:p/w@host/1", "rtsp://***@host/1"),
        ("rtsp://me:p#w?x@host/1", "rtsp://***@host/1"),
        ("rtsp://me:p@w@host/1", "rtsp://***@host/1"),
        ("two http://a:b@c/ and http://d:e@f/", "two http://***@c/ and http://***@f/"),
        ("http://host/?user=me&pwd=secret&x=1", "http://host/?user=***&pwd=***&x=1"),
        ("http://host/?Token=abc", "http://host/?Token=***"),
        ("mail me@example.org", "mail me@example.org"),
        ("rtsp://host/1", "rtsp://host/1"),
    ],
)
def test_scrub_takes_credentials_out_of_a_text(text: str, clean: str) -> None:
    assert scrub(text) == clean


def test_scrub_url_copes_with_a_space_in_the_password() -> None:
    assert scrub_url("rtsp://me:p w@host/1") == "rtsp://***@host/1"


def test_repr_of_a_source_holds_no_credentials() -> None:
    assert repr(parse_source("rtsp://me:pw@host/1")) == "Source(rtsp, 'rtsp://***@host/1')"


@pytest.mark.parametrize(
    "text",
    [
        "webcam",
        "webcam:",
        "webcam:first",
        "webcam:1000",
        "rtsp:/me:hunter2@host/1",
        "rtsp//me:hunter2@host/1",
        "rtsp:me:hunter2@host/1",
        "http:/host/1",
        "me:hunter2@10.0.0.5/stream2",
        "~nobody-of-that-name/walk.mp4",
    ],
)
def test_misspelt_source_is_no_file_and_shows_no_password(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^source ") as caught:
        parse_source(text)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in scrub_url(text)


@pytest.mark.parametrize(
    "name", ["a:b@c.mp4", "webcam", "http:old.mp4", "front@10:30.mp4", "walk.mp4", "rtsp/walk.mp4"]
)
def test_file_that_is_there_may_be_called_anything(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    assert parse_source(name, tmp_path) == Source(SourceKind.VIDEO, str(tmp_path / name))


@pytest.mark.parametrize("text", ["front@10:30.mp4", "rtsp/walk.mp4", "videos/a:b.mp4", "https.mp4", "me@home.mp4"])
def test_plain_name_of_a_file_is_shown_as_it_is(text: str) -> None:
    assert scrub_url(text) == text
    assert parse_source(text).kind is SourceKind.VIDEO


def test_file_url_may_hold_percent_signs() -> None:
    assert parse_source("file:///videos/the%20door.mp4") == Source(SourceKind.VIDEO, "/videos/the door.mp4")


def test_path_that_is_too_long_is_a_file_that_is_not_there() -> None:
    assert parse_source("x" * 300).kind is SourceKind.VIDEO
