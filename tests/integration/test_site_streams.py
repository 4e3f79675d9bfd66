from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack

import av
import cv2
import pytest
import redis

from maskwatch.broker.connect import connect
from maskwatch.types import CameraState
from tests.support import free_port, requires_debian, wait_for
from tests.support_feed import Feeder
from tests.support_redis import redis_server
from tests.support_site import ask, ask_json, is_card, read_part, serve
from web.server import SiteServer

CAMERAS = ["lobby", "yard", "dock"]


@pytest.fixture
def feeder(redis_client: redis.Redis) -> Iterator[Feeder]:
    feeder = Feeder(redis_client, CAMERAS).start()
    yield feeder
    feeder.stop()


@pytest.fixture
def site(redis_url: str, feeder: Feeder) -> Iterator[SiteServer]:
    with serve(redis_url) as site:
        yield site


def state_of(site: SiteServer, name: str) -> object:
    return ask_json(site.port, f"/api/v1/cameras/{name}").get("state")


def wait_live(site: SiteServer) -> None:
    wait_for(lambda: state_of(site, "lobby") == "live", 120, "the camera being live")
    with ask(site.port, "/cameras/lobby/snapshot.jpg") as answer:
        assert answer.status in (200, 503)


def test_mjpeg_moves_and_turns_into_a_card_when_the_camera_is_lost(site: SiteServer, feeder: Feeder) -> None:
    wait_live(site)
    with ask(site.port, "/cameras/lobby/stream.mjpg") as answer:
        assert answer.getheader("Content-Type") == "multipart/x-mixed-replace; boundary=maskwatch"
        wait_for(lambda: not is_card(read_part(answer)), 120, "a live picture", every_s=0)
        assert len({read_part(answer) for _ in range(6)}) > 2
        feeder.lose("lobby")
        wait_for(lambda: is_card(read_part(answer)), 60, "a card instead of the frozen picture", every_s=0)


def test_still_scene_is_repeated_and_not_called_stalled(site: SiteServer, feeder: Feeder) -> None:
    wait_live(site)
    with ask(site.port, "/cameras/lobby/stream.mjpg") as answer:
        wait_for(lambda: not is_card(read_part(answer)), 120, "a live picture", every_s=0)
        feeder.freeze("lobby")
        until = time.monotonic() + 4
        parts = list[bytes]()
        while time.monotonic() < until or len(parts) < 4:
            parts.append(read_part(answer))
        assert parts[-1] == parts[-2]
        assert not is_card(parts[-1])
    assert state_of(site, "lobby") == "live"


def test_ffmpeg_reads_the_stream(site: SiteServer) -> None:
    requires_debian("ffmpeg")
    wait_live(site)
    command = [str(shutil.which("ffmpeg")), "-v", "error", "-i", f"{site.url}cameras/lobby/stream.mjpg?width=320"]
    done = subprocess.run(
        [*command, "-frames:v", "5", "-f", "rawvideo", "-pix_fmt", "bgr24", "-"], capture_output=True, timeout=90
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) == 5 * 320 * 180 * 3


def test_pyav_reads_the_stream(site: SiteServer) -> None:
    wait_live(site)
    with av.open(f"{site.url}cameras/lobby/stream.mjpg", timeout=30) as container:
        frames = container.decode(video=0)
        sizes = {(frame.width, frame.height) for frame, _ in zip(frames, range(4), strict=False)}
    assert sizes == {(640, 360)}


def test_opencv_reads_the_stream(site: SiteServer) -> None:
    wait_live(site)
    capture = cv2.VideoCapture(f"{site.url}cameras/lobby/stream.mjpg")
    try:
        for _ in range(3):
            ok, frame = capture.read()
            assert ok
            assert frame.shape == (360, 640, 3)
    finally:
        capture.release()


def test_client_of_http_1_0_gets_a_stream_without_chunks(site: SiteServer) -> None:
    wait_live(site)
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as client, client.makefile("rwb") as stream:
        stream.write(b"GET /cameras/lobby/stream.mjpg HTTP/1.0\r\n\r\n")
        stream.flush()
        head = b"".join(iter(stream.readline, b"\r\n"))
        assert b" 200 " in head.splitlines()[0]
        assert b"chunked" not in head.lower()
        assert stream.readline() == b"--maskwatch\r\n"
        assert stream.readline() == b"Content-Type: image/jpeg\r\n"


def test_places_are_given_back_when_viewers_leave(site: SiteServer) -> None:
    wait_live(site)
    with ExitStack() as viewers:
        for _ in range(4):
            viewers.enter_context(ask(site.port, "/cameras/lobby/stream.mjpg")).read(100)
        with ask(site.port, "/api/v1/wall") as refused:
            assert refused.status == 503
            assert refused.getheader("Retry-After")
    wait_for(lambda: open_streams(site) == 0, 120, "all places being free again")


def open_streams(site: SiteServer) -> int:
    return int(ask_json(site.port, "/api/v1/status")["streams"]["open"])


def test_slow_viewer_gets_newer_pictures_and_not_all_of_them(site: SiteServer) -> None:
    wait_live(site)
    with ask(site.port, "/cameras/lobby/stream.mjpg") as answer:
        read_part(answer)
        before = analysed(site)
        wait_for(lambda: analysed(site) > before + 20, 60, "frames while the viewer sleeps")
        assert open_streams(site) == 1
        assert read_part(answer).startswith(b"\xff\xd8")


def analysed(site: SiteServer) -> int:
    return int(ask_json(site.port, "/api/v1/cameras/lobby")["counts"]["analysed"])


def test_snapshot_of_each_state(site: SiteServer, feeder: Feeder) -> None:
    def status() -> int:
        with ask(site.port, "/cameras/yard/snapshot.jpg") as answer:
            return answer.status

    wait_for(lambda: status() == 200, 120, "a live snapshot")
    feeder.lose("yard", CameraState.AUTH_FAILED, "401")
    wait_for(lambda: status() == 503, 120, "the card of a camera that is lost")


def test_metrics_tell_what_the_queue_counted(site: SiteServer) -> None:
    wait_live(site)

    def scrape() -> str:
        with ask(site.port, "/metrics") as answer:
            return answer.read().decode()

    wait_for(lambda: 'maskwatch_people_present{camera="dock",verdict="incorrect_mask"} 1.0' in scrape(), 120, "people")
    assert 'maskwatch_camera_up{camera="lobby"} 1.0' in scrape()
    assert 'maskwatch_redis_up{server="live"} 1.0' in scrape()
    assert ask_json(site.port, "/readyz") == {"ready": True, "missing": []}


def test_streams_survive_a_restart_of_redis() -> None:
    port = free_port()
    with serve(f"redis://127.0.0.1:{port}/0") as site, ExitStack() as viewer:
        with redis_server(port=port) as url, connect(url) as own:
            feeder = Feeder(own, CAMERAS).start()
            wait_live(site)
            answer = viewer.enter_context(ask(site.port, "/cameras/lobby/stream.mjpg"))
            wait_for(lambda: not is_card(read_part(answer)), 120, "a live picture", every_s=0)
            feeder.stop()
        wait_for(lambda: is_card(read_part(answer)), 120, "a card while Redis is away", every_s=0)
        assert ask_json(site.port, "/readyz")["ready"] is False
        with ask(site.port, "/metrics") as metrics:
            assert b'maskwatch_redis_up{server="live"} 0.0' in metrics.read()
        with redis_server(port=port) as url, connect(url) as own:
            feeder = Feeder(own, CAMERAS).start()
            wait_for(lambda: not is_card(read_part(answer)), 120, "the live picture again", every_s=0)
            feeder.stop()


def test_frozen_redis_is_no_reason_to_show_a_frozen_picture() -> None:
    with redis_server() as url, connect(url) as own, serve(url) as site:
        feeder = Feeder(own, CAMERAS).start()
        wait_live(site)
        with ask(site.port, "/cameras/lobby/stream.mjpg") as answer:
            wait_for(lambda: not is_card(read_part(answer)), 120, "a live picture", every_s=0)
            feeder.stop()
            process = int(own.info("server")["process_id"])
            os.kill(process, signal.SIGSTOP)
            try:
                frozen_at = time.monotonic()
                wait_for(lambda: is_card(read_part(answer)), 60, "a card instead of the frozen picture", every_s=0)
                assert time.monotonic() - frozen_at < 30
            finally:
                os.kill(process, signal.SIGCONT)
