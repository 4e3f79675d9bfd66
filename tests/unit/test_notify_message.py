"""What receivers are told, and how: words, JSON, topics, signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from maskwatch.errors import WireError
from maskwatch.types import EventKind, Severity, Verdict
from tests.support import ROOT
from tests.support_records import NOON, an_event
from workers.notify.message import Message, message_of, trial_message
from workers.notify.mqtt import topic_of
from workers.notify.outcome import Result, failed
from workers.notify.sending import read_answer
from workers.notify.service import redacted
from workers.notify.webhook import signature

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({"kind": EventKind.VIOLATION_STARTED, "verdict": Verdict.WITHOUT_MASK}, "lobby: no mask"),
        ({"kind": EventKind.VIOLATION_STARTED, "verdict": Verdict.INCORRECT_MASK}, "lobby: mask worn wrongly"),
        ({"kind": EventKind.VIOLATION_STARTED}, "lobby: no proper mask"),
        ({"verdict": Verdict.WITHOUT_MASK, "duration_s": 4.4}, "lobby: no mask, over after 4 s"),
        ({"verdict": Verdict.WITHOUT_MASK}, "lobby: no mask, over"),
        ({"kind": EventKind.CROWD, "people": 13}, "lobby: 13 people at once"),
        ({"kind": EventKind.CROWD}, "lobby: more people than allowed"),
        ({"kind": EventKind.CAMERA_OFFLINE}, "lobby: camera lost"),
        ({"kind": EventKind.CAMERA_ONLINE}, "lobby: camera live"),
    ],
)
def test_title_says_where_and_what(fields: dict[str, object], title: str) -> None:
    assert message_of(an_event(1, **fields), UTC, None).title == title


def test_text_says_when_by_the_clock_of_the_time_zone() -> None:
    text = message_of(an_event(1, note="Straße"), BERLIN, None).text
    assert "Time: 2026-03-28 13:00:00 (CET)" in text
    assert "Zone: door" in text
    assert "Rule: masks, warning" in text
    assert "Note: Straße" in text
    bare = message_of(an_event(1, kind=EventKind.CAMERA_OFFLINE, zone="", rule=""), BERLIN, None).text
    assert "Zone" not in bare
    assert "Rule" not in bare


def test_body_holds_the_event_and_the_picture_if_wanted() -> None:
    event = an_event(1, verdict=Verdict.WITHOUT_MASK, scores=(0.1, 0.7, 0.2), looks=7, note="ü")
    message = message_of(event, BERLIN, b"jpeg")
    body = json.loads(message.body(with_picture=True))
    assert (body["id"], body["camera"], body["zone"], body["rule"]) == (str(event.id), "lobby", "door", "masks")
    assert (body["time"], body["time_utc"]) == ("2026-03-28T13:00:00+01:00", NOON.isoformat())
    assert body["scores"] == {"with_mask": 0.1, "without_mask": 0.7, "incorrect_mask": 0.2}
    assert base64.b64decode(body["snapshot"]["base64"]) == b"jpeg"
    assert json.loads(message.body(with_picture=False))["snapshot"] is None


def test_message_is_read_as_it_was_packed() -> None:
    for message in (message_of(an_event(1, note="ü\n"), UTC, b"\0\xff"), trial_message("ward", NOON)):
        line = message.pack()
        assert b"\n" not in line
        assert Message.unpack(line) == message
    with pytest.raises(WireError, match="expected what"):
        Message.unpack(b"{}")


def test_trial_says_that_it_is_one() -> None:
    message = trial_message("ward", datetime.now(UTC))
    assert "test" in message.title
    assert (message.fields["kind"], message.severity, message.jpeg) == ("test", Severity.INFO, None)


def test_topic_is_filled_in_and_safe() -> None:
    template = "m/{camera}/{zone}/{rule}/{kind}/{severity}"
    assert topic_of(template, message_of(an_event(1), UTC, None)) == "m/lobby/door/masks/violation_ended/warning"
    odd = an_event(1, camera="a/+#\0b", zone="")
    assert topic_of(template, message_of(odd, UTC, None)).startswith("m/a----b/-/masks/")
    assert topic_of("m/{camera}/{kind}", trial_message("ward", NOON)) == "m/test/test"


def test_signature_covers_the_time_and_every_byte() -> None:
    wanted = hmac.new(b"key", b"1700000000.{}", hashlib.sha256).hexdigest()
    assert signature("key", "1700000000", b"{}") == f"sha256={wanted}"
    others = {
        signature("key", "1700000001", b"{}"),
        signature("key", "1700000000", b"{ }"),
        signature("k", "1700000000", b"{}"),
    }
    assert f"sha256={wanted}" not in others


def test_check_in_the_document_takes_what_is_genuine_and_nothing_else() -> None:
    code = (ROOT / "docs" / "notifications.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {}
    exec(code, names)

    def is_genuine(body: bytes, secret: str = "key", age_s: int = 0) -> bool:
        timestamp = str(int(time.time()) - age_s)
        headers = {"X-Maskwatch-Timestamp": timestamp, "X-Maskwatch-Signature": signature(secret, timestamp, b"{}")}
        found: bool = names["is_genuine"](headers, body, b"key")
        return found

    assert is_genuine(b"{}")
    assert not is_genuine(b"{ }")
    assert not is_genuine(b"{}", "another")
    assert not is_genuine(b"{}", age_s=1000)


def test_no_part_of_an_address_is_told() -> None:
    url = "tgram://12345:b0tT0ken/98765/?format=text"
    said = redacted("POST https://api.telegram.org/botb0tT0ken/send to 98765 failed: 401", url)
    assert "b0tT0ken" not in said
    assert "98765" not in said
    assert said.endswith("failed: 401")
    assert "p@ss word" not in redacted("login with p@ss word", "mailto://me:p%40ss%20word@example.org")


def test_failure_tells_why_without_credentials_and_in_one_line() -> None:
    outcome = failed("no connection", OSError("can't reach https://me:hunter2@h/x\nbecause\n" + "y" * 1000))
    assert outcome.result is Result.FAILED
    heard = read_answer(json.dumps({"result": outcome.result.value, "text": outcome.text}).encode())
    assert heard.result is Result.FAILED
    assert heard.text.startswith("no connection: can't reach https://***@h/x because y")
    assert len(heard.text) <= 300
    for line in (b"", b"{}", b"[]", b'{"result": "maybe", "text": ""}'):
        with pytest.raises(WireError):
            read_answer(line)
    assert failed("no connection", TimeoutError()).text == "no connection: TimeoutError"
