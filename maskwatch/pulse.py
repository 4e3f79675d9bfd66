"""Whether a process still does its work, told over HTTP beside its metrics: `/healthz`.

A thread that answers proves only itself. So the loop of each process says that it went round, and the answer is no
where it hasn't for a while: then whoever supervises the process may start it again.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

if TYPE_CHECKING:
    from wsgiref.types import StartResponse

__all__ = ["STUCK_S", "Pulse", "serve"]

STUCK_S = 60.0
"""The longest that a loop takes without being stuck is a batch during which an engine compiles, some 20 s."""


class Pulse:
    """When the loop of this process last went round; any thread may ask.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last_s: float | None = None

    def beat(self) -> None:
        """Say that the loop went round."""
        self._last_s = self._clock()

    def problem(self) -> str | None:
        """Return what is wrong, for a person, or None."""
        if self._last_s is None:
            return "starting"
        age_s = self._clock() - self._last_s
        return f"stuck: the last sign of life is {age_s:.0f} s old" if age_s > STUCK_S else None


def serve(host: str, port: int, registry: CollectorRegistry, pulse: Pulse) -> int:
    """Answer `/healthz`, and metrics everywhere else, in a daemon thread.

    Args:
        host: name or address to listen on.
        port: to listen on; 0 takes a free one.
        registry: of the metrics.
        pulse: of the process.

    Returns:
        The port.

    Raises:
        OSError: if the address can't be listened on.
    """
    metrics: Any = make_wsgi_app(registry)

    def answer(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/healthz":
            answered: Iterable[bytes] = metrics(environ, start_response)
            return answered
        problem = pulse.problem()
        status = "200 OK" if problem is None else "503 Service Unavailable"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{problem or 'ok'}\n".encode()]

    server = make_server(host, port, answer, _server_for(host, port), _Quiet)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server.server_port


def _server_for(host: str, port: int) -> type[WSGIServer]:
    """Return a server of the family, IPv4 or IPv6, that the host's first address is of."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]

    class Server(ThreadingWSGIServer):
        address_family = family

    return Server


class _Quiet(WSGIRequestHandler):
    """Logs no request: Prometheus asks every few seconds."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
