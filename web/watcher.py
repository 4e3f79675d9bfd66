"""What one viewer has not seen yet: never more than the newest of each thing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Picture", "Watcher"]


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture, ready for all who watch the camera at this width.

    Attributes:
        camera: whose.
        frame_id: of the frame; empty for a card.
        is_live: False for a card.
        jpeg: the bytes.
    """

    camera: str
    frame_id: str
    is_live: bool
    jpeg: bytes


class Watcher:
    """A viewer's mailbox: it keeps the newest picture of each camera and the newest overview, and drops older ones.

    So a slow viewer gets fewer pictures, never late ones, and holds no more memory than a quick one.

    Args:
        cameras: what it watches; None means all there are.
        width: of its pictures in pixels; 0 means as analysed.
        wants_overview: whether it is told about all cameras, four times a second.
        forget: called once when the watcher is closed.
    """

    def __init__(
        self, cameras: frozenset[str] | None, width: int, wants_overview: bool, forget: Callable[[Watcher], None]
    ) -> None:
        self.cameras = cameras
        self.width = width
        self.wants_overview = wants_overview
        self._forget = forget
        self._changed = threading.Condition()
        self._pictures: dict[str, Picture] = {}
        self._overview: bytes | None = None
        self._closed = False

    def is_closed(self) -> bool:
        """Whether nothing will come any more."""
        return self._closed

    def wants(self, camera: str) -> bool:
        """Tell whether pictures of a camera are for this viewer."""
        return self.cameras is None or camera in self.cameras

    def put(self, picture: Picture) -> None:
        """Replace what waits of the picture's camera; its turn among the cameras stays."""
        with self._changed:
            self._pictures[picture.camera] = picture
            self._changed.notify()

    def put_overview(self, overview: bytes) -> None:
        """Replace the overview that waits."""
        with self._changed:
            self._overview = overview
            self._changed.notify()

    def take(self, wait_s: float) -> Picture | bytes | None:
        """Return the overview, or the picture that has waited longest, or None when nothing came in `wait_s`."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._pictures or self._overview is not None, wait_s)
            if self._closed:
                return None
            if self._overview is not None:
                overview, self._overview = self._overview, None
                return overview
            if not self._pictures:
                return None
            return self._pictures.pop(next(iter(self._pictures)))

    def close(self) -> None:
        """End watching; whoever waits in `take` returns at once. Repeated calls change nothing."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._pictures.clear()
            self._changed.notify_all()
        self._forget(self)
