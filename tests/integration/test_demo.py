"""The demo's films as files, and its camera that drops out on a real socket."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from maskwatch.demo.dropout import DropoutCamera
from maskwatch.demo.film import make_films
from maskwatch.demo.scenes import FPS
from tests.support import free_port, wait_for

PATH = "/x.mjpg"


def test_film_is_h264_with_a_keyframe_each_second(tmp_path: Path) -> None:
    film = tmp_path / "corridor-1.mp4"
    assert make_films({"corridor": film}, lambda: False) == ["corridor"]
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        keyframes = [frame.time for frame in container.decode(stream) if frame.key_frame]
    assert stream.codec_context.name == "h264"
    assert keyframes[:4] == [0, 1, 2, 3]


def test_film_that_is_there_is_kept_and_one_of_another_version_goes(tmp_path: Path) -> None:
    film, old = tmp_path / "corridor-2.mp4", tmp_path / "corridor-1.mp4"
    film.write_bytes(b"a film")
    old.write_bytes(b"an old film")
    assert make_films({"corridor": film}, lambda: False) == []
    assert film.read_bytes() == b"a film"
    assert not old.exists()


def test_film_that_is_broken_off_leaves_nothing(tmp_path: Path) -> None:
    asked = iter([False] * 5)
    assert make_films({"corridor": tmp_path / "corridor-1.mp4"}, lambda: next(asked, True)) == []
    assert list(tmp_path.iterdir()) == []


class Clock:
    """Lets a test say when the camera goes away and comes back."""

    def __init__(self) -> None:
        self._next = threading.Semaphore(0)
        self.is_over = False

    def wait(self, _seconds: float) -> bool:
        self._next.acquire(timeout=250)
        return self.is_over

    def on(self) -> None:
        self._next.release()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def camera_url(clock: Clock, tmp_path: Path) -> Iterator[str]:
    port = free_port()
    picture = jpeg()
    camera = DropoutCamera([picture], FPS, port, PATH)
    thread = threading.Thread(target=camera.run, args=(clock.wait,))
    thread.start()
    yield f"http://127.0.0.1:{port}{PATH}"
    clock.is_over = True
    clock.on()
    clock.on()
    thread.join(60)
    assert not thread.is_alive()


def jpeg() -> bytes:
    import cv2

    from maskwatch.demo.rooms import corridor

    return bytes(cv2.imencode(".jpg", corridor())[1].tobytes())


def pictures(url: str, limit: int = 3) -> int:
    """Return how many pictures can be read, at most `limit`; 0 while nobody listens."""
    try:
        with av.open(url, timeout=(5, 5)) as container:
            for number, _frame in enumerate(container.decode(video=0), 1):
                if number >= limit:
                    return number
    except av.FFmpegError:
        return 0
    return 0


def test_camera_is_read_goes_away_and_comes_back(camera_url: str, clock: Clock) -> None:
    wait_for(lambda: pictures(camera_url), 120, "it gives pictures")
    clock.on()
    wait_for(lambda: not pictures(camera_url), 120, "it is away")
    clock.on()
    wait_for(lambda: pictures(camera_url), 120, "it is back")


def test_viewer_is_hung_up_on(camera_url: str, clock: Clock) -> None:
    wait_for(lambda: pictures(camera_url), 120, "it gives pictures")
    threading.Timer(0.5, clock.on).start()
    assert pictures(camera_url, limit=100_000) == 0
