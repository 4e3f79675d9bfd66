"""Parts of a video become one file, without being encoded again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import av.error

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
        with av.open(str(unfinished), "w", format="mp4", options={"movflags": "+faststart"}) as output:
            stream = None
            begins = 0
            for part in parts:
                with av.open(
                    str(part), options={"format_whitelist": "mov,mp4", "protocol_whitelist": "file"}
                ) as input_:
                    source = input_.streams.video[0]
                    if stream is None:
                        stream = output.add_stream_from_template(source)
                    ends = begins
                    for packet in input_.demux(source):
                        if packet.pts is None or packet.dts is None:  # the end's mark
                            continue
                        packet.pts, packet.dts = packet.pts + begins, packet.dts + begins
                        ends = max(ends, packet.pts + (packet.duration or 0))
                        packet.stream = stream
                        output.mux(packet)
                    begins = ends
        unfinished.replace(path)
    except (av.error.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise JobError(
            f"{path}: the parts of the video can't be joined ({reason}); is there room in jobs.dir?"
        ) from None
