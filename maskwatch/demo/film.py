"""Scenes become H.264 files, once."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import av.error

from maskwatch.demo.rooms import SIZE_WH
from maskwatch.demo.scenes import FPS, frames
from maskwatch.errors import SourceError

__all__ = ["make_films"]


def make_films(films: dict[str, Path], is_stopped: Callable[[], bool]) -> list[str]:
    """Write the films that aren't there yet; a file has its name only once it is complete.

    Args:
        films: the file of each scene, all in one folder; other films in that folder are deleted, being of another
            version.
        is_stopped: asked before each frame; once it's true, nothing more is written.

    Returns:
        The names of the scenes that were written.

    Raises:
        SourceError: if one can't be written; nothing is left of it.
    """
    written = []
    for name, path in films.items():
        if not path.exists() and _film(name, path, is_stopped):
            written.append(name)
    for folder in {path.parent for path in films.values()}:
        for old in set(folder.glob("*.mp4")) - set(films.values()):
            old.unlink(missing_ok=True)
    return written


def _film(name: str, path: Path, is_stopped: Callable[[], bool]) -> bool:
    partial = path.with_suffix(".partial")
    try:
        _encode(name, partial, is_stopped)
        if not is_stopped():
            os.replace(partial, path)
            return True
    except (av.error.FFmpegError, OSError) as error:
        raise SourceError(f"{path}: can't be written: {error.strerror}; is there room?") from error
    finally:
        partial.unlink(missing_ok=True)
    return False


def _encode(name: str, path: Path, is_stopped: Callable[[], bool]) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        # A keyframe a second: a still camera can be watched by its keyframes alone.
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "23", "g": str(FPS)})
        stream.width, stream.height = SIZE_WH
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(frames(name)):
            if is_stopped():
                break
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
