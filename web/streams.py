"""Streams as they go over the wire: MJPEG for any client, and one stream of everything for the wall."""

from __future__ import annotations

import json
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

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
    """Places for open streams; when all are taken, whoever holds most of them makes room for others.

    Args:
        most: how many may be open.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._places: list[_Place] = []
        self._lock = threading.Lock()

    @property
    def open(self) -> int:
        """How many are open."""
        return len(self._places)

    def take(self, whose: str = "", end: Callable[[], None] | None = None) -> Callable[[], None] | None:
        """Take a place.

        Args:
            whose: for whom, such as an address. Of all places somebody else's oldest may go to them, as long as that
                one holds more than they do then.
            end: ends the stream when its place goes to somebody else; None for one that keeps its place.

        Returns:
            What gives the place back, for calling once or more often; None when there is none to be had.
        """
        place, lost = _Place(whose, end), None
        with self._lock:
            if len(self._places) >= self.most:
                lost = self._to_spare(whose)
                if lost is None:
                    return None
                self._places.remove(lost)
            self._places.append(place)
        if lost is not None and lost.end is not None:
            lost.end()

        def give_back() -> None:
            with self._lock, suppress(ValueError):
                self._places.remove(place)

        return give_back

    def _to_spare(self, whose: str) -> _Place | None:
        """Return the oldest place of whoever holds most, if they hold more than `whose` with one place more does."""
        held = Counter(place.whose for place in self._places)
        most_of, number = held.most_common(1)[0]
        if number <= held[whose] + 1:
            return None
        return next((place for place in self._places if place.whose == most_of and place.end is not None), None)


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    whose: str
    end: Callable[[], None] | None


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
