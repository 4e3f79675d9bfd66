"""Films that stand in for cameras: H.264 as network cameras send it, continuous for as long as is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import av.error
import cv2
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from maskwatch.arrays import UInt8Array
from maskwatch.errors import SourceError
from maskwatch.media import decode_jpeg

__all__ = ["camera_film", "moving_pattern", "write_clip"]

CLIP_FPS = 10
KEYFRAME_EVERY_S = 2


def write_clip(path: Path, pictures: Iterable[UInt8Array], size_wh: tuple[int, int], fps: int, seconds: float) -> None:
    """Encode pictures once and repeat them until the film is long enough; no B-frames, a keyframe every 2 s.

    Args:
        path: of the MP4 file; replaced if it is there.
        pictures: (H, W, 3) uint8 BGR each, of one size; the last one should lead to the first.
        size_wh: of the pictures, even.
        fps: frames a second.
        seconds: least length.

    Raises:
        SourceError: if it can't be written.
    """
    try:
        with av.open(str(path), "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=Fraction(fps))
            stream.width, stream.height, stream.pix_fmt = *size_wh, "yuv420p"
            stream.options = {"preset": "veryfast", "crf": "23", "g": str(fps * KEYFRAME_EVERY_S), "bf": "0"}
            encoded = [(bytes(packet), packet.is_keyframe) for packet in _encoded(stream, pictures)]
            number = 0
            while number < max(len(encoded), seconds * fps):
                for data, is_keyframe in encoded:
                    packet = Packet(data)
                    packet.stream, packet.time_base = stream, Fraction(1, fps)
                    packet.pts = packet.dts = number
                    packet.is_keyframe = is_keyframe
                    container.mux(packet)
                    number += 1
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise SourceError(f"{path}: can't be written: {error}; is there room in the temporary folder?") from error


def _encoded(stream: VideoStream, pictures: Iterable[UInt8Array]) -> Iterator[Packet[VideoStream]]:
    for picture in pictures:
        yield from stream.encode(VideoFrame.from_ndarray(picture, format="bgr24"))
    yield from stream.encode(None)


def camera_film(path: Path, jpegs: Sequence[bytes], size_wh: tuple[int, int], seconds: float) -> None:
    """Write JPEGs as a camera would send them at 10 frames a second, forward and back so that nothing jumps.

    Raises:
        SourceError: if it can't be written.
    """
    whole = [*jpegs, *reversed(jpegs[1:-1])]
    write_clip(path, (decode_jpeg(jpeg) for jpeg in whole), size_wh, CLIP_FPS, seconds)


def moving_pattern(count: int, size_wh: tuple[int, int]) -> Iterator[UInt8Array]:
    """Yield a textured picture that pans, with a sensor's noise: about as hard to code as a room.

    Args:
        count: how many pictures.
        size_wh: of each, in pixels.

    Yields:
        (H, W, 3) uint8 BGR.
    """
    width, height = size_wh
    rng = np.random.default_rng(7)
    coarse = rng.integers(0, 256, (height // 24 + 2, width // 16 + 2, 3), np.uint8)
    ground = cv2.resize(coarse, (width + 4 * count, height), interpolation=cv2.INTER_CUBIC)
    noise = rng.integers(0, 12, (height, width, 3), np.uint8)
    for number in range(count):
        view = ground[:, 4 * number : 4 * number + width]
        yield np.asarray(cv2.add(view, np.roll(noise, 7 * number, axis=1)), np.uint8)
