"""Everything that FFmpeg reads: video files, RTSP, HTTP (MJPEG, HLS, files) and other URLs."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from typing import Literal, cast

import av
import av.container
import av.error
from av.codec.hwaccel import HWAccel
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from maskwatch.errors import DecodeError, SourceLost, SourceUnsupported
from maskwatch.media.acceleration import acceleration
from maskwatch.media.backlog import Backlog
from maskwatch.media.decoded import Decoded
from maskwatch.media.failures import opening_failed, reading_failed
from maskwatch.media.frame import FrameSource, Grab
from maskwatch.media.header import MOST_PIXELS
from maskwatch.media.keyframes import Thrift
from maskwatch.media.sampling import MediaClock, Sampler
from maskwatch.settings.source import Source, SourceKind, scrub

__all__ = ["VideoSource"]

_WITHOUT_STAMPS = frozenset({"mpjpeg", "mjpeg", "jpeg_pipe", "image2"})
"""Formats whose timestamps FFmpeg makes up."""
_IN_LUMPS = frozenset({"hls", "dash"})
"""Formats that come several seconds at a time, so that a live use has to wait for each picture's time."""
_Skip = Literal["DEFAULT", "NONREF", "NONKEY"]
_USUAL_FPS = 25.0
_SPARE = 4
"""Of the pictures of a stream with B-frames at least one in four is kept."""
_TIMED_OUT = 0.98
_MOST_UNDECODABLE = 300
"""Packets in a row of a file."""
_LONGEST_WITHOUT_PICTURE_S = 20.0
"""Of a live source whose packets come: it may be joined up to a whole group of pictures before its next key frame."""

_FILE_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,h264,hevc,m4v,mjpeg,jpeg_pipe,flv,asf,ogg,ivf,"
    "obu,av1,gif,mxf,swf,dv,rm,wtv,nut,y4m,yuv4mpegpipe,apng,mjpeg_2000,vvc"
)
"""What a file may be. Play lists (hls, concat, ...) are not among them: they make FFmpeg open other files and URLs."""


class VideoSource(FrameSource):
    """A source read by FFmpeg, one thread, bounded in time.

    Every frame is decoded, since each depends on the one before, but for keyframes alone of a still scene; only those
    that are due are given, and only those that are wanted are converted.
    """

    def __init__(
        self,
        source: Source,
        *,
        timeout_s: float,
        transport: str = "tcp",
        width: int | None = 640,
        rotate: int = 0,
        fps: float | None = None,
        hwaccel: str = "none",
    ) -> None:
        """Open a source; arguments and errors as `maskwatch.media.open_source`."""
        super().__init__()
        self._shown = scrub(source.location)
        self._timeout_s = timeout_s
        self._width = width
        self._rotate = rotate
        accel, self.remark = acceleration(hwaccel)
        self._container = self._open(source, transport, accel)
        try:
            self._stream = self._video_stream()
            self._describe(source, fps)
        except BaseException:
            self._container.close()
            raise
        self._is_closed = False
        self._thrift = Thrift(self._context)
        self._unseen = 0
        self._skip: _Skip = "DEFAULT"
        self._sampler = Sampler(fps)
        self._clock = MediaClock(self.fps, by_arrival=not self.is_paced)
        self._backlog = Backlog(fps or self.fps or _USUAL_FPS)
        self._undecodable = 0
        self._picture_at_s = time.monotonic()
        self._reformatter = VideoReformatter()
        self._pictures = self._decode()

    def grab(self) -> Grab | None:
        """Return the next picture that is due; see `FrameSource.grab`."""
        for picture in self._pictures:
            grab = self._take(picture)
            if grab is not None:
                return grab
        if not self._ends:
            raise SourceLost(f"{self._shown}: the stream ended")
        if self._clock.pictures == 0:
            raise DecodeError(f"{self._shown}: holds no picture that can be decoded; is it complete?")
        if self.duration_s and self._clock.time_s < 0.9 * self.duration_s - 1.0:
            self.note = f"cut off: {self._clock.time_s:.1f} of {self.duration_s:.1f} s can be read"
        return None

    def rest(self, is_still: bool) -> None:
        """Decode keyframes only while a scene is still and they come every 2 s; see `FrameSource.rest`.

        Not of what comes in lumps: there packets say nothing about when pictures were made.
        """
        self._thrift.rests = is_still and self._has_stamps and not self._is_in_lumps

    @property
    def decodes_keyframes_only(self) -> bool:
        """Whether pictures come from keyframes alone at the moment."""
        return self._thrift.is_resting

    def retune(self, *, width: int | None, fps: float | None) -> None:
        """Scale to another width and pick pictures at another rate from the next one on."""
        self._width = width
        self._sampler = Sampler(fps)
        self._backlog.fps = fps or self.fps or _USUAL_FPS

    def close(self) -> None:
        """Close the connection or file; repeated calls change nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._pictures.close()
            self._container.close()

    def _open(self, source: Source, transport: str, accel: HWAccel | None) -> av.container.InputContainer:
        try:
            container = av.open(
                source.location,
                mode="r",
                options=self._options(source, transport),
                timeout=self._timeout_s,
                hwaccel=accel,
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise opening_failed(error, self._shown, self._timeout_s, is_live=source.is_live) from None
        return container

    def _options(self, source: Source, transport: str) -> dict[str, str]:
        """Return FFmpeg's options: time-outs of its own too, since PyAV's doesn't reach every wait."""
        micros = str(round(self._timeout_s * 1e6))
        if source.kind is SourceKind.RTSP:
            return {
                "rtsp_transport": transport,
                "allowed_media_types": "video",
                "timeout": micros,
                # Size and codec are in the description; measuring the rate would keep the first picture for 1.5 s.
                "analyzeduration": "2000000",
                "fpsprobesize": "0",
                "fflags": "discardcorrupt",
            }
        if source.kind is SourceKind.URL:
            return {"rw_timeout": micros, "user_agent": "maskwatch"}
        return {"format_whitelist": _FILE_FORMATS, "protocol_whitelist": "file"}

    def _video_stream(self) -> VideoStream:
        if not self._container.streams.video:
            raise SourceUnsupported(f"{self._shown}: has no video; expected a stream with pictures")
        stream = self._container.streams.video[0]
        context = stream.codec_context
        if context is None:
            raise SourceUnsupported(f"{self._shown}: its video codec is unknown to this FFmpeg")
        if context.width * context.height > MOST_PIXELS:
            raise SourceUnsupported(
                f"{self._shown}: {context.width}x{context.height} pixels are too many; "
                f"expected at most {MOST_PIXELS // 1_000_000} million"
            )
        # One core a camera, and no frame held back for a second thread to fill.
        context.thread_count = 1
        context.thread_type = "NONE"
        self._context = context
        return stream

    def _describe(self, source: Source, fps: float | None) -> None:
        """Tell what is known of length and rate."""
        names = self._container.format.name.split(",")
        is_file = not source.is_live
        self._has_stamps = is_file or not _WITHOUT_STAMPS.intersection(names)
        duration = self._stream.duration
        if duration and self._stream.time_base and source.kind is not SourceKind.RTSP:
            self.duration_s = float(duration * self._stream.time_base)
        elif self._container.duration and source.kind is not SourceKind.RTSP:
            self.duration_s = self._container.duration / av.time_base
        self._ends = is_file or self.duration_s is not None
        self._is_in_lumps = bool(_IN_LUMPS.intersection(names))
        self.is_paced = self._ends or self._is_in_lumps
        rate = self._stream.average_rate or self._stream.guessed_rate
        self.fps = float(rate) if rate and 0.1 <= rate <= 240 else None
        if self.duration_s and self.fps:
            total = self._stream.frames or round(self.duration_s * self.fps)
            share = 1.0 if fps is None else min(1.0, fps / self.fps)
            self.frames_expected = max(1, round(total * share))

    def _decode(self) -> Generator[VideoFrame]:
        """Yield every picture; ends at the end of the source."""
        for packet in self._packets():
            try:
                pictures = self._thrift.decode(packet, may_begin=not self._backlog.is_behind)
            except (av.error.FFmpegError, ValueError) as error:
                self._check_decodable(type(error).__name__)
                continue
            if pictures:
                self._undecodable, self._picture_at_s = 0, time.monotonic()
            elif packet.size and not self._thrift.is_resting:
                self._check_decodable("it comes to nothing")
            while pictures:
                yield pictures.pop(0)

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """Yield the video's packets, bounding the time that only others' packets may come."""
        video_at_s = time.monotonic()
        packets = self._container.demux()
        while True:
            asked_s = time.monotonic()
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.error.FFmpegError, OSError) as error:
                raise reading_failed(error, self._shown, self._timeout_s) from None
            now_s = time.monotonic()
            if now_s - asked_s >= _TIMED_OUT * self._timeout_s and not self.is_paced:
                # After its time-out FFmpeg first hands out what its parser held back, as if it had just come, and then
                # waits for as long again.
                raise SourceLost(f"{self._shown}: nothing came for {self._timeout_s:g} s")
            if packet.stream.index != self._stream.index:
                if now_s - video_at_s > self._timeout_s and not self.is_paced:
                    raise SourceLost(f"{self._shown}: no video came for {self._timeout_s:g} s, only other data")
                continue
            if packet.size:
                video_at_s = self._packet_at_s = now_s
                self._keep_up(packet, now_s)
            yield cast("Packet[VideoStream]", packet)

    def _keep_up(self, packet: Packet[Stream], now_s: float) -> None:
        """Leave out what can be left out while pictures of a live source wait in buffers for too long."""
        if self.is_paced or not self._has_stamps or packet.dts is None:
            return
        is_behind = self._backlog.packet(float(packet.dts * packet.time_base), now_s, packet.is_keyframe)
        # Without B-frames nothing is left out by NONREF; with three of them a quarter of the work is saved at 1080p.
        skip: _Skip = (
            "NONKEY" if is_behind else "NONREF" if self._backlog.is_slow and self._has_spare_pictures() else "DEFAULT"
        )
        if self._skip != skip:
            self._context.skip_frame = self._skip = skip

    def _has_spare_pictures(self) -> bool:
        """Whether enough pictures are left without those that no other one is decoded from."""
        return bool(self._context.has_b_frames and self.fps and self._backlog.fps <= self.fps / _SPARE)

    def _check_decodable(self, why: str) -> None:
        """Give up a source whose packets come without ever becoming pictures."""
        self._undecodable += 1
        waited_s = time.monotonic() - self._picture_at_s
        if self._undecodable > _MOST_UNDECODABLE if self.is_paced else waited_s > _LONGEST_WITHOUT_PICTURE_S:
            raise DecodeError(
                f"{self._shown}: {self._undecodable} packets in a row are no pictures ({why}); "
                "is the camera set to another codec?"
            ) from None

    def _take(self, picture: VideoFrame) -> Grab | None:
        arrived_s = self._packet_at_s or time.monotonic()
        media_time_s = self._clock.advance(picture.time if self._has_stamps else None, arrived_s)
        unseen, self._thrift.unseen = self._thrift.unseen, 0
        if self._backlog.is_behind:
            return None
        self._unseen += self._sampler.passed(media_time_s, unseen) if unseen else 0
        if not self._sampler.due(media_time_s):
            return None
        unseen, self._unseen = self._unseen, 0
        return Decoded(
            media_time_s,
            arrived_s - self._backlog.lag_s,
            self._backlog.take_skipped(),
            unseen,
            picture=picture,
            width=self._width,
            # FFmpeg gives the turn that brings the stored picture upright counter-clockwise.
            rotate=(self._rotate - round(picture.rotation / 90) * 90) % 360,
            shown=self._shown,
            reformatter=self._reformatter,
        )
