"""Streams as they go over the wire: MJPEG for any client, and one stream of everything for the wall."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Callable, Iterator

from web.hub import Hub
from web.painter import paint_card
from web.sight import no_answer
from web.watcher import Picture, Watcher

__all__ = ["MJPEG_TYPE", "WALL_TYPE", "StreamSlots", "mjpeg_parts", "wall_messages"]

_BOUNDARY = b"maskwatch"
MJPEG_TYPE = f"multipart/x-mixed-replace; boundary={_BOUNDARY.decode()}"
WALL_TYPE = "application/x-maskwatch-wall"

REPEAT_S = 0.5
"""A still scene's picture is sent again this often: clients that time out stay, and a gone one is noticed."""

SILENCE_S = 2.5
"""After this long without an answer of Redis no picture is shown as live; so within 3 s, with what it takes to show."""

_LENGTHS = struct.Struct(">II")


class StreamSlots:
    """Counts open streams, and refuses one more than there may be.

    Args:
        most: how many may be open.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._open = 0
        self._lock = threading.Lock()

    @property
    def open(self) -> int:
        """How many are open."""
        return self._open

    def take(self) -> Callable[[], None] | None:
        """Take a place.

        Returns:
            What gives the place back, for calling once or more often; None when all are taken.
        """
        with self._lock:
            if self._open >= self.most:
                return None
            self._open += 1
        taken = [True]

        def give_back() -> None:
            with self._lock:
                if taken.pop() if taken else False:
                    self._open -= 1

        return give_back


def mjpeg_parts(hub: Hub, watcher: Watcher) -> Iterator[bytes]:
    """Yield a camera's pictures as parts of `multipart/x-mixed-replace`, until the watcher is closed.

    The boundary follows each picture at once, since many clients show a part only when they have read where it ends.
    """
    yield b"--" + _BOUNDARY + b"\r\n"
    last: Picture | None = None
    while not watcher.is_closed():
        item = watcher.take(REPEAT_S)
        if watcher.is_closed():
            return
        if isinstance(item, Picture):
            last = item
        if hub.silent_s > SILENCE_S and (last is None or last.is_live):
            camera = last.camera if last else ""
            last = Picture(camera, "", False, paint_card(no_answer(), None, [watcher.width])[watcher.width])
        if last is not None:
            yield _part(last.jpeg)


def wall_messages(watcher: Watcher) -> Iterator[bytes]:
    """Yield messages for the wall until the watcher is closed.

    Each is two lengths (unsigned, 4 bytes, big-endian), JSON of the first and a JPEG of the second, which may be 0.
    Overviews come four times a second, so that a viewer who hears nothing for 2.5 s knows that something is wrong.
    """
    while not watcher.is_closed():
        item = watcher.take(REPEAT_S)
        if isinstance(item, Picture):
            meta = {"kind": "picture", "camera": item.camera, "live": item.is_live, "frame": item.frame_id}
            yield _message(json.dumps(meta, separators=(",", ":")).encode(), item.jpeg)
        elif item is not None:
            yield _message(item, b"")
        elif not watcher.is_closed():
            yield _message(b'{"kind":"quiet"}', b"")


def _part(jpeg: bytes) -> bytes:
    head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
    return b"".join((head, jpeg, b"\r\n--", _BOUNDARY, b"\r\n"))


def _message(meta: bytes, jpeg: bytes) -> bytes:
    return b"".join((_LENGTHS.pack(len(meta), len(jpeg)), meta, jpeg))
