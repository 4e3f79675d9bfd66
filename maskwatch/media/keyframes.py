"""Decoding keyframes alone while a scene is still, and going on from one of them without a broken picture."""

from __future__ import annotations

import contextlib

import av.error
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

__all__ = ["Rhythm", "Thrift"]

_FARTHEST_S = 2.1
"""Keyframes every 2 s, and some jitter: longer than this nobody may walk by unseen."""
_OVERDUE_S = 2.5
_PROOF = 2
"""Intervals in a row that must be short enough; cameras that stretch them in still scenes fall out again."""
_JUMP_BACK_S, _JUMP_S = 1.0, 10.0
_MOST_BYTES = 8 << 20
"""Of packets that are kept: 2.5 s at 25 Mbit/s."""
_MOST_LEADING = 16
"""Pictures after going on that may belong before the keyframe: as many as H.264 may hold back."""


class Rhythm:
    """How far apart keyframes are, by the timestamps of the packets."""

    def __init__(self) -> None:
        """Begin knowing nothing."""
        self._last_s: float | None = None
        self._key_s: float | None = None
        self._between = 0
        self._short = 0

    def packet(self, stamp_s: float | None, is_key: bool) -> None:
        """Take the next packet's timestamp; without one, or when it jumps, all is unknown again."""
        if stamp_s is None or (self._last_s is not None and not -_JUMP_BACK_S < stamp_s - self._last_s < _JUMP_S):
            self._key_s, self._short = None, 0
        elif stamp_s == self._last_s:
            # A further part of the same picture: some cameras send each slice as a packet of its own.
            return
        self._last_s = stamp_s
        if not is_key or stamp_s is None:
            self._between += 1
            return
        if self._key_s is not None:
            # Where every picture is a keyframe, decoding "only" them saves nothing.
            is_short = stamp_s - self._key_s <= _FARTHEST_S and self._between > 0
            self._short = self._short + 1 if is_short else 0
        self._key_s, self._between = stamp_s, 0

    @property
    def is_close(self) -> bool:
        """Whether keyframes come often enough to see by them alone that somebody arrives."""
        return self._short >= _PROOF

    @property
    def is_overdue(self) -> bool:
        """Whether the next keyframe should have come by now."""
        return self._key_s is None or self._last_s is None or self._last_s - self._key_s > _OVERDUE_S


class Thrift:
    """Decodes all packets, or, where `rests` asks for it and keyframes are close, keyframes alone.

    A keyframe is then decoded by itself, with an empty decoder before and after, and the packets that follow are kept.
    To go on, the decoder is led from the keyframe through them: what it shows next depends on nothing that it lacks.
    """

    def __init__(self, context: VideoCodecContext) -> None:
        """Decode everything at first."""
        self.rests = False
        self.unseen = 0
        """Packets that were passed over; whoever reads it sets it back."""
        self._context = context
        self._rhythm = Rhythm()
        self._is_refused = False
        self._group: list[Packet[VideoStream]] | None = None
        self._kept_bytes = 0
        self._is_waiting = False
        self._seen_pts: int | None = None
        self._leading = 0

    @property
    def is_resting(self) -> bool:
        """Whether only keyframes are decoded."""
        return self._group is not None

    def decode(self, packet: Packet[VideoStream], *, may_begin: bool) -> list[VideoFrame]:
        """Return the pictures that a packet brings out.

        Args:
            packet: the next one of the stream, or its empty last one.
            may_begin: whether this is a moment to begin to rest.

        Raises:
            av.error.FFmpegError: if it can't be decoded.
            ValueError: likewise.
        """
        stamp = _stamp(packet)
        if packet.size:
            self._rhythm.packet(None if stamp is None else float(stamp * packet.time_base), packet.is_keyframe)
        if self._group is None:
            may_rest = self.rests and may_begin and not self._is_refused
            if not (may_rest and packet.is_keyframe and self._rhythm.is_close):
                return self._without_seen(packet.decode())
            held_back = self._without_seen(self._drained(packet))
            self._begin(packet)
            return held_back
        if packet.size and stamp == _stamp(self._group[0]):
            self._group.append(packet)
            return []
        pictures = self._alone() if self._is_waiting else []
        if self._group is None or not self.rests or not packet.size or self._is_too_long():
            newest = self._go_on() if self._group is not None else []
            return [*pictures, *newest, *self._without_seen(packet.decode())]
        if packet.is_keyframe:
            self._begin(packet)
        else:
            self._group.append(packet)
            self._kept_bytes += packet.size
            self.unseen += 1
        return pictures

    def _begin(self, packet: Packet[VideoStream]) -> None:
        """Keep a keyframe; it is decoded when the next picture's packet shows that it is complete."""
        self._group, self._kept_bytes, self._is_waiting = [packet], packet.size, True

    def _is_too_long(self) -> bool:
        return self._rhythm.is_overdue or self._kept_bytes > _MOST_BYTES

    def _alone(self) -> list[VideoFrame]:
        """Decode the group's keyframe by itself."""
        self._is_waiting = False
        group = self._group or []
        pictures = [picture for packet in group for picture in packet.decode()] + self._drained(group[0])
        if len(pictures) != 1 or pictures[0].pts is None:
            # E.g. halves of a picture in packets of their own: such a stream is decoded as a whole, for good.
            self._is_refused = True
            return self._go_on()
        self._seen_pts = pictures[0].pts
        return pictures

    def _go_on(self) -> list[VideoFrame]:
        """Lead the decoder through the packets since the keyframe; all that they show but the newest is past."""
        group, self._group = self._group or [], None
        self._leading = _MOST_LEADING
        newest: list[VideoFrame] = []
        for packet in group:
            past = [picture.pts for picture in newest if picture.pts is not None]
            if past:
                self._seen_pts = max(*past, past[0] if self._seen_pts is None else self._seen_pts)
            with contextlib.suppress(av.error.FFmpegError, ValueError):
                newest = packet.decode()
        newest = self._without_seen(newest)
        self.unseen = max(0, self.unseen - len(newest))
        return newest

    def _drained(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        """Take out what the decoder holds back and leave it empty; a packet of the stream tells its time base."""
        try:
            pictures = list(self._context.decode(None))
            for picture in pictures:
                picture.time_base = packet.time_base
            return pictures
        finally:
            self._context.flush_buffers()

    def _without_seen(self, pictures: list[VideoFrame]) -> list[VideoFrame]:
        """Leave out pictures that come after those that they belong before: seen already, or lacking a reference."""
        if self._seen_pts is None or not pictures:
            return pictures
        seen_pts = self._seen_pts
        self._leading -= len(pictures)
        if self._leading <= 0:
            self._seen_pts = None
        return [picture for picture in pictures if picture.pts is None or picture.pts > seen_pts]


def _stamp(packet: Packet[VideoStream]) -> int | None:
    return packet.dts if packet.dts is not None else packet.pts
