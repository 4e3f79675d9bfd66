"""Zones and rules in the configuration: what they become, and what is said of wrong ones."""

from __future__ import annotations

import pytest

from maskwatch.errors import ConfigError
from maskwatch.settings import CameraSettings, parse_settings
from maskwatch.types import Severity, Snapshots, StreamFaces
from maskwatch.zones import Rule, Schedule, Zone

DOOR = "{polygon: [[0.1, 0.2], [0.6, 0.2], [0.6, 0.9]]}"


def camera(keys: str, defaults: str = "{}") -> CameraSettings:
    text = f"defaults: {defaults}\ncameras:\n  lobby:\n    source: webcam:0\n" + "".join(
        f"    {line}\n" for line in keys.splitlines()
    )
    return parse_settings(text, {}, name="cameras.yaml").cameras["lobby"]


def error_of(keys: str, defaults: str = "{}") -> str:
    with pytest.raises(ConfigError) as caught:
        camera(keys, defaults)
    return str(caught.value)


def test_camera_has_no_zones_and_rules_and_blurs_snapshots() -> None:
    lobby = camera("")
    assert (lobby.zone_values, lobby.rule_values) == ((), ())
    assert lobby.privacy.snapshots is Snapshots.BLURRED
    assert lobby.privacy.stream is StreamFaces.FULL


def test_require_mask_of_a_zone_is_a_rule_of_its_name() -> None:
    lobby = camera(f"zones: {{door: {DOOR[:-1]}, require_mask: true}}, wall: {DOOR[:-1]}, ignore: true}}}}")
    corners = ((0.1, 0.2), (0.6, 0.2), (0.6, 0.9))
    assert lobby.zone_values == (Zone("door", corners), Zone("wall", corners, is_ignored=True))
    assert lobby.rule_values == (Rule("door", zone="door"),)


def test_rule_has_every_key() -> None:
    lobby = camera(
        f"""zones: {{door: {DOOR}}}
rules:
  shift:
    zone: door
    require: with_mask
    crowd: 4
    schedule: {{days: [fri, mon, fri], from: 22:00, to: "06:30", timezone: Europe/Berlin}}
    evidence: {{of: 8, at_least: 6}}
    grace_s: 1.5
    cooldown_s: 0
    severity: critical"""
    )
    schedule = Schedule((0, 4), 22 * 60, 6 * 60 + 30, "Europe/Berlin")
    assert lobby.rule_values == (
        Rule("shift", "door", True, 4, schedule, 8, 6, 1.5, 0.0, Severity.CRITICAL),
    )  # fmt: skip


def test_crowd_alone_requires_no_mask() -> None:
    (rule,) = camera("rules: {full: {crowd: 3}}").rule_values
    assert (rule.requires_mask, rule.crowd) == (False, 3)
    (rule,) = camera("rules: {full: {crowd: 3, require: with_mask}}").rule_values
    assert (rule.requires_mask, rule.crowd) == (True, 3)


def test_schedule_without_times_is_the_whole_day() -> None:
    (rule,) = camera("rules: {all: {schedule: {days: [sun]}}}").rule_values
    assert rule.schedule == Schedule((6,), 0, 1440, "UTC")


def test_rules_and_zones_are_inherited_key_by_key() -> None:
    defaults = f"{{zones: {{door: {DOOR}}}, rules: {{all: {{grace_s: 9, severity: info}}, busy: {{crowd: 5}}}}}}"
    lobby = camera("rules: {all: {grace_s: 1}, busy: null}", defaults)
    (rule,) = lobby.rule_values
    assert (rule.name, rule.grace_s, rule.severity) == ("all", 1, Severity.INFO)
    assert [zone.name for zone in lobby.zone_values] == ["door"]


def test_environment_reaches_a_rule_and_keeps_its_name() -> None:
    environ = {"MASKWATCH_CAMERAS__lobby__RULES__Night__GRACE_S": "7"}
    settings = parse_settings("cameras: {lobby: {source: webcam:0, rules: {Night: {}}}}", environ)
    assert settings.cameras["lobby"].rules["Night"].grace_s == 7
    with pytest.raises(ConfigError, match="did you mean MASKWATCH_"):
        parse_settings("", {"MASKWATCH_CAMERAS__lobby__RULES__Night__GRACES": "7"})


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (
            "zones:\n  door:\n    polygon: [[0.1, 0.1], [0.9, 0.9], [0.9, 0.1], [0.1, 0.9]]",
            "cameras.yaml:7: cameras.lobby.zones.door.polygon: expected sides that don't cross or lie upon each other, "
            "received side 1 from [0.1, 0.1] to [0.9, 0.9] and side 3 from [0.9, 0.1] to [0.1, 0.9]; list the corners",
        ),
        ("zones: {door: {polygon: [[0, 0], [1, 1]]}}", "zones.door.polygon: expected 3 to 32 corners"),
        ("zones: {door: {polygon: [[0, 0], [320, 1], [1, 0]]}}", "corner 2: expected [x, y] with both from 0 to 1, "),
        ("zones: {door: {polygon: [[0, 0], [320, 1], [1, 0]]}}", "received [320, 1]; they are shares of the picture"),
        ("zones: {door: {polygon: [0, 0, 1, 1]}}", "corner 1: expected [x, y]"),
        ("zones: {door: {polygon: all}}", "expected a list of corners such as [[0.1, 0.2], ...], received 'all'"),
        ("zones: {door: {}}", "cameras.lobby.zones.door: key 'polygon' is missing"),
        (f"zones: {{front door: {DOOR}}}", "zone name 'front door': expected letters, digits, - and _ (at most 32"),
        (f"zones: {{door: {DOOR[:-1]}, polgon: 1}}}}", "zones.door: unknown key 'polgon'; did you mean 'polygon'?"),
        (f"zones: {{door: {DOOR[:-1]}, ignore: true, require_mask: true}}}}", "received both"),
        (f"zones: {{door: {DOOR}}}\nrules:\n  all:\n    zone: dor", "yaml:8: cameras.lobby.rules.all.zone: expected"),
        (f"zones: {{door: {DOOR}}}\nrules: {{all: {{zone: dor}}}}", "expected one of door, received 'dor'; define it"),
        ("rules: {all: {zone: door}}", "expected a zone of this camera, which has none, received 'door'"),
        (f"zones: {{door: {DOOR[:-1]}, ignore: true}}}}\nrules: {{all: {{zone: door}}}}", "a zone that isn't ignored"),
        (f"zones: {{door: {DOOR[:-1]}, require_mask: true}}}}\nrules: {{door: {{}}}}", "rules.door: expected one rule"),
        ("rules: {-x: {}}", "rule name '-x': expected letters"),
        ("rules: {all: {require: null}}", "rules.all: expected require: with_mask or crowd: N, received neither"),
        ("rules: {all: {crowd: 0}}", "rules.all.crowd: expected at least 1, received 0"),
        ("rules: {all: {evidence: {of: 2}}}", "evidence: expected at_least of 2 at most, as `of` is, received 3"),
        ("rules: {all: {evidence: {of: 17}}}", "evidence.of: expected at most 16, received 17"),
        ("rules: {all: {schedule: {form: 1}}}", "schedule: unknown key 'form'; did you mean 'from'?"),
        ("rules: {all: {schedule: {from: 25:00}}}", 'time of day from "00:00" to "24:00", received 1500'),
        ("rules: {all: {schedule: {from: noon}}}", "schedule.from: expected a time of day"),
        ("rules: {all: {schedule: {from: '08:00', to: '08:00'}}}", "expected two times that differ"),
        ("rules: {all: {schedule: {timezone: Berlin}}}", "a name such as Europe/Berlin or UTC, received 'Berlin'"),
        ("rules: {all: {schedule: {timezone: ../../etc/passwd}}}", "timezone: expected a name such as"),
        ("rules: {all: {schedule: {days: [monday]}}}", "schedule.days.0: expected 'mon', 'tue'"),
        ("rules: {all: {schedule: {days: []}}}", "schedule.days: "),
        ("rules: {all: {severity: loud}}", "rules.all.severity: expected 'info', 'warning' or 'critical'"),
        ("privacy: {stream: none}", "privacy.stream: expected 'full' or 'blurred'"),
        ("privacy: {snapshots: all}", "privacy.snapshots: expected 'none', 'blurred' or 'full'"),
        ("zones: {" + ", ".join(f"z{n}: {DOOR}" for n in range(17)) + "}", "expected at most 16 zones, received 17"),
        ("rules: {" + ", ".join(f"r{n}: {{}}" for n in range(17)) + "}", "rules: expected at most 16 rules"),
    ],
)  # fmt: skip
def test_wrong_zone_or_rule_is_told_with_place_and_way_out(keys: str, says: str) -> None:
    message = error_of(keys)
    assert says in message
    assert message.startswith("cameras.yaml:")
