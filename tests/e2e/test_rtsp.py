"""Real cameras as far as ingest can tell: an RTSP server that freezes, dies, comes back and refuses passwords."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from maskwatch.broker.counts import Counts
from tests.support import ROOT
from tests.support_ingest import GENEROUS_S, Ingest, ingest
from tests.support_media import rtsp_server, write_film
from tests.support_redis import redis_server

PASSWORD = "s3cret@/"
BACK_S = 12.0
"""Ten seconds are promised until a camera that is there again is seen again; a busy machine needs a little more."""

pytestmark = pytest.mark.timeout(6 * GENEROUS_S)


@pytest.fixture
def url() -> Iterator[str]:
    with redis_server() as url:
        yield url


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A film of the developers' where there is one, else one made here."""
    real = ROOT.parent / "shared" / "data" / "videos" / "man_360p_bare.mp4"
    return real if real.exists() else write_film(tmp_path / "film.mp4", 150, size_wh=(640, 360))


def mount(film: Path, **more: object) -> dict[str, object]:
    return {"path": "/cam", "file": str(film), "loop": True, **more}


def undisturbed(process: Ingest, camera: str) -> Callable[[], None]:
    """Begin to watch a camera; the answer checks that its frames went on all the while, under one epoch's state."""
    began_s, before, view = time.monotonic(), process.captured(camera), process.view(camera)
    assert view is not None
    assert view.status is not None
    since_utc, reconnects = view.status.since_utc, view.status.reconnects

    def check() -> None:
        now = process.await_state(camera, "live")
        assert now.status is not None
        assert (now.status.since_utc, now.status.reconnects) == (since_utc, reconnects)
        expected = 5 * (time.monotonic() - began_s)
        assert process.captured(camera) - before >= 0.6 * expected - 3

    return check


def test_cameras_freeze_die_refuse_and_come_back_without_disturbing_others(
    url: str, tmp_path: Path, film: Path
) -> None:
    with (
        rtsp_server(mount(film)) as steady,
        rtsp_server(mount(film)) as freezing,
        rtsp_server(mount(film)) as dying,
        rtsp_server(mount(film, user="admin", password=PASSWORD)) as guarded,
    ):
        cameras: dict[str, object] = {
            "steady": {"source": steady.url("/cam")},
            "udp": {"source": steady.url("/cam"), "transport": "udp"},
            "freezing": {"source": freezing.url("/cam"), "timeout_s": 6},
            "dying": {"source": dying.url("/cam")},
            "welcome": {"source": guarded.url("/cam", "admin:s3cret%40%2F")},
            "refused": {"source": guarded.url("/cam", "admin:wr0ngword")},
        }
        with ingest(url, tmp_path, cameras) as process:
            for name in ("steady", "udp", "freezing", "dying", "welcome"):
                view = process.await_state(name, "live")
                assert view.status is not None
                assert (view.status.size_wh, view.status.holder) == ((640, 360), "one")
            refused = process.await_state("refused", "auth_failed")
            assert "credentials" in refused.reason
            assert "***@" in refused.info.source
            checks = [undisturbed(process, name) for name in ("steady", "udp", "welcome")]

            freezing.process.send_signal(signal.SIGSTOP)
            stopped_s = time.monotonic()
            assert "no packet" in process.await_state("freezing", "stalled").reason
            assert time.monotonic() - stopped_s < BACK_S
            assert "nothing came for 6 s" in process.await_state("freezing", "offline").reason
            freezing.process.send_signal(signal.SIGCONT)
            back_s = time.monotonic()
            back = process.await_state("freezing", "live")
            assert time.monotonic() - back_s < BACK_S
            assert back.status is not None
            assert back.status.reconnects == 1
            process.await_frames("freezing", 5)

            dying.kill()
            process.await_state("dying", "offline")
            frames = process.captured("dying")
            time.sleep(4)  # the outage itself: long enough for several tries
            assert process.captured("dying") == frames
            dying.start_again()
            back_s = time.monotonic()
            process.await_state("dying", "live")
            assert time.monotonic() - back_s < BACK_S
            process.await_frames("dying", 5)

            for check in checks:
                check()
            process.await_state("refused", "auth_failed")
            assert Counts.read(process.client).balanced
        failures = [line for line in process.said.splitlines() if '"refused"' in line and "source.failed" in line]
        assert len(failures) == 1
        assert "wr0ngword" not in process.said
        assert "s3cret" not in process.said


def test_slow_retry_of_refused_credentials(url: str, tmp_path: Path, film: Path) -> None:
    with (
        rtsp_server(mount(film, user="admin", password="right")) as guarded,
        ingest(url, tmp_path, {"a": {"source": guarded.url("/cam", "admin:wrong")}}) as process,
    ):
        first = process.await_state("a", "auth_failed")
        (line,) = [line for line in process.said.splitlines() if "source.failed" in line]
        retry_s = yaml.safe_load(line)["retry_s"]
        assert retry_s >= 45
        assert first.status is not None
        # The right password in the configuration takes effect at once all the same.
        process.configure({"a": {"source": guarded.url("/cam", "admin:right")}})
        process.await_state("a", "live")
        process.await_frames("a", 3)
