"""Real receivers of notifications: a web server that checks signatures, a mail server, an MQTT broker; slow ones."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from maskwatch.settings import ReceiverSettings, parse_settings
from tests.support import free_port, requires_debian, wait_for

__all__ = ["SECRET", "Broker", "Hook", "Mails", "broker", "dripping", "hook", "mails", "receiver", "silent"]

SECRET = "0123456789abcdef-secret"


def receiver(**keys: object) -> ReceiverSettings:
    """Make a receiver from its keys."""
    return parse_settings("", {}, overrides={"notify": {"receivers": {"ward": keys}}}).notify.receivers["ward"]


@dataclass
class Hook:
    """A webhook's other end.

    Attributes:
        url: its address.
        status: what it answers.
        location: where it sends those that it redirects.
        genuine: bodies whose signature and time were right.
        forged: how many others came.
        ids: of all messages, in their order.
        headers: of the newest message.
    """

    url: str
    status: int = 204
    location: str = ""
    genuine: list[dict[str, Any]] = field(default_factory=list)
    forged: int = 0
    ids: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def take(self, headers: dict[str, str], body: bytes) -> None:
        """Note a message, as a careful receiver would."""
        timestamp = headers["X-Maskwatch-Timestamp"]
        wanted = "sha256=" + hmac.new(SECRET.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
        is_fresh = abs(time.time() - int(timestamp)) < 300
        self.ids.append(headers["X-Maskwatch-Id"])
        self.headers = headers
        if is_fresh and hmac.compare_digest(wanted, headers["X-Maskwatch-Signature"]):
            self.genuine.append(json.loads(body))
        else:
            self.forged += 1


@contextmanager
def hook() -> Iterator[Hook]:
    """Run a web server on a free loopback port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taker.take(dict(self.headers.items()), body)
            self.send_response(taker.status)
            if taker.location:
                self.send_header("Location", taker.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    taker = Hook(f"http://127.0.0.1:{server.server_port}/in")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield taker
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@contextmanager
def silent() -> Iterator[int]:
    """Listen on a port, take connections, and never say a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield listener.getsockname()[1]


@contextmanager
def dripping() -> Iterator[int]:
    """Answer each connection a byte at a time, for ever: no time-out of a single read ever ends that."""
    ended = threading.Event()

    def drip(connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not ended.wait(0.2):
                connection.sendall(b"x")

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        listener.settimeout(0.2)
        threads: list[threading.Thread] = []

        def accept() -> None:
            while not ended.is_set():
                with suppress(TimeoutError):
                    threads.append(threading.Thread(target=drip, args=(listener.accept()[0],)))
                    threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            for thread in (accepting, *threads):
                thread.join(10)


@dataclass
class Mails:
    """A mail server's post.

    Attributes:
        port: where it listens.
        refuses: whether it turns all mail away.
        got: what was delivered.
    """

    port: int
    refuses: bool = False
    got: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """Take a mail, as aiosmtpd hands it over."""
        if self.refuses:
            return "554 5.7.1 no"
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.got.append(mail)
        return "250 OK"

    @property
    def apprise(self) -> str:
        """How Apprise writes its address."""
        return f"mailto://127.0.0.1:{self.port}?from=maskwatch@example.org&to=ward@example.org&mode=insecure"


@contextmanager
def mails() -> Iterator[Mails]:
    """Run a mail server on a free loopback port."""
    from aiosmtpd.controller import Controller

    taker = Mails(free_port())
    server = Controller(taker, hostname="127.0.0.1", port=taker.port)
    server.start()
    try:
        yield taker
    finally:
        server.stop()


class Broker:
    """A broker with one user, and a listener to everything."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.url = f"mqtt://me:{SECRET}@127.0.0.1:{port}"
        self.port = port
        self.got: list[tuple[str, bytes]] = []

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Note all messages meanwhile."""
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        ready = threading.Event()
        client = Client(CallbackAPIVersion.VERSION2)
        client.username_pw_set("me", SECRET)
        client.on_message = lambda _client, _data, message: self.got.append((message.topic, bytes(message.payload)))
        client.on_subscribe = lambda *_words: ready.set()
        client.connect("127.0.0.1", self.port)
        client.subscribe("#", qos=1)
        client.loop_start()
        try:
            assert ready.wait(60)
            yield
        finally:
            client.disconnect()
            client.loop_stop()


@contextmanager
def broker(port: int | None = None) -> Iterator[Broker]:
    """Run Debian's mosquitto on a loopback port, a free one if none is named, or skip where it isn't installed."""
    requires_debian("mosquitto")
    folder = Path(tempfile.mkdtemp(prefix="maskwatch-mosquitto-"))
    port = port or free_port()
    users = folder / "users"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(users), "me", SECRET], check=True, capture_output=True)
    config = folder / "config"
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous false", f"password_file {users}", "persistence false"]
    if os.geteuid() == 0:
        lines.append("user root")  # it would become somebody else, who can't read the folder
    config.write_text("\n".join(lines) + "\n")
    process = subprocess.Popen([_mosquitto(), "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: _listens(port), 60, "mosquitto to listen")
        yield Broker(port, process)
    finally:
        process.kill()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _mosquitto() -> str:
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    assert found is not None
    return found


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
