"""What a receiver is told of an event: a title and a text for people, fields for programs, and the picture."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any
from uuid import uuid4

from maskwatch.errors import WireError
from maskwatch.event_words import event_fields, event_words
from maskwatch.events import Event
from maskwatch.types import EventKind, Severity

__all__ = ["TEST_KIND", "Message", "message_of", "trial_message"]

TEST_KIND = "test"
"""In the place of an event's kind, and in the topic."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message, ready for any way of telling.

    Attributes:
        id: of the event; the same whenever it is sent again.
        title: one line.
        text: for people.
        severity: how much it matters.
        fields: for programs, JSON's kinds of values only.
        jpeg: the event's picture, as privacy allowed it to be kept, or None.
    """

    id: str
    title: str
    text: str
    severity: Severity
    fields: Mapping[str, Any]
    jpeg: bytes | None = field(default=None, repr=False)

    def body(self, *, with_picture: bool) -> bytes:
        """Return it as JSON (UTF-8), the picture in base64 if wanted."""
        picture = None
        if with_picture and self.jpeg is not None:
            picture = {"mimetype": "image/jpeg", "base64": base64.b64encode(self.jpeg).decode()}
        return json.dumps({**self.fields, "snapshot": picture}, ensure_ascii=False, allow_nan=False).encode()

    def pack(self) -> bytes:
        """Return it as one line of JSON for another process."""
        jpeg = None if self.jpeg is None else base64.b64encode(self.jpeg).decode()
        values = {
            "id": self.id, "title": self.title, "text": self.text, "severity": self.severity.value,
            "fields": dict(self.fields), "jpeg": jpeg,
        }  # fmt: skip
        return json.dumps(values, allow_nan=False).encode()

    @classmethod
    def unpack(cls, line: bytes) -> Message:
        """Read what `pack` wrote.

        Raises:
            WireError: if it is something else.
        """
        try:
            values = json.loads(line)
            jpeg = values["jpeg"]
            return cls(
                values["id"], values["title"], values["text"], Severity(values["severity"]), values["fields"],
                None if jpeg is None else base64.b64decode(jpeg),
            )  # fmt: skip
        except (ValueError, KeyError, TypeError) as error:
            raise WireError(f"message: expected what Message.pack writes, received another ({error})") from error


def message_of(event: Event, zone: tzinfo | None, jpeg: bytes | None) -> Message:
    """Say what happened.

    Args:
        event: as it was recorded.
        zone: in which times are told; None for this machine's.
        jpeg: its picture, or None.
    """
    local = event.time_utc.astimezone(zone)
    title = f"{event.camera}: {_headline(event)}"
    lines = [f"{title}.", f"Time: {local:%Y-%m-%d %H:%M:%S} ({local.tzname() or 'local time'})"]
    lines += [f"Zone: {event.zone}"] if event.zone else []
    lines += [f"Rule: {event.rule}, {event.severity.value}"] if event.rule else []
    lines += [f"Note: {event.note}"] if event.note else []
    fields = {"title": title, "text": "\n".join(lines), **event_fields(event, zone)}
    return Message(str(event.id), title, "\n".join(lines), event.severity, fields, jpeg)


def trial_message(receiver: str, now_utc: datetime) -> Message:
    """Return a message that says it is a test, with an id of its own.

    Args:
        receiver: whom it is for.
        now_utc: the time, with a time zone.
    """
    id_ = str(uuid4())
    title = "Maskwatch: a test"
    text = f"This is a test of the receiver {receiver!r}. Nothing has happened."
    fields = {
        "title": title, "text": text, "id": id_, "kind": TEST_KIND, "severity": Severity.INFO.value, "camera": "",
        "zone": "", "rule": "", "time": now_utc.isoformat(), "time_utc": now_utc.astimezone(UTC).isoformat(),
    }  # fmt: skip
    return Message(id_, title, text, Severity.INFO, fields)


def _headline(event: Event) -> str:
    words = event_words(event)
    if event.kind is not EventKind.VIOLATION_ENDED:
        return words
    return f"{words}, over" if event.duration_s is None else f"{words}, over after {event.duration_s:.0f} s"
