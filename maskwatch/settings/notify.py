"""Who is told of what: receivers of notifications, with their addresses, filters and cool-downs."""

from __future__ import annotations

import re
import string
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from maskwatch.events import Event
from maskwatch.settings.part import Part
from maskwatch.settings.rules import NAME_PATTERN
from maskwatch.settings.web import is_loopback
from maskwatch.types import EventKind, Severity

__all__ = ["TOPIC_FIELDS", "NotifySettings", "ReceiverSettings"]

TOPIC_FIELDS = ("camera", "kind", "zone", "rule", "severity")
"""What may stand in braces in an MQTT topic."""

_SHORTEST_SECRET = 16
_LONGEST_TOPIC = 512
_MOST_RECEIVERS = 100
_APPRISE = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://\S+$")
_BY_RISING_SEVERITY = tuple(Severity)
_OF_CAMERAS = frozenset({EventKind.CAMERA_OFFLINE, EventKind.CAMERA_ONLINE})
"""They belong to no zone and to no rule."""


class ReceiverSettings(Part):
    """Somebody, or some program, that is told of events; exactly one of `apprise`, `webhook` and `mqtt`."""

    apprise: SecretStr | None = Field(default=None, description="address as Apprise writes it: mailtos://, tgram://...")
    webhook: SecretStr | None = Field(default=None, description="https:// or http:// URL that takes signed JSON")
    secret: SecretStr | None = Field(default=None, description="that signs a webhook's bodies, 16 characters at least")
    mqtt: SecretStr | None = Field(default=None, description="mqtt://USER:PASSWORD@HOST:PORT, or mqtts:// for TLS")
    topic: str = Field(default="maskwatch/{camera}/{kind}", description="of MQTT; pictures go to TOPIC/snapshot")
    events: tuple[EventKind, ...] = Field(
        default=(EventKind.VIOLATION_STARTED, EventKind.CROWD, EventKind.CAMERA_OFFLINE), min_length=1
    )
    cameras: tuple[str, ...] = Field(default=(), description="empty: all")
    zones: tuple[str, ...] = Field(default=(), description="empty: all, and whole pictures")
    rules: tuple[str, ...] = Field(default=(), description="empty: all")
    severity: Severity = Field(default=Severity.INFO, description="least: info, warning or critical")
    cooldown_s: float = Field(default=60.0, ge=0, le=86_400, description="seconds in which one rule is told of once")
    snapshot: bool = Field(default=True, description="send the event's picture where there is one")

    @field_validator("apprise")
    @classmethod
    def _is_apprise(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _APPRISE.match(value.get_secret_value()):
            raise ValueError("expected one address as Apprise writes it, such as mailtos://USER:PASSWORD@example.org")
        return value

    @field_validator("webhook")
    @classmethod
    def _is_web(cls, value: SecretStr | None) -> SecretStr | None:
        return _checked(value, ("https", "http"))

    @field_validator("mqtt")
    @classmethod
    def _is_mqtt(cls, value: SecretStr | None) -> SecretStr | None:
        value = _checked(value, ("mqtts", "mqtt"))
        if value is not None and urlsplit(value.get_secret_value()).path.strip("/"):
            raise ValueError("expected a URL without a path; the topic has a key of its own")
        return value

    @field_validator("topic")
    @classmethod
    def _is_topic(cls, value: str) -> str:
        try:
            fields = [field for _text, field, _form, _change in string.Formatter().parse(value) if field is not None]
            value.format(**dict.fromkeys(TOPIC_FIELDS, "x"))
        except (ValueError, KeyError, IndexError, AttributeError):
            fields = [""]
        if any(field not in TOPIC_FIELDS for field in fields):
            raise ValueError(f"expected in braces only {', '.join(TOPIC_FIELDS)}")
        is_plain = value and not value.startswith(("$", "/")) and not value.endswith("/")
        if not is_plain or any(letter in value for letter in "+#\0") or len(value) > _LONGEST_TOPIC:
            raise ValueError("expected a topic to publish under: no + or #, neither / nor $ first, no / last")
        return value

    @model_validator(mode="after")
    def _is_one_way(self) -> ReceiverSettings:
        ways = [name for name in ("apprise", "webhook", "mqtt") if getattr(self, name) is not None]
        if len(ways) != 1:
            received = " and ".join(ways) if ways else "none"
            raise ValueError(f"expected one of apprise, webhook and mqtt, received {received}")
        if self.webhook is None and self.secret is not None:
            raise ValueError("expected a secret only beside webhook; remove it")
        if self.webhook is not None and len(self.secret.get_secret_value() if self.secret else "") < _SHORTEST_SECRET:
            raise ValueError(
                f"expected a secret of at least {_SHORTEST_SECRET} characters beside webhook, by which its receiver "
                "knows who speaks; `openssl rand -hex 32` makes one"
            )
        return self

    @property
    def way(self) -> str:
        """By what it is told: apprise, webhook or mqtt."""
        return "apprise" if self.apprise else "webhook" if self.webhook else "mqtt"

    @property
    def shown(self) -> str:
        """Where it is, for people; paths are left out too, since for many services they are the password."""
        if self.apprise is not None:
            return f"{self.apprise.get_secret_value().partition(':')[0]} (Apprise)"
        url = self.webhook or self.mqtt
        assert url is not None
        parts = urlsplit(url.get_secret_value())
        port = f":{parts.port}" if parts.port else ""
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{host}{port}" + (f", topic {self.topic}" if self.mqtt else "")

    @property
    def is_open_to_read(self) -> bool:
        """Whether messages leave this machine without encryption, as far as the address tells."""
        url = self.webhook or self.mqtt
        parts = urlsplit(url.get_secret_value() if url else "")
        return parts.scheme in ("http", "mqtt") and not is_loopback(parts.hostname or "")

    def wants(self, event: Event) -> bool:
        """Tell whether it is to be told of an event; its cool-down is another matter."""
        if event.kind not in self.events or (self.cameras and event.camera not in self.cameras):
            return False
        if _BY_RISING_SEVERITY.index(event.severity) < _BY_RISING_SEVERITY.index(self.severity):
            return False
        if event.kind in _OF_CAMERAS:
            return True
        return (not self.zones or event.zone in self.zones) and (not self.rules or event.rule in self.rules)


class NotifySettings(Part):
    """Who is told."""

    receivers: dict[Annotated[str, Field(pattern=NAME_PATTERN)], ReceiverSettings] = Field(
        default_factory=dict, max_length=_MOST_RECEIVERS
    )

    def audience(self, event: Event) -> tuple[str, ...]:
        """Return the names of those who want to be told of an event."""
        return tuple(name for name, receiver in self.receivers.items() if receiver.wants(event))


def _checked(value: SecretStr | None, schemes: tuple[str, ...]) -> SecretStr | None:
    """Refuse what is no URL of one of these schemes with a host; the message never holds it."""
    if value is None:
        return None
    wrong = ValueError(
        f"expected a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)} and names a host; a "
        "password with special characters must be percent-encoded, or kept in a variable: ${NAME} is encoded by itself"
    )
    text = value.get_secret_value()
    try:
        parts = urlsplit(text)
        is_fine = parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        raise wrong from None
    if not is_fine or any(letter.isspace() for letter in text):
        raise wrong
    return value
