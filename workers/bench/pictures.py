"""The pictures that are measured with: any source as 640x360 JPEGs in memory, as ingest would send them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from maskwatch.arrays import UInt8Array
from maskwatch.errors import DecodeError
from maskwatch.media import encode_jpeg, open_source
from maskwatch.settings.source import parse_source

__all__ = ["MOST_PICTURES", "SIZE_WH", "back_and_forth", "fitted", "load_jpegs", "read_pictures", "write_jpegs"]

SIZE_WH = (640, 360)
"""What most cameras' sub-streams have, and what every figure of this project is about."""

MOST_PICTURES = 300
"""12 MB of JPEGs; a minute at 5 frames a second."""


def fitted(frame_bgr: UInt8Array) -> UInt8Array:
    """Scale a picture of any size into `SIZE_WH`, its aspect kept, the rest grey.

    Args:
        frame_bgr: (H, W, 3) uint8; not modified.

    Returns:
        (360, 640, 3) uint8; the same array when it has that size.
    """
    width, height = SIZE_WH
    if frame_bgr.shape[:2] == (height, width):
        return frame_bgr
    factor = min(width / frame_bgr.shape[1], height / frame_bgr.shape[0])
    part_wh = (max(1, round(frame_bgr.shape[1] * factor)), max(1, round(frame_bgr.shape[0] * factor)))
    part = cv2.resize(frame_bgr, part_wh, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    whole = np.full((height, width, 3), 127, np.uint8)
    left, top = (width - part_wh[0]) // 2, (height - part_wh[1]) // 2
    whole[top : top + part_wh[1], left : left + part_wh[0]] = part
    return whole


def read_pictures(source: str, fps: float, most: int = MOST_PICTURES) -> Iterator[UInt8Array]:
    """Read a video or a folder of pictures at a rate, each picture fitted into `SIZE_WH`.

    Args:
        source: as in a camera's `source:`.
        fps: pictures a second of the source's own time.
        most: the first so many.

    Yields:
        (360, 640, 3) uint8 BGR.

    Raises:
        SourceError: if it can't be read, or holds no picture.
    """
    count = 0
    with open_source(parse_source(source), width=SIZE_WH[0], fps=fps) as opened:
        for frame in opened:
            yield fitted(frame.frame_bgr)
            count += 1
            if count >= most:
                return
    if count == 0:
        raise DecodeError(f"{source}: no picture in it; give another --source")


def write_jpegs(sources: Sequence[str], folder: Path, fps: float, most: int = MOST_PICTURES) -> int:
    """Write the pictures of one or several sources as JPEGs and return how many there are; see `read_pictures`."""
    count = 0
    for source in sources:
        for frame in read_pictures(source, fps, most // len(sources)):
            (folder / f"{count:06d}.jpg").write_bytes(encode_jpeg(frame))
            count += 1
    return count


def load_jpegs(folder: Path) -> list[bytes]:
    """Read what `write_jpegs` wrote, in order."""
    return [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]


def back_and_forth(count: int, start: int = 0) -> Iterator[int]:
    """Yield places in a film for ever: forward, then backward, so that nothing ever jumps.

    Args:
        count: pictures of the film.
        start: the first place.
    """
    period = max(1, 2 * (count - 1))
    step = start
    while True:
        at = step % period
        yield at if at < count else period - at
        step += 1
