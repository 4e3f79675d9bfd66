"""Bodies of requests: how long they may be, and what becomes of one that nobody has read."""

from __future__ import annotations

import time
from contextlib import suppress
from socket import SHUT_WR

from cheroot.server import HTTPConnection, HTTPRequest
from flask import Flask, request
from werkzeug.exceptions import LengthRequired

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
    """A request whose unread body is never read into memory, and whose answer arrives all the same.

    By itself cheroot reads what is left of a body in one piece, so as to use the connection again: for an upload that
    is refused, that is the whole film.
    """

    def send_headers(self) -> None:
        """Send the answer's headers; they say that the connection ends where too much of the body is left."""
        if self._has_much_left():
            self.close_connection = True
        super().send_headers()

    def respond(self) -> None:
        """Answer; then listen a little longer to a body that nobody wants.

        A connection that is closed with unread bytes is reset, and the client may never see why.
        """
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
    """A connection of such requests."""

    RequestHandlerClass = _BoundedRequest
