"""Pictures, films and servers of them for tests."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, cast

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from maskwatch.arrays import UInt8Array
from tests.support import ROOT, free_port, requires_debian

__all__ = ["MjpegServer", "RtspServer", "mjpeg_server", "numbered", "rtsp_server", "write_film"]


def numbered(number: int, size_wh: tuple[int, int] = (320, 240)) -> UInt8Array:
    """Make a picture that differs from its neighbours: a grey level and a bar that moves."""
    width, height = size_wh
    frame_bgr = np.full((height, width, 3), 40 + number % 20 * 8, np.uint8)
    cv2.rectangle(frame_bgr, (number * 4 % width, 0), (number * 4 % width + 16, height), (0, 0, 255), -1)
    return frame_bgr


def write_film(
    path: Path,
    frames: int,
    *,
    size_wh: tuple[int, int] = (320, 240),
    fps: int = 25,
    codec: str = "libx264",
    rotation: int = 0,
    keyframe_every: int | None = None,
    b_frames: int = 0,
    draw: Callable[[int, tuple[int, int]], UInt8Array] = numbered,
) -> Path:
    """Write a film of drawn pictures; the container is the suffix's, x264's keyframes come every second or as asked."""
    with av.open(str(path), "w") as container:
        stream = cast(VideoStream, container.add_stream(codec, rate=Fraction(fps)))
        stream.width, stream.height, stream.pix_fmt = *size_wh, "yuv420p"
        if codec == "libx264":
            # GStreamer's payloader tears keyframes of several slices apart, which no camera does.
            whole = {"x264-params": "sliced-threads=0:slices=1"}
            every = str(keyframe_every or fps)
            fixed = {} if keyframe_every is None else {"keyint_min": every, "sc_threshold": "0"}
            stream.options = {"preset": "ultrafast", "g": every, "bf": str(b_frames), **fixed, **whole}
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(frames):
            container.mux(stream.encode(VideoFrame.from_ndarray(draw(number, size_wh), format="bgr24")))
        container.mux(stream.encode(None))
    return path


class MjpegServer:
    """What a test can do to a served MJPEG stream."""

    def __init__(self, jpegs: Sequence[bytes], fps: float, password: str) -> None:
        self.jpegs = list(jpegs)
        self.fps = fps
        self.frozen = threading.Event()
        self.broken = threading.Event()
        self.expected = "Basic " + base64.b64encode(f"user:{password}".encode()).decode() if password else None
        self.port = 0
        self.answer = 200
        self.film = b""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/video.mjpg"


class _Handler(BaseHTTPRequestHandler):
    served: MjpegServer

    def do_GET(self) -> None:
        served = self.served
        if served.answer != 200 or (served.expected and self.headers.get("Authorization") != served.expected):
            self.send_response(401 if served.answer == 200 else served.answer)
            self.send_header("WWW-Authenticate", 'Basic realm="test"')
            self.end_headers()
            return
        self.send_response(200)
        if served.film:
            self.send_header("Content-Length", str(len(served.film)))
            self.end_headers()
            self.wfile.write(served.film)
            return
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        number = 0
        while not served.broken.is_set():
            if served.frozen.is_set():
                served.broken.wait(0.05)
                continue
            jpeg = served.jpegs[number % len(served.jpegs)]
            number += 1
            try:
                self.wfile.write(
                    b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(jpeg), jpeg)
                )
            except OSError:
                return
            time.sleep(1 / served.fps)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def mjpeg_server(
    jpegs: Sequence[bytes], *, fps: float = 20, password: str = "", port: int = 0
) -> Iterator[MjpegServer]:
    """Serve JPEGs again and again as multipart/x-mixed-replace, as cameras do."""
    served = MjpegServer(jpegs, fps, password)
    server = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (_Handler,), {"served": served}))
    server.daemon_threads = True
    served.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.broken.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


class RtspServer:
    """A running RTSP server; its process can be frozen, killed and started again on the same port."""

    def __init__(self, mounts: Sequence[dict[str, object]]) -> None:
        self.port = free_port()
        self._mounts = list(mounts)
        self.process = self._started()

    def url(self, path: str, credentials: str = "") -> str:
        return f"rtsp://{credentials + '@' if credentials else ''}127.0.0.1:{self.port}{path}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def start_again(self) -> None:
        self.process = self._started()

    def _started(self) -> subprocess.Popen[str]:
        wanted = json.dumps({"port": self.port, "mounts": self._mounts})
        process = subprocess.Popen(
            ["/usr/bin/python3", str(ROOT / "tests" / "rtsp_server.py"), wanted],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        stdout: IO[str] | None = process.stdout
        assert stdout is not None
        assert stdout.readline() == "ready\n", "the RTSP server did not start"
        return process


@contextmanager
def rtsp_server(*mounts: dict[str, object]) -> Iterator[RtspServer]:
    """Serve MP4 files over RTSP; see tests/rtsp_server.py for what a mount may say."""
    requires_debian("rtsp")
    server = RtspServer(mounts)
    try:
        yield server
    finally:
        server.kill()
