"""Requests as they arrive: how long they may be and may take, and what becomes of a body that nobody has read."""

from __future__ import annotations

import time
from contextlib import suppress
from socket import SHUT_WR, socket
from typing import Any

from cheroot.makefile import MakeFile
from cheroot.server import HTTPConnection, HTTPRequest
from flask import Flask, request
from werkzeug.exceptions import LengthRequired

from web import pace

__all__ = ["MOST_BODY_BYTES", "BoundedConnection", "install_bounds"]

MOST_BODY_BYTES = 64 << 10
"""Of every request but an upload, which sets a bound of its own."""

_LINGER_S = 2.0
_PIECE_BYTES = 64 << 10


def install_bounds(app: Flask) -> None:
    """Bound what routes read of a body; those that take more set `request.max_content_length`."""
    app.config["MAX_CONTENT_LENGTH"] = MOST_BODY_BYTES

    @app.before_request
    def length_is_told() -> None:
        # cheroot reads a chunk whole into memory, however long its sender says that it is.
        if "chunked" in request.headers.get("Transfer-Encoding", "").lower():
            raise LengthRequired("the body comes in chunks; send it with a Content-Length, as curl -T FILE does")


class _BoundedRequest(HTTPRequest):
    """A request that has to come in time, whose unread body is never read into memory, and whose answer still arrives.

    By itself cheroot reads what is left of a body in one piece, so as to use the connection again: for an upload that
    is refused, that is the whole film.
    """

    def parse_request(self) -> None:
        """Read the request's line and headers."""
        self.conn.rfile.allow(pace.HEADERS_S)
        super().parse_request()

    def send_headers(self) -> None:
        """Send the answer's headers; they say that the connection ends where much of the body is left, or late."""
        if self._has_much_left() or self.conn.rfile.is_late:
            self.close_connection = True
        super().send_headers()

    def respond(self) -> None:
        """Answer; then listen a little longer to a body that nobody wants.

        A connection that is closed with unread bytes is reset, and the client may never see why.
        """
        self.conn.rfile.allow(pace.BODY_S)
        super().respond()
        if not self._has_much_left():
            return
        until_s = time.monotonic() + _LINGER_S
        with suppress(OSError):
            self.conn.socket.shutdown(SHUT_WR)
            self.conn.socket.settimeout(_LINGER_S)
            while time.monotonic() < until_s and self.conn.socket.recv(_PIECE_BYTES):
                pass

    def _has_much_left(self) -> bool:
        if self.chunked_read:
            return not getattr(self.rfile, "closed", False)
        return bool(getattr(self.rfile, "remaining", 0) > MOST_BODY_BYTES)


class BoundedConnection(HTTPConnection):
    """A connection of such requests; its arguments are cheroot's."""

    RequestHandlerClass = _BoundedRequest

    def __init__(self, server: Any, sock: socket, _makefile: Any = None) -> None:
        super().__init__(server, sock, _file_of)


def _file_of(sock: socket, mode: str, bufsize: int) -> Any:
    return pace.PacedReader(sock, bufsize) if "r" in mode else MakeFile(sock, mode, bufsize)
