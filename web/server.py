"""The process behind `maskwatch web`: cheroot in front of the application, and an entry in the book of processes."""

from __future__ import annotations

import socket
import threading
from typing import Any

import structlog
from cheroot import wsgi
from flask import Flask

from maskwatch import log
from maskwatch.broker.connect import connect
from maskwatch.broker.messages import ProcessInfo
from maskwatch.broker.processes import ProcessBook
from maskwatch.errors import ConfigError, MaskwatchError, QueueError
from maskwatch.service import Stop, process_name, stop_on_signals
from maskwatch.settings import Settings
from maskwatch.settings.model import MetricsSettings, is_loopback
from web.app import create_app
from web.bodies import BoundedConnection
from web.bus import RedisBus
from web.login.visitor import Login
from web.site import site_of

__all__ = ["SiteServer", "run"]

_RESERVED_THREADS = 16
"""For pages, the API and the metrics, beside one for each stream: streams can't starve them."""

_REGISTER_EVERY_S = 3.0
_REGISTERED_FOR_S = 10.0
_SLOW_CLIENT_S = 10
_END_STREAMS_S = 3
_SEND_BUFFER_BYTES = 256 << 10
"""Left alone, the kernel queues megabytes for a slow viewer: many seconds of pictures that are old when they arrive."""


class SiteServer:
    """An application that listens.

    Args:
        app: as `web.app.create_app` makes it.

    Raises:
        ConfigError: if its address can't be listened on.
    """

    def __init__(self, app: Flask) -> None:
        self._site = site_of(app)
        settings = self._site.settings.web
        self._server = _Cheroot(
            (settings.host, settings.port),
            app,
            numthreads=settings.max_streams + _RESERVED_THREADS,
            server_name="Maskwatch",
            request_queue_size=128,
            timeout=_SLOW_CLIENT_S,
            shutdown_timeout=_END_STREAMS_S,
        )
        self._server.max_request_header_size = 64 << 10
        # Bodies are bounded by `web.bodies`: an upload may be longer than anything else.
        self._server.ConnectionClass = BoundedConnection
        try:
            self._server.prepare()
        except OSError as error:
            raise ConfigError(
                f"web: can't listen on {settings.host}:{settings.port}: {self._server.bind_problem or error}; stop "
                "what listens there, or give another --host or --port (0 takes a free one)"
            ) from error
        self.host = settings.host
        self.port = int(self._server.bind_addr[1])
        self._thread = threading.Thread(target=self._server.serve, name="server", daemon=True)

    @property
    def url(self) -> str:
        """Where to point a browser."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"

    @property
    def is_alive(self) -> bool:
        """Whether it still answers."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """End all streams and stop to answer; slow clients get 3 s."""
        self._site.hub.close()
        self._server.stop()
        self._thread.join(5)


class _Cheroot(wsgi.Server):
    """cheroot that logs as the rest does and queues little for slow viewers."""

    keep_alive_conn_limit = 64
    bind_problem = ""
    """What the system said of the last address that it refused; cheroot's own error only quotes it."""

    def bind(self, *args: Any, **kwargs: Any) -> socket.socket:
        """Bind to one of the addresses that the host's name stands for."""
        try:
            bound: socket.socket = super().bind(*args, **kwargs)
        except OSError as error:
            self.bind_problem = error.strerror or str(error)
            raise
        return bound

    @staticmethod
    def bind_socket(socket_: socket.socket, bind_addr: Any) -> socket.socket:
        """Bind a socket, and close it when that fails, which cheroot forgets."""
        try:
            socket_.bind(bind_addr)
        except OSError:
            socket_.close()
            raise
        return socket_

    @classmethod
    def prepare_socket(cls, *args: Any, **kwargs: Any) -> socket.socket:
        """Return the listening socket; accepted ones inherit its buffer's size."""
        listening: socket.socket = super().prepare_socket(*args, **kwargs)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        return listening

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """Log what cheroot says; viewers that go away in the middle are nothing special."""
        log_line = structlog.get_logger().error if level >= 40 else structlog.get_logger().debug
        log_line("server.said", message=str(msg), exc_info=traceback)


def run(settings: Settings, name: str | None = None) -> None:
    """Serve the site until SIGTERM or SIGINT.

    Args:
        settings: of the installation; its Redis must be given.
        name: of this process in the book of processes; None makes one of host and process id.

    Raises:
        ConfigError: if Redis isn't configured or the address can't be listened on.
        MaskwatchError: if the server stops by itself.
    """
    addresses = settings.require_redis()
    client = connect(addresses.live.get_secret_value())
    durable = connect(addresses.durable.get_secret_value())
    log.configure(settings.log, "web")
    stop = stop_on_signals()
    server = SiteServer(create_app(settings, RedisBus(client, durable), login=Login.kept(settings, durable)))
    server.start()
    info = ProcessInfo(
        kind="web",
        name=name or process_name(),
        address=advertised_address(settings.web.host, server.port, settings.metrics),
        host=socket.gethostname(),
    )
    structlog.get_logger().info(
        "web.listening", url=server.url, max_streams=settings.web.max_streams, login=settings.web.has_login
    )
    try:
        _stay_registered(ProcessBook(client), info, server, stop)
    finally:
        server.close()
        client.close()
        durable.close()
    structlog.get_logger().info("web.stopped")


def _stay_registered(book: ProcessBook, info: ProcessInfo, server: SiteServer, stop: Stop) -> None:
    """Say every few seconds that this process is alive, until it shall end."""
    logger = structlog.get_logger()
    is_registered: bool | None = None
    while True:
        try:
            book.register(info, _REGISTERED_FOR_S)
        except QueueError as error:
            if is_registered is not False:
                logger.warning("web.unregistered", error=str(error))
            is_registered = False
        else:
            if is_registered is False:
                logger.info("web.registered_again")
            is_registered = True
        if stop.wait(_REGISTER_EVERY_S):
            break
        if not server.is_alive:
            raise MaskwatchError("the server stopped by itself; the log above says why")
    try:
        book.leave(info)
    except QueueError as error:  # it counts as gone in a few seconds anyway
        logger.debug("web.leave_failed", error=str(error))


def advertised_address(host: str, port: int, settings: MetricsSettings) -> str:
    """Return HOST:PORT under which Prometheus reaches the site's `/metrics`.

    Args:
        host: that the site listens on.
        port: that it listens on.
        settings: whose `advertise` names the host; a port in it is the other processes'.
    """
    if settings.advertise:
        name = settings.advertise
        head, colon, tail = name.rpartition(":")
        name = head if colon and tail.isdigit() else name
    else:
        name = host if is_loopback(host) else socket.getfqdn()
    return f"[{name}]:{port}" if ":" in name and not name.startswith("[") else f"{name}:{port}"
