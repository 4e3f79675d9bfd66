"""Real receivers, through the process that speaks with them: HTTP that checks signatures, SMTP, MQTT; slow and dead."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from datetime import UTC

import pytest

from maskwatch.settings import ReceiverSettings
from maskwatch.types import EventKind, Verdict
from tests.support import free_port, wait_for
from tests.support_receivers import SECRET, Broker, Hook, Mails, broker, dripping, hook, mails, receiver, silent
from tests.support_records import an_event
from workers.notify.message import Message, message_of
from workers.notify.outcome import Outcome, Result
from workers.notify.sending import Sending

pytestmark = pytest.mark.timeout(600)

JPEG = b"\xff\xd8" + bytes(range(256)) * 400 + b"\xff\xd9"
GENEROUS_S = 60.0


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that speaks with receivers takes its time to begin on a busy machine."""
    monkeypatch.setattr("workers.notify.sending.START_S", GENEROUS_S)


@pytest.fixture
def taker() -> Iterator[Hook]:
    with hook() as taker:
        yield taker


@pytest.fixture
def post() -> Iterator[Mails]:
    with mails() as post:
        yield post


@pytest.fixture(scope="module")
def running_broker() -> Iterator[Broker]:
    with broker() as running:
        yield running


def message(number: int = 1, jpeg: bytes | None = JPEG) -> Message:
    event = an_event(number, kind=EventKind.VIOLATION_STARTED, verdict=Verdict.WITHOUT_MASK, note="Straße 🙂")
    return message_of(event, UTC, jpeg)


def send(to: ReceiverSettings, *messages: Message, send_s: float = GENEROUS_S) -> list[Outcome]:
    with Sending(to, send_s) as sending:
        return [sending.send(one) for one in messages or (message(),)]


def test_webhook_can_check_who_speaks_and_sees_the_picture(taker: Hook) -> None:
    outcomes = send(receiver(webhook=taker.url, secret=SECRET), message(1), message(2, None))
    assert outcomes == [Outcome(Result.SENT, "answered 204")] * 2
    assert (len(taker.genuine), taker.forged) == (2, 0)
    first, second = taker.genuine
    assert taker.ids == [first["id"], second["id"]]
    assert (first["camera"], first["kind"], first["note"]) == ("lobby", "violation_started", "Straße 🙂")
    assert base64.b64decode(first["snapshot"]["base64"]) == JPEG
    assert second["snapshot"] is None


def test_webhook_with_another_secret_is_seen_through(taker: Hook) -> None:
    send(receiver(webhook=taker.url, secret="another-secret-of-somebody"))
    assert (taker.genuine, taker.forged) == ([], 1)


def test_webhook_gets_user_and_password_as_a_header(taker: Hook) -> None:
    url = taker.url.replace("http://", "http://me:p%40ss@") + "?a=1#part"
    assert send(receiver(webhook=url, secret=SECRET))[0].result is Result.SENT
    assert base64.b64decode(taker.headers["Authorization"].removeprefix("Basic ")) == b"me:p@ss"


@pytest.mark.parametrize(
    ("status", "result", "said"),
    [
        (200, Result.SENT, "answered 200"),
        (302, Result.FAILED, "redirects aren't followed"),
        (401, Result.FAILED, "answered 401"),
        (413, Result.REFUSED, "doesn't take this message"),
        (429, Result.FAILED, "answered 429"),
        (500, Result.FAILED, "answered 500"),
    ],
)
def test_answer_of_a_webhook_decides(taker: Hook, status: int, result: Result, said: str) -> None:
    taker.status = status
    with hook() as elsewhere:
        taker.location = elsewhere.url if status == 302 else ""
        (outcome,) = send(receiver(webhook=taker.url, secret=SECRET))
        assert elsewhere.ids == []
    assert outcome.result is result
    assert said in outcome.text


def test_mail_arrives_with_title_text_and_picture(post: Mails) -> None:
    assert [one.result for one in send(receiver(apprise=post.apprise))] == [Result.SENT]
    (mail,) = post.got
    assert "lobby: no mask" in str(mail["Subject"])
    assert str(mail["To"]) == "ward@example.org"
    parts = {part.get_content_type(): part for part in mail.walk()}
    assert parts["image/jpeg"].get_payload(decode=True) == JPEG
    texts = [part.get_content() for kind, part in parts.items() if kind.startswith("text/")]
    assert any("Straße" in text and "Zone: door" in text for text in texts)


def test_mail_that_is_refused_is_a_failure(post: Mails) -> None:
    post.refuses = True
    (outcome,) = send(receiver(apprise=post.apprise))
    assert outcome.result is Result.FAILED
    assert post.got == []


def test_address_that_apprise_cannot_read_says_so() -> None:
    (outcome,) = send(receiver(apprise="nosuchservice://hunter2@example.org"))
    assert outcome.result is Result.FAILED
    assert "can't read the address" in outcome.text
    assert "hunter2" not in outcome.text


def test_broker_gets_the_message_and_the_picture_under_their_topics(running_broker: Broker) -> None:
    to = receiver(mqtt=running_broker.url, topic="m/{camera}/{zone}/{kind}")
    with running_broker.listening():
        outcomes = send(to, message(1), message(2, None))
        assert [one.result for one in outcomes] == [Result.SENT, Result.SENT]
        wait_for(lambda: len(running_broker.got) >= 3, GENEROUS_S, "three messages")
    (where, picture), (topic, body), (again, _body) = running_broker.got
    assert (where, picture) == ("m/lobby/door/violation_started/snapshot", JPEG)
    assert topic == again == "m/lobby/door/violation_started"
    assert json.loads(body)["title"] == "lobby: no mask"
    assert json.loads(body)["snapshot"] is None


def test_broker_that_does_not_know_us_says_so(running_broker: Broker) -> None:
    (outcome,) = send(receiver(mqtt=running_broker.url.replace(SECRET, "hunter2")))
    assert outcome.result is Result.FAILED
    assert "refused us" in outcome.text
    assert "hunter2" not in outcome.text


def test_broker_that_ends_between_two_messages_is_found_again() -> None:
    with broker() as first, Sending(receiver(mqtt=first.url), GENEROUS_S) as sending:
        assert sending.send(message(1)).result is Result.SENT
        port = first.port
        first.process.kill()
        first.process.wait(10)
        assert sending.send(message(2)).result is Result.FAILED
        with broker(port) as second, second.listening():
            assert sending.send(message(3, None)).result is Result.SENT
            wait_for(lambda: second.got, GENEROUS_S, "the message")


def test_dead_receivers_are_told_at_once() -> None:
    port = free_port()
    for to in (
        receiver(webhook=f"http://127.0.0.1:{port}/x", secret=SECRET),
        receiver(mqtt=f"mqtt://me:hunter2@127.0.0.1:{port}"),
        receiver(apprise=f"mailto://127.0.0.1:{port}?from=a@example.org&to=b@example.org"),
    ):
        (outcome,) = send(to)
        assert outcome.result is Result.FAILED
        assert "hunter2" not in outcome.text


@pytest.mark.parametrize("way", ["webhook", "mqtt", "apprise"])
@pytest.mark.parametrize("peer", [silent, dripping])
def test_slow_receiver_is_left_in_time(way: str, peer: object) -> None:
    with peer() as port:  # type: ignore[operator]
        to = {
            "webhook": lambda: receiver(webhook=f"http://127.0.0.1:{port}/x", secret=SECRET),
            "mqtt": lambda: receiver(mqtt=f"mqtt://127.0.0.1:{port}"),
            "apprise": lambda: receiver(apprise=f"json://127.0.0.1:{port}/x?rto=100&cto=100"),
        }[way]()
        began = time.monotonic()
        outcomes = send(to, message(1), message(2), send_s=1.5)
        # Two processes and two time-outs; the peers would go on for ever.
        assert time.monotonic() - began < 2 * (GENEROUS_S + 1.5) + 10
    assert [one.result for one in outcomes] == [Result.FAILED, Result.FAILED]


def test_process_that_dies_is_a_failure_and_the_next_message_gets_another(taker: Hook) -> None:
    with Sending(receiver(webhook=taker.url, secret=SECRET), GENEROUS_S) as sending:
        assert sending.send(message(1)).result is Result.SENT
        process = sending._process
        assert process is not None
        process.kill()
        process.wait(10)
        assert sending.send(message(2)) == Outcome(Result.FAILED, "the sending process died")
        assert sending.send(message(2)).result is Result.SENT
    assert len(taker.genuine) == 2


def test_no_process_is_left_behind(taker: Hook) -> None:
    with Sending(receiver(webhook=taker.url, secret=SECRET), GENEROUS_S) as sending:
        sending.send(message())
        process = sending._process
    assert process is not None
    assert process.returncode == 0
