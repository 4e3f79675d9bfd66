"""Ingest as a person starts it: edits of its file, several of them, Redis going away, ends of all kinds."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from maskwatch.broker.connect import connect
from maskwatch.broker.counts import Counts
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.messages import Done, TakenKind
from maskwatch.broker.processes import ProcessBook
from maskwatch.errors import BrokerDown
from maskwatch.media import encode_jpeg
from maskwatch.types import DropReason, FrameResult, FrameStatus
from tests.support import free_port, wait_for
from tests.support_ingest import GENEROUS_S, STOP_S, Ingest, ingest
from tests.support_media import mjpeg_server, numbered, write_film
from tests.support_redis import redis_server

TAKEN_OVER_S = 15.0
"""Ten seconds are promised until the cameras of a dead ingest are held by another one; a busy machine needs more."""

pytestmark = pytest.mark.timeout(6 * GENEROUS_S)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_film(tmp_path_factory.mktemp("films") / "film.mp4", 50)


@pytest.fixture
def url() -> Iterator[str]:
    with redis_server() as url:
        yield url


def looped(film: Path, **more: object) -> dict[str, object]:
    return {"source": str(film), "loop": True, **more}


def epoch_begins(process: Ingest, camera: str) -> float:
    view = process.view(camera)
    assert view is not None
    assert view.status is not None
    return view.status.since_utc


def test_edits_take_effect_without_disturbing_other_cameras(url: str, tmp_path: Path, film: Path) -> None:
    kept, other = looped(film), write_film(tmp_path / "other.mp4", 50, size_wh=(200, 100))
    cameras: dict[str, object] = {"kept": kept, "changed": looped(film), "removed": looped(film)}
    with ingest(url, tmp_path, cameras) as process:
        for name in cameras:
            process.await_state(name, "live")
        since_utc = epoch_begins(process, "kept")

        process.configure({"kept": kept, "changed": looped(other), "added": looped(film, width=80, fps=10)})
        wait_for(lambda: process.view("removed") is None, GENEROUS_S, "the removed camera is gone")
        process.await_state("added", "live")
        wait_for(
            lambda: (v := process.view("changed")) and v.status and v.status.size_wh == (200, 100), GENEROUS_S, "source"
        )

        process.configure({"kept": kept, "changed": looped(other), "added": looped(film, width=64, fps=2)})
        wait_for(
            lambda: (v := process.view("added")) and v.status and v.status.size_wh == (64, 48), GENEROUS_S, "width"
        )
        wait_for(lambda: (v := process.view("added")) and v.status and 0 < v.status.captured_fps < 3, GENEROUS_S, "fps")

        process.configure({"kept": kept, "changed": looped(other, enabled=False), "added": looped(film)})
        process.await_state("changed", "disabled")
        wait_for(lambda: "changed" not in process.book.holders(), GENEROUS_S, "the disabled camera is given back")

        assert epoch_begins(process, "kept") == since_utc
        process.await_frames("kept", 3)
    assert process.said.count('"camera": "kept"') == 2  # taken and opened, once


def test_invalid_edit_is_told_and_changes_nothing(url: str, tmp_path: Path, film: Path) -> None:
    with ingest(url, tmp_path, {"a": looped(film)}) as process:
        process.await_state("a", "live")
        process.config.write_text("cameras:\n  a: {sorce: film.mp4}\n")
        wait_for(lambda: "config.refused" in process.said, GENEROUS_S, "the refusal in the log")
        assert "did you mean 'source'" in process.said
        process.await_frames("a", 5)
        process.configure({"a": looped(film), "b": looped(film)})
        process.await_state("b", "live")


def test_two_share_and_the_rest_is_taken_over_when_one_is_killed(url: str, tmp_path: Path, film: Path) -> None:
    cameras: dict[str, object] = {f"c{number}": looped(film) for number in range(4)}
    cameras["desk"] = looped(film, on="two")
    with ingest(url, tmp_path, cameras, "one") as one:
        for number in range(4):
            one.await_state(f"c{number}", "live")
        desk = one.await_state("desk", "offline")
        assert desk.reason == "waits for the ingest named two"
        with ingest(url, tmp_path, None, "two") as two:

            def even() -> bool:
                holders = one.book.holders()
                return sorted(holders.values()) == ["one", "one", "two", "two", "two"] and holders["desk"] == "two"

            wait_for(even, GENEROUS_S, f"even shares: {one.book.holders()}")
            for name in cameras:
                one.await_state(name, "live")
            two.process.kill()
            killed_s = time.monotonic()
            free = [f"c{number}" for number in range(4)]
            wait_for(lambda: all(one.book.holders().get(name) == "one" for name in free), GENEROUS_S, "the take-over")
            assert time.monotonic() - killed_s < TAKEN_OVER_S
            for name in free:
                one.await_state(name, "live")
            wait_for(lambda: "desk" not in one.book.holders(), GENEROUS_S, "nobody else may hold the desk")
        assert Counts.read(one.client).balanced
    assert "camera.hold_lost" not in one.said


def test_flushed_redis_is_filled_again_and_the_sources_stay_open(url: str, tmp_path: Path) -> None:
    with (
        mjpeg_server([encode(number) for number in range(20)]) as camera,
        ingest(
            url, tmp_path, {"a": {"source": camera.url}, "off": {"source": camera.url, "enabled": False}}
        ) as process,
    ):
        process.await_state("a", "live")
        process.client.flushall()
        wait_for(lambda: process.view("off"), GENEROUS_S, "the cameras are registered again")
        process.await_frames("a", 3)
        view = process.await_state("a", "live")
        assert view.status is not None
        assert view.status.reconnects == 0
        wait_for(lambda: ProcessBook(process.client).list("ingest"), GENEROUS_S, "the process is registered again")


def test_redis_that_goes_away_and_comes_back_empty_loses_no_count(tmp_path: Path) -> None:
    # One that ends meanwhile waits for Redis, which gives the next epoch; no frame falls due then.
    film, port = write_film(tmp_path / "long.mp4", 600, fps=5), free_port()
    with ExitStack() as server, ExitStack() as rest:
        url = server.enter_context(redis_server(port=port))
        process = rest.enter_context(ingest(url, tmp_path, {"a": looped(film)}))
        process.await_state("a", "live")
        process.await_frames("a", 5)
        server.close()
        wait_for(lambda: "broker.lost" in process.said, GENEROUS_S, "the loss in the log")
        with pytest.raises(BrokerDown):
            process.book.overview()
        time.sleep(3)  # the outage: frames fall due meanwhile
        server.enter_context(redis_server(port=port))
        process.await_state("a", "live")
        wait_for(lambda: process.counts("a").dropped[DropReason.BROKER_DOWN.value] >= 3, GENEROUS_S, "the dropped ones")
        assert "broker.back" in process.said
        assert Counts.read(process.client).balanced


def test_film_played_once_ends_its_tracks_and_a_loop_begins_new_epochs(url: str, tmp_path: Path, film: Path) -> None:
    with ingest(url, tmp_path, {"once": {"source": str(film)}, "again": looped(film)}) as process:
        client = connect(url, blocking=True)
        queue = FrameQueue(client)
        epochs: set[str] = set()
        times: list[float] = []
        ended = False
        result = FrameResult(FrameStatus.OK, (320, 240))
        ends_s = time.monotonic() + 2 * GENEROUS_S
        while time.monotonic() < ends_s and not (ended and len(epochs) >= 3):
            for taken in queue.take(8, 0.5):
                if taken.camera == "again":
                    epochs.add(taken.epoch)
                elif taken.kind is TakenKind.END:
                    ended = True
                else:
                    times.append(taken.media_time_s)
                queue.done([Done(taken.camera, taken.epoch, taken.token, result, b"state")])
        client.close()
        assert ended
        assert len(epochs) >= 3
        assert times == sorted(times)
        counts = process.counts("once")
        assert 8 <= counts.captured <= 11
        assert len(times) == counts.analysed == counts.captured - sum(counts.dropped.values())
        view = process.await_state("once", "ended")
        assert view.reason == "played to its end"
        process.await_state("again", "live")


def test_sigterm_ends_within_ten_seconds_though_a_reader_hangs(url: str, tmp_path: Path) -> None:
    with (
        mjpeg_server([encode(number) for number in range(20)]) as camera,
        ingest(url, tmp_path, {"a": {"source": camera.url, "timeout_s": 60}}) as process,
    ):
        process.await_state("a", "live")
        camera.frozen.set()
        process.await_state("a", "stalled")
        process.process.send_signal(signal.SIGTERM)
        assert process.process.wait(STOP_S) == 0
        assert process.book.holders() == {}
        assert ProcessBook(process.client).list("ingest") == []


def test_frozen_ingest_that_comes_back_late_leaves_its_successor_alone(url: str, tmp_path: Path, film: Path) -> None:
    with ingest(url, tmp_path, {"a": looped(film)}, "one") as one:
        one.await_state("a", "live")
        with ingest(url, tmp_path, None, "two") as two:
            wait_for(lambda: "ingest.started" in two.said, GENEROUS_S, "the second ingest")
            one.process.send_signal(signal.SIGSTOP)
            wait_for(lambda: two.book.holders().get("a") == "two", GENEROUS_S, "the take-over")
            two.await_state("a", "live")
            one.process.send_signal(signal.SIGCONT)
            wait_for(lambda: "camera.hold_lost" in one.said, GENEROUS_S, "the loss in the log of the first")
            two.await_frames("a", 5)
            assert Counts.read(two.client).balanced


def test_second_process_of_the_same_name_wins_and_the_first_says_why_it_rests(
    url: str, tmp_path: Path, film: Path
) -> None:
    (tmp_path / "twin").mkdir()
    with ingest(url, tmp_path, {"a": looped(film)}, "one") as one:
        one.await_state("a", "live")
        with ingest(url, tmp_path / "twin", {"a": looped(film)}, "one") as twin:
            wait_for(lambda: "ingest.name_taken" in one.said, GENEROUS_S, "the word about the name")
            twin.await_frames("a", 15)
            assert one.said.count("ingest.name_taken") + twin.said.count("ingest.name_taken") == 1


def encode(number: int) -> bytes:
    return encode_jpeg(numbered(number))
