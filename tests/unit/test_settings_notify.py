"""Receivers as the configuration names them, and who wants to be told of what."""

from __future__ import annotations

import pytest

from maskwatch.errors import ConfigError
from maskwatch.settings import ReceiverSettings, parse_settings
from maskwatch.types import EventKind, Severity
from tests.support_records import an_event

HOOK = "webhook: 'https://me:hunter2@alarms.example.org/in/t0ken', secret: 0123456789abcdef"


def receiver(keys: str = HOOK) -> ReceiverSettings:
    return parse_settings(f"notify: {{receivers: {{ward: {{{keys}}}}}}}", {}).notify.receivers["ward"]


def refusal(keys: str) -> str:
    with pytest.raises(ConfigError) as told:
        receiver(keys)
    return str(told.value)


def test_defaults_are_told_of_what_begins() -> None:
    found = receiver()
    assert found.events == (EventKind.VIOLATION_STARTED, EventKind.CROWD, EventKind.CAMERA_OFFLINE)
    assert (found.cooldown_s, found.snapshot, found.severity) == (60, True, Severity.INFO)
    assert parse_settings("", {}).notify.receivers == {}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("{}", "expected one of apprise, webhook and mqtt, received none"),
        (f"{HOOK}, mqtt: 'mqtt://h'", "received webhook and mqtt"),
        ("webhook: 'https://h/x'", "secret of at least 16 characters"),
        ("webhook: 'https://h/x', secret: short", "secret of at least 16 characters"),
        ("mqtt: 'mqtt://h', secret: 0123456789abcdef", "only beside webhook"),
        ("webhook: 'ftp://h/x', secret: 0123456789abcdef", "begins with https:// or http://"),
        ("webhook: 'https:///x', secret: 0123456789abcdef", "names a host"),
        ("webhook: 'https://h:99999/x', secret: 0123456789abcdef", "names a host"),
        ("mqtt: 'tcp://h'", "begins with mqtts:// or mqtt://"),
        ("mqtt: 'mqtt://h/topic'", "the topic has a key of its own"),
        ("apprise: 'not an address'", "as Apprise writes it"),
        ("apprise: 'mailto://a b'", "as Apprise writes it"),
        ("mqtt: 'mqtt://h', topic: 'a/#'", "no + or #"),
        ("mqtt: 'mqtt://h', topic: '$SYS/x'", "no + or #"),
        ("mqtt: 'mqtt://h', topic: '{password}'", "in braces only camera, kind"),
        ("mqtt: 'mqtt://h', topic: '{camera.x}'", "in braces only camera, kind"),
        ("mqtt: 'mqtt://h', topic: '{camera'", "in braces only camera, kind"),
        (f"{HOOK}, events: []", "at least 1"),
        (f"{HOOK}, events: [fire]", "violation_started"),
        (f"{HOOK}, cooldown: 5", "did you mean 'cooldown_s'"),
    ],
)
def test_wrong_receivers_are_refused_with_what_is_expected(keys: str, said: str) -> None:
    assert said in refusal(keys if keys != "{}" else "")


@pytest.mark.parametrize(
    "keys",
    [
        "webhook: 'https://me:hunter2@h/t0ken', secret: short",
        "webhook: 'https://me:hunter2@ /t0ken', secret: 0123456789abcdef",
        "mqtt: 'mqtt://me:hunter2@h/t0ken'",
        "apprise: 'mailto://me:hunter2 t0ken'",
    ],
)
def test_refusal_tells_no_secret(keys: str) -> None:
    message = refusal(keys)
    assert "hunter2" not in message
    assert "t0ken" not in message


def test_what_is_shown_holds_neither_credentials_nor_paths() -> None:
    assert receiver().shown == "https://alarms.example.org"
    assert receiver("mqtt: 'mqtt://me:hunter2@[::1]:1884', topic: a").shown == "mqtt://[::1]:1884, topic a"
    assert receiver("apprise: 'tgram://b0ttoken/chat'").shown == "tgram (Apprise)"
    assert "hunter2" not in repr(parse_settings(f"notify: {{receivers: {{ward: {{{HOOK}}}}}}}", {}))


def test_address_from_the_environment_is_taken_as_it_is() -> None:
    environ = {"MASKWATCH_NOTIFY__RECEIVERS__ward__APPRISE": "json://127.0.0.1:1"}
    assert parse_settings("", environ).notify.receivers["ward"].way == "apprise"


@pytest.mark.parametrize(
    ("url", "is_open"),
    [("https://h/x", False), ("http://h/x", True), ("http://127.0.0.1/x", False), ("http://[::1]/x", False)],
)
def test_unencrypted_is_what_leaves_the_machine(url: str, is_open: bool) -> None:
    assert receiver(f"webhook: '{url}', secret: 0123456789abcdef").is_open_to_read is is_open


def test_each_filter_counts() -> None:
    started = an_event(1, kind=EventKind.VIOLATION_STARTED)

    def wants(keys: str, **fields: object) -> bool:
        return receiver(f"{HOOK}, {keys}").wants(an_event(1, **({"kind": started.kind} | fields)))

    assert receiver().wants(started)
    assert not receiver().wants(an_event(1, kind=EventKind.VIOLATION_ENDED))
    assert wants("cameras: [lobby, yard]")
    assert not wants("cameras: [yard]")
    assert wants("zones: [door]")
    assert not wants("zones: [desk]")
    assert not wants("zones: [door]", zone="")
    assert not wants("rules: [hats]")
    assert wants("severity: warning")
    assert not wants("severity: critical")
    assert wants("severity: warning", severity=Severity.CRITICAL)


def test_lost_camera_is_told_whatever_zones_and_rules_are_asked_for() -> None:
    lost = an_event(1, kind=EventKind.CAMERA_OFFLINE, zone="", rule="", track_id=None)
    assert receiver(f"{HOOK}, zones: [door], rules: [masks]").wants(lost)
    assert not receiver(f"{HOOK}, cameras: [yard]").wants(lost)


def test_audience_is_everybody_who_wants_it() -> None:
    text = f"notify: {{receivers: {{a: {{{HOOK}}}, b: {{{HOOK}, cameras: [yard]}}, c: {{{HOOK}}}}}}}"
    event = an_event(1, kind=EventKind.CROWD)
    assert parse_settings(text, {}).notify.audience(event) == ("a", "c")
