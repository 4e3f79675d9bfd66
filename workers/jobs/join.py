"""Parts of a video become one file, without being encoded again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import av.error
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from maskwatch.errors import JobError

__all__ = ["join_parts"]


def join_parts(parts: Sequence[Path], path: Path) -> None:
    """Write the pictures of several MP4 files, all made by `Film` with the same size and rate, one after the other.

    Args:
        parts: at least one.
        path: of the new MP4 file, whose index is in front, so that a browser begins at once.

    Raises:
        JobError: if a part can't be read, or the file can't be written.
    """
    unfinished = path.with_suffix(".new")
    try:
        delay = max(map(_delay, parts))
        with av.open(str(unfinished), "w", format="mp4", options={"movflags": "+faststart"}) as output:
            stream, begins = None, 0
            for part in parts:
                with _opened(part) as film:
                    stream = stream or output.add_stream_from_template(film.streams.video[0])
                    begins = _append(film, output, stream, begins, delay - _delay(part))
        unfinished.replace(path)
    except (av.error.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise JobError(
            f"{path}: the parts of the video can't be joined ({reason}); is there room in jobs.dir?"
        ) from None


def _opened(part: Path) -> InputContainer:
    return av.open(str(part), options={"format_whitelist": "mov,mp4", "protocol_whitelist": "file"})


def _delay(part: Path) -> int:
    """Return how long the first picture is decoded before it is shown: parts of one or two have nothing to reorder."""
    with _opened(part) as film:
        first = next(film.demux(film.streams.video[0]), None)
        return 0 if first is None or first.pts is None or first.dts is None else first.pts - first.dts


def _append(film: InputContainer, output: OutputContainer, stream: VideoStream, begins: int, earlier: int) -> int:
    """Write a part's pictures behind those that are there, decoded `earlier` by so many ticks; return their end.

    All parts are decoded as early as the one that needs it most. Otherwise the pictures of a long part would have to be
    decoded before those of the short one in front of it.
    """
    ends = begins
    for packet in film.demux(film.streams.video[0]):
        if packet.pts is None or packet.dts is None:  # the end's mark
            continue
        packet.pts, packet.dts = packet.pts + begins, packet.dts + begins - earlier
        ends = max(ends, packet.pts + (packet.duration or 0))
        packet.stream = stream
        output.mux(packet)
    return ends
