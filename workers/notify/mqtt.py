"""MQTT: JSON under a topic, the picture under TOPIC/snapshot, each acknowledged by the broker (QoS 1)."""

from __future__ import annotations

import re
import secrets
import string
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from workers.notify.message import TEST_KIND, Message
from workers.notify.outcome import Outcome, Result, failed

if TYPE_CHECKING:
    from paho.mqtt.client import Client

__all__ = ["Mqtt", "topic_of"]

_TIMEOUT_S = 8.0
"""Of connecting, and of all acknowledgements of one message."""
_KEEPALIVE_S = 30
_PORT, _TLS_PORT = 1883, 8883
_UNSAFE = re.compile(r"[+#/\x00]")


def topic_of(template: str, message: Message) -> str:
    """Return a message's topic; what is empty is a hyphen, so that every topic has as many levels."""
    fields = message.fields
    if fields.get("kind") == TEST_KIND:
        fields = {**fields, "camera": TEST_KIND}
    wanted = [key for _text, key, _form, _change in string.Formatter().parse(template) if key]
    values = {key: _UNSAFE.sub("-", str(fields.get(key) or "")) or "-" for key in wanted}
    return template.format(**values)


class Mqtt:
    """A connection to one broker, made when it is needed.

    Args:
        url: mqtt://USER:PASSWORD@HOST:PORT, or mqtts:// for TLS.
        topic: template as `topic_of` takes it.
    """

    def __init__(self, url: str, topic: str) -> None:
        self._parts = urlsplit(url)
        self._topic = topic
        self._client: Client | None = None
        self._connected = threading.Event()
        self._refusal = ""

    def send(self, message: Message) -> Outcome:
        """Publish one message and wait until the broker has it."""
        ends_at_s = time.monotonic() + _TIMEOUT_S
        try:
            client = self._open(ends_at_s)
            if client is None:
                return failed(self._refusal or "the broker didn't answer in time")
            topic = topic_of(self._topic, message)
            # The picture first: whoever waits for the message finds it there.
            told = [(f"{topic}/snapshot", message.jpeg)] if message.jpeg is not None else []
            for where, payload in [*told, (topic, message.body(with_picture=False))]:
                info = client.publish(where, payload, qos=1)
                info.wait_for_publish(max(0.0, ends_at_s - time.monotonic()))
                if not info.is_published():
                    self.close()
                    return failed("the broker acknowledged nothing in time")
        except (OSError, ValueError, RuntimeError) as error:
            self.close()
            return failed("no connection", error)
        return Outcome(Result.SENT, f"the broker has it, topic {topic}")

    def close(self) -> None:
        """Say goodbye to the broker, if there is one."""
        client, self._client = self._client, None
        self._connected.clear()
        if client is not None:
            client.disconnect()
            client.loop_stop()

    def _open(self, ends_at_s: float) -> Client | None:
        """Return a client that is connected, or None when the broker doesn't want us or says nothing."""
        if self._client is not None and self._client.is_connected():
            return self._client
        self.close()
        self._refusal = ""
        client = self._new()
        is_tls = self._parts.scheme == "mqtts"
        client.connect_timeout = _TIMEOUT_S
        client.connect(str(self._parts.hostname), self._parts.port or (_TLS_PORT if is_tls else _PORT), _KEEPALIVE_S)
        self._client = client
        client.loop_start()
        self._connected.wait(max(0.0, ends_at_s - time.monotonic()))
        if client.is_connected() and not self._refusal:
            return client
        self.close()
        return None

    def _new(self) -> Client:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        # Version 3.1.1 of the protocol, which every broker speaks.
        client = Client(CallbackAPIVersion.VERSION2, client_id=f"maskwatch-{secrets.token_hex(6)}")
        if self._parts.username is not None:
            client.username_pw_set(unquote(self._parts.username), unquote(self._parts.password or ""))
        if self._parts.scheme == "mqtts":
            client.tls_set()

        def on_connect(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            self._refusal = f"the broker refused us: {reason}" if reason.is_failure else ""
            self._connected.set()

        client.on_connect = on_connect
        return client
