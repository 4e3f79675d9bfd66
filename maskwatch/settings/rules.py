"""The fields of a camera's zones, rules and privacy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from maskwatch.settings.part import Part
from maskwatch.types import Severity, Snapshots, StreamFaces
from maskwatch.zones import DAYS, MINUTES_A_DAY, MOST_LOOKS, MOST_RULES, Rule, Schedule, Zone, crossing

__all__ = [
    "NAME_PATTERN",
    "AtKey",
    "EvidenceSettings",
    "PrivacySettings",
    "RuleSettings",
    "ScheduleSettings",
    "ZoneSettings",
    "check_together",
    "rules_of",
    "zones_of",
]

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$"
"""Of zones and rules: as cameras', but shorter, since a camera's state holds them."""

_MOST_CORNERS = 32
_CLOCK = re.compile(r"^([01]?[0-9]|2[0-4]):([0-5][0-9])$")

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Unit = Annotated[float, Field(ge=0, le=1)]


class ZoneSettings(Part):
    """A named part of a camera's picture."""

    polygon: tuple[tuple[Unit, Unit], ...] = Field(description="corners [x, y], 0..1 of the picture's width and height")
    require_mask: bool = Field(default=False, description="short for a rule of the zone's name with all defaults")
    ignore: bool = Field(default=False, description="painted black before the picture leaves ingest")

    @field_validator("polygon", mode="before")
    @classmethod
    def _has_corners(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            raise ValueError(f"expected a list of corners such as [[0.1, 0.2], ...], received {_short(value)}")
        for number, corner in enumerate(value, 1):
            is_pair = isinstance(corner, list | tuple) and len(corner) == 2 and all(map(_is_unit, corner))
            if not is_pair:
                raise ValueError(
                    f"corner {number}: expected [x, y] with both from 0 to 1, received {_short(corner)}; "
                    "they are shares of the picture's width and height, not pixels"
                )
        return value

    @field_validator("polygon")
    @classmethod
    def _is_polygon(cls, value: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        if not 3 <= len(value) <= _MOST_CORNERS:
            raise ValueError(f"expected 3 to {_MOST_CORNERS} corners such as [0.1, 0.2], received {len(value)}")
        sides = crossing(value)
        if sides is not None:
            first, second = (_side(value, number) for number in sides)
            raise ValueError(
                f"expected sides that don't cross or lie upon each other, received {first} and {second}; "
                "list the corners in the order in which one walks around the zone"
            )
        return value

    @model_validator(mode="after")
    def _ignored_has_no_rule(self) -> ZoneSettings:
        if self.ignore and self.require_mask:
            raise ValueError("expected ignore: true or require_mask: true, received both; nobody is seen in black")
        return self


class ScheduleSettings(Part):
    """When a rule holds, by the clocks on the walls of a time zone."""

    days: tuple[Day, ...] = Field(default=get_args(Day), min_length=1, description="on which it begins")
    start: int = Field(default=0, alias="from", description='from then on, such as "08:00"')
    end: int = Field(default=MINUTES_A_DAY, alias="to", description="until then; an earlier time is on the next day")
    timezone: str = Field(default="UTC", description="name in the IANA database, such as Europe/Berlin")

    @field_validator("start", "end", mode="before")
    @classmethod
    def _minutes(cls, value: object) -> int:
        # YAML 1.1 reads 18:00 without quotes as a number of base 60: the very minutes that are meant. No time that it
        # reads so is below 1:00, so a lone 8 is meant to be something else.
        if isinstance(value, int) and not isinstance(value, bool) and (value == 0 or 60 <= value <= MINUTES_A_DAY):
            return value
        match = _CLOCK.match(value.strip()) if isinstance(value, str) else None
        minutes = int(match[1]) * 60 + int(match[2]) if match else -1
        if not 0 <= minutes <= MINUTES_A_DAY:
            raise ValueError(f'expected a time of day from "00:00" to "24:00", received {value!r}')
        return minutes

    @field_validator("timezone")
    @classmethod
    def _is_timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, OSError, ValueError):
            raise ValueError(f"expected a name such as Europe/Berlin or UTC, received {value!r}") from None
        return value

    @model_validator(mode="after")
    def _lasts(self) -> ScheduleSettings:
        if self.start % MINUTES_A_DAY == self.end % MINUTES_A_DAY and self.end != self.start + MINUTES_A_DAY:
            raise ValueError("expected two times that differ, received the same; leave both out for the whole day")
        return self

    def value(self) -> Schedule:
        """Return it as the workers use it."""
        days = tuple(sorted({DAYS.index(day) for day in self.days}))
        return Schedule(days, self.start % MINUTES_A_DAY, self.end, self.timezone)


class EvidenceSettings(Part):
    """How many looks at one person are asked, and how many have to be against the rule."""

    of: int = Field(default=5, ge=1, le=MOST_LOOKS, description="newest looks at a person")
    at_least: int = Field(default=3, ge=1, le=MOST_LOOKS, description="of them have to be against the rule")

    @model_validator(mode="after")
    def _is_possible(self) -> EvidenceSettings:
        if self.at_least > self.of:
            raise ValueError(f"expected at_least of {self.of} at most, as `of` is, received {self.at_least}")
        return self


class RuleSettings(Part):
    """What is to be reported of a camera."""

    zone: str | None = Field(default=None, description="name of one of the camera's zones; empty: the whole picture")
    require: Literal["with_mask"] | None = Field(default=None, description="with_mask unless there is `crowd`")
    crowd: int | None = Field(default=None, ge=1, le=1000, description="more people at once than this are reported")
    schedule: ScheduleSettings | None = Field(default=None, description="when it holds; empty: always")
    evidence: EvidenceSettings = Field(default_factory=EvidenceSettings)
    grace_s: float = Field(default=2.0, ge=0, le=3600, description="seconds that it has to last before it is reported")
    cooldown_s: float = Field(
        default=30.0, ge=0, le=86400, description="seconds before the same is reported again of the same person"
    )
    severity: Severity = Severity.WARNING

    @model_validator(mode="before")
    @classmethod
    def _requires_a_mask_by_itself(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and value.get("crowd") is None and "require" not in value:
            return {**value, "require": "with_mask"}
        return value

    @model_validator(mode="after")
    def _says_something(self) -> RuleSettings:
        if self.require is None and self.crowd is None:
            raise ValueError("expected require: with_mask or crowd: N, received neither; nothing would be reported")
        return self


class PrivacySettings(Part):
    """What may be kept and seen of the people in front of a camera."""

    snapshots: Snapshots = Field(default=Snapshots.BLURRED, description="none, blurred (all faces) or full")
    stream: StreamFaces = Field(default=StreamFaces.FULL, description="live pictures: full or blurred (all faces)")


def zones_of(zones: Mapping[str, ZoneSettings]) -> tuple[Zone, ...]:
    """Return a camera's zones as values."""
    return tuple(Zone(name, zone.polygon, zone.ignore) for name, zone in zones.items())


def rules_of(zones: Mapping[str, ZoneSettings], rules: Mapping[str, RuleSettings]) -> tuple[Rule, ...]:
    """Return a camera's rules as values, those that zones have by `require_mask` first."""
    short = {name: RuleSettings(zone=name) for name, zone in zones.items() if zone.require_mask}
    return tuple(_rule(name, rule) for name, rule in {**short, **rules}.items())


class AtKey(ValueError):
    """A value is wrong though its part looks right by itself.

    Attributes:
        path: keys that lead to it from where it is raised.
    """

    def __init__(self, path: tuple[str, ...], message: str) -> None:
        super().__init__(message)
        self.path = path


def check_together(zones: Mapping[str, ZoneSettings], rules: Mapping[str, RuleSettings]) -> None:
    """Refuse zones and rules that don't go together.

    Raises:
        AtKey: saying where, what was expected and what was received.
    """
    if len(zones) > MOST_RULES:
        raise AtKey(("zones",), f"expected at most {MOST_RULES} zones, received {len(zones)}")
    for name, rule in rules.items():
        if name in zones and zones[name].require_mask:
            raise AtKey(
                ("rules", name),
                f"expected one rule of this name, received another by require_mask: true of zone {name!r}; remove one",
            )
        if rule.zone is not None and rule.zone not in zones:
            known = f"one of {', '.join(zones)}" if zones else "a zone of this camera, which has none"
            hint = "define it under zones, or leave the key out for the whole picture"
            raise AtKey(("rules", name, "zone"), f"expected {known}, received {rule.zone!r}; {hint}")
        if rule.zone is not None and zones[rule.zone].ignore:
            text = f"expected a zone that isn't ignored, received {rule.zone!r}; nothing can happen where it's black"
            raise AtKey(("rules", name, "zone"), text)
    number = len(rules_of(zones, rules))
    if number > MOST_RULES:
        raise AtKey(("rules",), f"expected at most {MOST_RULES} rules with those of zones, received {number}")


def _rule(name: str, rule: RuleSettings) -> Rule:
    return Rule(
        name=name,
        zone=rule.zone or "",
        requires_mask=rule.require is not None,
        crowd=rule.crowd,
        schedule=rule.schedule.value() if rule.schedule else None,
        looks_of=rule.evidence.of,
        looks_at_least=rule.evidence.at_least,
        grace_s=rule.grace_s,
        cooldown_s=rule.cooldown_s,
        severity=rule.severity,
    )


def _side(polygon: tuple[tuple[float, float], ...], number: int) -> str:
    (ax, ay), (bx, by) = polygon[number - 1], polygon[number % len(polygon)]
    return f"side {number} from [{ax:g}, {ay:g}] to [{bx:g}, {by:g}]"


def _is_unit(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
