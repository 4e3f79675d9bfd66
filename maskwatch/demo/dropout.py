"""A network camera (MJPEG over HTTP) that goes away now and then: it hangs up and takes no calls."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog

__all__ = ["DropoutCamera"]

_BOUNDARY = "frame"


class DropoutCamera:
    """Serves pictures for a while, is away for a while, and so on.

    Args:
        pictures: JPEGs, shown again and again.
        fps: how many a second.
        port: to listen on.
        path: of the stream.
        there_s: seconds for which it serves.
        away_s: seconds for which nothing listens.
        host: to listen on.
    """

    def __init__(
        self,
        pictures: Sequence[bytes],
        fps: float,
        port: int,
        path: str,
        there_s: float = 25.0,
        away_s: float = 8.0,
        host: str = "127.0.0.1",
    ) -> None:
        self._pictures = pictures
        self._fps = fps
        self._port = port
        self._path = path
        self._there_s = there_s
        self._away_s = away_s
        self._host = host
        self._hang_up = threading.Event()

    def run(self, wait: Callable[[float], bool]) -> None:
        """Serve until `wait`, which sleeps for some seconds, returns True.

        Raises:
            OSError: if the port can't be listened on.
        """
        log = structlog.get_logger()
        while True:
            self._hang_up.clear()
            server = ThreadingHTTPServer((self._host, self._port), self._handler())
            server.daemon_threads = True
            thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="dropout", daemon=True)
            thread.start()
            log.info("demo.camera_there", for_s=self._there_s)
            is_end = wait(self._there_s)
            self._hang_up.set()
            server.shutdown()
            server.server_close()
            thread.join(2.0)
            log.info("demo.camera_away", for_s=self._away_s)
            if is_end or wait(self._away_s):
                return

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        camera = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 5.0

            def do_GET(self) -> None:
                """Send the stream until the camera hangs up or the client does."""
                if self.path != camera._path:
                    self.send_error(HTTPStatus.NOT_FOUND)
                    return
                self.send_response(HTTPStatus.OK)
                self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.close_connection = True
                try:
                    camera._stream(self.wfile.write)
                except OSError:
                    return  # the client is gone, or too slow for a picture in 5 s

            def log_message(self, format: str, *args: object) -> None:
                """Log nothing: ingest logs what it sees of its cameras."""

        return Handler

    def _stream(self, write: Callable[[bytes], object]) -> None:
        number = int(time.monotonic() * self._fps)
        while not self._hang_up.is_set():
            picture = self._pictures[number % len(self._pictures)]
            head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            write(head.encode("ascii") + picture + b"\r\n")
            number = max(number + 1, int(time.monotonic() * self._fps))  # a slow client skips pictures
            self._hang_up.wait(max(0.0, number / self._fps - time.monotonic()))
