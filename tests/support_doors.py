"""Cameras in front of which somebody takes the mask off and puts it on again: ingest's part, for tests that kill."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.connect import connect
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.messages import CameraInfo, Hold, Offer, OfferStatus
from maskwatch.errors import QueueError
from maskwatch.media import encode_jpeg
from maskwatch.types import CameraState, CameraStatus, Snapshots
from maskwatch.zones import Rule, Zone
from tests.unit.test_pipeline import picture

__all__ = ["Doors"]

_ROUND_S = 0.03
_LOOK = 15
"""Frames for which the mask stays as it is: three seconds of film."""
_STATE = 40
"""Frames for which a camera is there, or lost."""
_STAY = 150
"""Frames after which the next person comes, under another epoch."""
_RENEW = 10
_LEFT = Zone("left", ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))
_RULE = Rule("masks", zone="left", grace_s=0.4, cooldown_s=0.0)


class Doors:
    """Offers frames of some cameras, whatever becomes of the server, from a thread of its own.

    Args:
        live_url: of the live server.
        count: of cameras.
    """

    def __init__(self, live_url: str, count: int = 6) -> None:
        self._url = live_url
        self._infos = [
            CameraInfo(f"door-{number}", snapshots=Snapshots.BLURRED, zones=(_LEFT,), rules=(_RULE,))
            for number in range(count)
        ]
        self._looks = {True: encode_jpeg(picture(200)), False: encode_jpeg(picture(60))}
        self._holds: dict[str, Hold] = {}
        self._number = 0
        self._over = threading.Event()

    @contextmanager
    def open(self) -> Iterator[None]:
        """Let people come and go meanwhile."""
        thread = threading.Thread(target=self._run, name="doors", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join(30)
        assert not thread.is_alive()

    def _run(self) -> None:
        with connect(self._url) as client:
            book, queue = CameraBook(client), FrameQueue(client)
            while not self._over.wait(_ROUND_S):
                try:
                    self._round(book, queue)
                except QueueError:
                    self._holds.clear()  # whoever comes back has forgotten them

    def _round(self, book: CameraBook, queue: FrameQueue) -> None:
        if len(self._holds) < len(self._infos):
            book.register(self._infos)
            for info in self._infos:
                hold = None if info.name in self._holds else book.hold(info.name, "ingest")
                if hold is not None:
                    self._holds[info.name] = hold
        self._number += 1
        if self._number % _RENEW == 0:
            holds = list(self._holds.values())
            kept = book.renew(holds)
            self._holds = {hold.camera: hold for hold, is_held in zip(holds, kept, strict=True) if is_held}
        for at, hold in enumerate(list(self._holds.values())):
            self._frame(book, queue, hold, self._number + 7 * at)

    def _frame(self, book: CameraBook, queue: FrameQueue, hold: Hold, number: int) -> None:
        name, time_s = hold.camera, self._number / 5
        jpeg = self._looks[number // _LOOK % 2 == 0]
        offer = Offer(name, hold.epoch, f"{name}-{self._number}", jpeg, (640, 360), 0.0, time_s)
        if queue.offer(offer) is OfferStatus.STALE_EPOCH:
            del self._holds[name]
            return
        if number % _STATE == 0:
            state = CameraState.LIVE if number // _STATE % 2 else CameraState.OFFLINE
            book.publish(hold, CameraStatus(state, "unplugged"))
        if number % _STAY == 0:
            following = book.new_epoch(hold)
            if following is None:
                del self._holds[name]
            else:
                self._holds[name] = following
