"""What is said of wrong values: what was expected, what was received, where, once, and never a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskwatch.errors import ConfigError
from maskwatch.settings import parse_settings

CAMERA = "cameras: {lobby: {source: webcam:0"


def error_of(text: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_settings(text, environ or {}, name="c.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{CAMERA}, fps: fast}}}}", "cameras.lobby.fps: expected a number, received text"),
        (f"{CAMERA}, fps: }}}}", "cameras.lobby.fps: expected a number, received nothing"),
        (f"{CAMERA}, fps: [1]}}}}", "cameras.lobby.fps: expected a number, received a list"),
        (f"{CAMERA}, fps: yes}}}}", "cameras.lobby.fps: expected a number, received true"),
        (f"{CAMERA}, fps: 0.05}}}}", "cameras.lobby.fps: expected at least 0.1, received 0.05"),
        (f"{CAMERA}, width: 99999}}}}", "cameras.lobby.width: expected at most 3840, received 99999"),
        (f"{CAMERA}, width: 640.5}}}}", "cameras.lobby.width: expected a whole number, received 640.5"),
        (f"{CAMERA}, enabled: perhaps}}}}", "cameras.lobby.enabled: expected true or false, received text"),
        (f"{CAMERA}, 'on': 5}}}}", "cameras.lobby.on: expected text, received a number; put it in quotes"),
        (f"{CAMERA}, profile: Fast}}}}", "expected 'accurate' or 'fast', received text; did you mean fast?"),
        (f"{CAMERA}, rotate: 45}}}}", "cameras.lobby.rotate: expected 0, 90, 180 or 270, received 45"),
        (f"{CAMERA}, zones: [door]}}}}", "zones: expected a name for each, such as NAME: {...}, received a list"),
        ("cameras: {lobby: webcam:0}", "cameras.lobby: expected keys such as source:, received text"),
        ("cameras: {lobby: {source: 0}}", "received a number; the first webcam is webcam:0"),
        ("cameras: [{source: a.mp4}]", "cameras: expected a name for each, such as NAME: {...}, received a list"),
        ("web:", "web: expected keys such as host:, received nothing"),
        ("web: {host: 'http://127.0.0.1'}", "web.host: expected an address or a name such as 127.0.0.1"),
        ("web: {host: 'localhost:9000'}", "web.host: expected an address or a name such as 127.0.0.1"),
        ("jobs: {folders: /srv}", "jobs.folders: expected a list such as [a, b], received text"),
        ("state_dir: 2024", "state_dir: expected a path, received a number; put it in quotes"),
        ("notify: {receivers: {a: {mqtt: 'mqtt://h', events: []}}}", "events: expected at least 1, received 0"),
        ("? [a, b]\n: c", "expected a word as key, received a list or keys"),
        ("state_dir: \"a\\0b\"", "holds the character U+0000"),
    ],
)  # fmt: skip
def test_wrong_value_is_told_with_what_was_expected_and_received(text: str, says: str) -> None:
    message = error_of(text)
    assert says in message
    assert message.startswith("c.yaml:1: ")


def test_password_that_is_a_number_is_not_told() -> None:
    message = error_of("web: {password: 12345678}")
    assert message == "c.yaml:1: web.password: expected text, received a number; put it in quotes"


def test_mistake_in_a_list_is_told_once() -> None:
    message = error_of(f"{CAMERA}, rules: {{r: {{schedule: {{days: [monday]}}}}}}}}}}")
    assert message.count("\n") == 0
    assert "days.0: expected 'mon'" in message


def test_mistake_in_the_defaults_is_told_once_for_all_cameras() -> None:
    cameras = "".join(f"  c{number}: {{source: webcam:0}}\n" for number in range(200))
    message = error_of(f"defaults: {{fps: fast}}\ncameras:\n{cameras}  own: {{source: webcam:1, fps: slow}}\n")
    assert message.splitlines() == [
        "c.yaml:1: cameras.c0.fps: expected a number, received text",
        "c.yaml:203: cameras.own.fps: expected a number, received text",
    ]


def test_character_that_no_text_has_is_told_with_its_line() -> None:
    assert error_of("web: {}\nlog: \x07\n") == "c.yaml:2: holds the character U+0007; is this a text file?"


def test_file_that_says_only_null_is_empty() -> None:
    assert parse_settings("null", {}).cameras == {}


def test_key_that_a_variable_makes_missing_is_told_with_the_variable() -> None:
    environ = {"MASKWATCH_CAMERAS__LOBBY__FPS": "3"}
    assert error_of(f"{CAMERA}}}}}", environ) == (
        "environment variable MASKWATCH_CAMERAS__LOBBY__FPS: cameras.LOBBY: key 'source' is missing"
    )


def test_missing_variable_within_a_variable_is_told_with_the_outer_one() -> None:
    message = error_of("", {"MASKWATCH_REDIS": "redis://:${NOPE}@h/0"})
    assert message == "environment variable MASKWATCH_REDIS: redis: environment variable NOPE is not set"


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PASSWORD", "a${HOME}b c"), ("PASSWORD", "  spaces at both ends  "), ("TOKENS__ha", "a${HOME}bcdefghijklmnopq")],
)
def test_secret_in_a_variable_is_taken_as_it_is(variable: str, value: str) -> None:
    web = parse_settings("", {f"MASKWATCH_WEB__{variable}": value, "HOME": "/root"}).web
    secret = web.password if variable == "PASSWORD" else web.tokens["ha"]
    assert secret is not None
    assert secret.get_secret_value() == value


@pytest.mark.parametrize(
    "text",
    [
        "state_dir: ~nobody-of-that-name/x",
        "models: {dir: ~nobody-of-that-name}",
        "blobs: {dir: ~nobody-of-that-name}",
        "jobs: {dir: ~nobody-of-that-name}",
        "jobs: {folders: [/srv, ~nobody-of-that-name]}",
        "web: {password_file: ~nobody-of-that-name/p}",
        "store: {url: 'sqlite:///~nobody-of-that-name/record.db'}",
    ],
)
def test_home_folder_that_nobody_has_is_told(text: str) -> None:
    assert "there is no such home folder; write the whole path" in error_of(text)


def test_user_without_a_home_folder_has_to_say_where_the_state_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert "set state_dir or MASKWATCH_STATE_DIR" in error_of("")
    assert parse_settings("state_dir: /srv/maskwatch", {}).state_dir == Path("/srv/maskwatch")


@pytest.mark.parametrize("end", ["localhost:99999", "localhost:abc/0", "localhost:0/0", "localhost/frames"])
def test_address_of_redis_with_another_port_or_database_is_refused(end: str) -> None:
    message = error_of(f"redis: redis://:hunter2@{end}")
    assert "redis.live: expected a port from 1 to 65535 and the number of a database" in message
    assert "hunter2" not in message


@pytest.mark.parametrize("url", ["redis://localhost", "rediss://:p@h:1/3", "unix:///run/redis.sock?db=1"])
def test_address_of_redis_may_leave_out_what_is_usual(url: str) -> None:
    assert parse_settings(f"redis: {url}", {}).require_redis().live.get_secret_value() == url


@pytest.mark.parametrize(("at", "expected"), [("18:00", "18:00"), ("6:05", "06:05"), ("06:00", "06:00")])
def test_time_of_the_report_needs_no_quotes(at: str, expected: str) -> None:
    assert parse_settings(f"report: {{at: {at}}}", {}).report.at == expected


@pytest.mark.parametrize("text", ["report: {at: 6}", "report: {at: 24:00}", "report: {at: true}"])
def test_time_of_the_report_that_is_none_is_refused(text: str) -> None:
    assert "report.at: expected" in error_of(text)


def test_hour_alone_is_no_time_of_day_for_a_rule() -> None:
    message = error_of(f"{CAMERA}, rules: {{r: {{schedule: {{from: 8, to: 18:00}}}}}}}}}}")
    assert 'schedule.from: expected a time of day from "00:00" to "24:00", received 8' in message
