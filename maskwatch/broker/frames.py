"""The frame queue: conflating, fair, ordered per camera.

A camera has a frame that waits (`next`), one that a worker holds (`taken`) and one that was analysed last (`shown`);
a newer frame replaces the one that waits. Cameras are handed out least recently served first, at most one turn of a
camera is out at a time, and a turn is leased: a worker that dies loses that frame and nothing else.

Ages, deadlines and ranks are Redis' own; no clock of any host is sent or compared.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any, cast

import redis
import structlog

from maskwatch.broker import keys, wire
from maskwatch.broker.connect import LONGEST_WAIT_S, translated
from maskwatch.broker.messages import (
    CameraInfo,
    Done,
    DoneStatus,
    Offer,
    OfferStatus,
    Taken,
    TakenKind,
)
from maskwatch.broker.script import Argument, read_script, with_script
from maskwatch.broker.tally import tally
from maskwatch.broker.transaction import Line
from maskwatch.errors import QueueError, WireError
from maskwatch.types import FrameStatus

__all__ = ["MOST_STATE_BYTES", "FrameQueue"]

MOST_STATE_BYTES = 8192
"""Tracks and open matters of one camera; the state passes through a script, whose time is everybody's."""

_SHORTEST_WAIT_S = 0.05
"""Servers look at blocked clients ten times a second: less isn't kept, and 0 would wait for ever."""

_OFFER_STATUS = {status.value.encode(): status for status in OfferStatus}
_DONE_STATUS = {status.value.encode(): status for status in DoneStatus}

_Turn = tuple[bytes, bytes, bytes, bytes, bytes, bytes, int, bytes, bytes, int]


class FrameQueue:
    """Frames on their way from ingest to the workers and back; threads may share one."""

    def __init__(self, client: redis.Redis, *, lease_ms: int = 5000, stale_ms: int | None = None) -> None:
        """Use a client.

        Args:
            client: as `connect` makes it.
            lease_ms: for how long a turn belongs to a worker that doesn't renew it.
            stale_ms: frames that are older than this when they are taken are dropped and counted instead; None takes
                them however old they are. Of a camera whose frames are that old already when they are offered, one a
                second is taken all the same.
        """
        self._client = client
        self._line = Line(client)
        self._lease_ms = lease_ms
        self._stale_ms = stale_ms
        self._log = structlog.get_logger()

    def offer(self, offer: Offer) -> OfferStatus:
        """Make a frame the camera's next one; as `offer_many` with this one alone."""
        return self.offer_many([offer])[0]

    def offer_many(self, offers: Sequence[Offer]) -> list[OfferStatus]:
        """Make frames the next ones of their cameras; one round trip, which moves what is sent together in one step.

        Returns:
            What became of each.

        Raises:
            BrokerDown: if Redis can't be reached; whether the frames arrived isn't known then, so they may be offered
                again under the same ids.
            QueueError: if Redis refuses them, for want of memory above all; none of them arrived then.
            WireError: if the media time of one is no number; none of them was sent then.
        """
        if not offers:
            return []
        script = read_script("offer")
        staged = [keys.staged_key(place) for place in range(len(offers))]
        about = [part for offer in offers for part in _about(offer)]
        sets = [("SET", key, offer.jpeg) for key, offer in zip(staged, offers, strict=True)]
        run = ("EVALSHA", script.sha, len(staged), *staged, *about)

        def send() -> Any:
            # Sent as a whole again when the server has forgotten the script: what is staged by then may be others'.
            return self._line.transact(*sets, run)[-1]

        doing = f"offering a frame of {offers[0].camera}" + (f" and {len(offers) - 1} others" if offers[1:] else "")
        with translated(self._client, doing):
            return [_OFFER_STATUS[answer] for answer in with_script(self._client, script, send)]

    def take(
        self,
        n: int,
        wait_s: float = 1.0,
        *,
        gather_s: float = 0.0,
        idle: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> list[Taken]:
        """Lease the turns of up to n cameras; two round trips, and up to two more after having waited.

        Args:
            n: at most this many.
            wait_s: how long to wait when nothing is ready, in seconds; at most `LONGEST_WAIT_S`.
            gather_s: after such a wait: how long others may join the first that became ready, in seconds.
            idle: entered while waiting.

        Returns:
            Turns of different cameras, the least recently served first; empty when nothing became ready in time.

        Raises:
            BrokerDown: if Redis can't be reached; turns that may have been handed out come back by themselves.
            QueueError: if Redis answers with an error.
        """
        with translated(self._client, "taking frames"):
            soonest_s, turns = self._hand_out(n)
            if not turns and wait_s > 0:
                wait_s = max(_SHORTEST_WAIT_S, min(wait_s, soonest_s, LONGEST_WAIT_S))
                with idle():
                    if self._client.bzpopmin(keys.BELL, timeout=cast(int, wait_s)) and gather_s > 0:
                        time.sleep(gather_s)
                _, turns = self._hand_out(n)
            return self._with_pictures(turns) if turns else []

    def ready(self) -> int:
        """Return how many cameras have something to take; one round trip.

        Raises:
            BrokerDown: if Redis can't be reached.
            QueueError: if Redis answers with an error.
        """
        with translated(self._client, "counting what is ready"):
            return int(self._line.exchange(("ZCARD", keys.READY))[0])

    def renew(self, taken: Sequence[Taken]) -> list[bool]:
        """Prolong leases; one round trip.

        Returns:
            For each: whether it is still held. A lost one's frame is counted already, so its work can be dropped.

        Raises:
            BrokerDown: if Redis can't be reached.
            QueueError: if Redis answers with an error.
        """
        if not taken:
            return []
        args = [part for one in taken for part in (one.camera, one.token)]
        with translated(self._client, "renewing leases"):
            answers = self._line.run_script("renew", [keys.LEASES], [self._lease_ms, *args])
        return [bool(answer) for answer in answers]

    def done(self, items: Sequence[Done]) -> list[DoneStatus]:
        """Commit results, states and counters of a batch; one round trip.

        Raises:
            BrokerDown: if Redis can't be reached; the batch may be sent again as it is, what arrived is `REPEATED`.
            QueueError: if a state is larger than `MOST_STATE_BYTES` (nothing is written then), or Redis answers with
                an error.
            WireError: if a result holds something that isn't a number where one belongs.
        """
        if not items:
            return []
        for item in items:
            if len(item.state) > MOST_STATE_BYTES:
                raise QueueError(
                    f"state of camera {item.camera}: expected at most {MOST_STATE_BYTES} bytes, "
                    f"received {len(item.state)}; keep fewer tracks or shorter histories"
                )
        args: list[str | bytes] = []
        for item in items:
            outcome = "analysed" if item.result.status is FrameStatus.OK else "decode_error"
            result = wire.pack_result(item.result)
            args += [item.camera, item.epoch, item.token, outcome, result, item.state, tally(item)]
        with translated(self._client, "finishing a batch"):
            answers = self._line.run_script("done", [keys.LEASES], args)
        return [_DONE_STATUS[answer] for answer in answers]

    def _hand_out(self, n: int) -> tuple[float, list[_Turn]]:
        tokens = [secrets.token_hex(8) for _ in range(n)]
        args = [self._lease_ms, "" if self._stale_ms is None else self._stale_ms, *tokens]
        soonest_ms, turns = self._line.run_script("take", [keys.READY], args)
        return soonest_ms / 1000, turns

    def _with_pictures(self, turns: Sequence[_Turn]) -> list[Taken]:
        """Fetch the pictures; a turn that was taken back in between (removed, flushed) is left out."""
        cameras = [turn[0].decode() for turn in turns]
        pictures, *tokens = self._line.exchange(
            ("MGET", *(keys.taken_key(camera) for camera in cameras)),
            # Read after the pictures: if a turn is still ours, so was its picture.
            *(("HGET", keys.camera_key(camera), "token") for camera in cameras),
        )
        taken = []
        unreadable: list[str | bytes] = []
        for turn, jpeg, token in zip(turns, pictures, tokens, strict=True):
            if token != turn[2] or (jpeg is None and turn[3] == b"frame"):
                continue
            try:
                taken.append(_taken(turn, jpeg or b""))
            except WireError as error:
                self._log.warning("frame.unreadable", camera=turn[0].decode(), error=str(error))
                unreadable += [turn[0], turn[1], turn[2], "unreadable", b"", b"", ""]
        if unreadable:
            self._line.run_script("done", [keys.LEASES], unreadable)
        return taken


def _about(offer: Offer) -> tuple[Argument, ...]:
    meta = wire.pack_meta(wire.FrameMeta(offer.size_wh, offer.media_time_s))
    dropped = " ".join([f"{reason.value}={number}" for reason, number in offer.dropped.items()])
    return offer.camera, offer.epoch, offer.frame_id, meta, max(0, round(offer.age_s * 1000)), dropped


def _taken(turn: _Turn, jpeg: bytes) -> Taken:
    camera = turn[0].decode()
    where = f"camera {camera}"
    kind = TakenKind(turn[3].decode())
    meta = wire.unpack_meta(turn[5], where) if kind is TakenKind.FRAME else wire.FrameMeta((0, 0), 0.0)
    return Taken(
        camera=camera,
        epoch=turn[1].decode(),
        token=turn[2].decode(),
        kind=kind,
        frame_id=turn[4].decode(),
        jpeg=jpeg,
        size_wh=meta.size_wh,
        age_s=turn[6] / 1000,
        media_time_s=meta.media_time_s,
        state=turn[7],
        info=_info(turn[8], where) if turn[8] else CameraInfo(camera),
        alone=bool(turn[9]),
    )


@lru_cache(maxsize=4096)
def _info(data: bytes, where: str) -> CameraInfo:
    """Read a camera's settings; they are the same in nearly every turn."""
    return wire.unpack_info(data, where)
