"""Opening a source of whatever kind."""

from __future__ import annotations

import os
from pathlib import Path

from maskwatch.errors import DecodeError, SourceError
from maskwatch.media.folder import FolderSource
from maskwatch.media.frame import FrameSource
from maskwatch.media.webcam import WebcamSource
from maskwatch.settings.source import Source, SourceKind

__all__ = ["open_source"]


def open_source(
    source: Source,
    *,
    timeout_s: float = 5.0,
    transport: str = "tcp",
    width: int | None = 640,
    rotate: int = 0,
    fps: float | None = None,
    hwaccel: str = "none",
) -> FrameSource:
    """Open a source of pictures; use it as a context manager.

    Opening and each read are bounded in time, also against a peer that accepts the connection and says nothing.

    Args:
        source: what to read.
        timeout_s: seconds that opening or one read may take.
        transport: of RTSP: "tcp" or "udp".
        width: greatest width of a picture in pixels; wider ones are scaled down. None leaves the size alone.
        rotate: 0, 90, 180 or 270 degrees clockwise, on top of what a file says of itself.
        fps: pictures a second that are due; None: all. A folder without it is taken for 1 a second.
        hwaccel: FFmpeg's name of what decodes in hardware; where it doesn't work the source has a `remark`.

    Returns:
        The open source.

    Raises:
        SourceAuthError: if it refuses the credentials.
        SourceUnsupported: if it is no video, has none, or is too large.
        DecodeError: if a file is empty.
        SourceError: if it can't be reached or opened for another reason.
    """
    if source.kind is SourceKind.WEBCAM:
        return WebcamSource(source.location, timeout_s=timeout_s, width=width, rotate=rotate, fps=fps)
    path = Path(source.location)
    if source.kind is SourceKind.FOLDER or (source.kind is SourceKind.VIDEO and os.path.isdir(path)):
        return FolderSource(path, width=width, rotate=rotate, fps=fps or 1.0)
    if source.kind is SourceKind.VIDEO:
        _check_file(path)
    from maskwatch.media.video import VideoSource

    return VideoSource(
        source, timeout_s=timeout_s, transport=transport, width=width, rotate=rotate, fps=fps, hwaccel=hwaccel
    )


def _check_file(path: Path) -> None:
    """Say of a file what FFmpeg would say less clearly.

    Raises:
        SourceError: if it can't be read.
        DecodeError: if it is empty.
    """
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise SourceError(f"{path}: can't be read: {error.strerror}; check the path") from error
    if not path.is_file():
        raise SourceError(f"{path}: not a file; expected a video file or a folder of pictures")
    if size_bytes == 0:
        raise DecodeError(f"{path}: empty (0 bytes); expected a video")
