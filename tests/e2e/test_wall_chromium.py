"""The wall and the pages of cameras in a browser: what moves, what is lost, and what a closed tab leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from maskwatch.broker import keys
from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.connect import connect
from maskwatch.types import CameraState
from tests.support import wait_for
from tests.support_browser import page_of
from tests.support_feed import Feeder
from tests.support_redis import redis_server
from tests.support_site import ask, ask_json, site_process

CAMERAS = [f"camera-{number:02d}" for number in range(32)]
GENEROUS_S = 60.0
LOST, REFUSED, STILL = "camera-03", "camera-06", "camera-05"

pytestmark = pytest.mark.timeout(300)


def tiles(page: Page) -> dict[str, dict[str, Any]]:
    """Return what each tile shows: its look, badge, texts, number of pictures and a hash of its canvas."""
    found: dict[str, dict[str, Any]] = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll(".tile")].map((tile) => {
             const canvas = tile.querySelector("canvas");
             const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
             let hash = 0;
             for (let at = 0; at < pixels.length; at += 37) hash = (hash * 31 + pixels[at]) | 0;
             return [tile.dataset.camera, {
               look: tile.dataset.look, picture: tile.dataset.picture, frames: Number(tile.dataset.frames), hash,
               badge: tile.querySelector(".badge .words").textContent, age: tile.querySelector(".age").textContent,
               people: tile.querySelectorAll(".people li:not([hidden])").length,
             }];
           }))"""
    )
    return found


def cpu_s(process: subprocess.Popen[bytes]) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_over(process: subprocess.Popen[bytes], seconds: float) -> float:
    before = cpu_s(process)
    time.sleep(seconds)  # a measurement of what happens meanwhile, not a wait for something
    return cpu_s(process) - before


def open_streams(port: int) -> int:
    return int(ask_json(port, "/api/v1/status")["streams"]["open"])


def test_wall_of_32_cameras_moves_over_one_connection(tmp_path: Path, browser: Browser) -> None:
    with redis_server() as url, connect(url, blocking=True) as client:
        feeder = Feeder(client, CAMERAS).start()
        with site_process(url, tmp_path / "web.log") as (port, process):
            with page_of(browser, 1920, 1080) as page:
                page.goto(f"http://127.0.0.1:{port}/")
                wait_for(lambda: len(tiles(page)) == 32, GENEROUS_S, "32 tiles")
                hashes: dict[str, set[int]] = {name: set() for name in CAMERAS}

                def all_moved() -> bool:
                    for name, tile in tiles(page).items():
                        if tile["picture"] == "live":
                            hashes[name].add(tile["hash"])
                    return all(len(seen) >= 3 for seen in hashes.values())

                wait_for(all_moved, 2 * GENEROUS_S, "all 32 pictures moving")
                wait_for(lambda: open_streams(port) == 1, GENEROUS_S, "one stream for the whole wall")
                watched_s = cpu_over(process, 2)
                page.locator("#totals", has_text="13 of 26 with mask").wait_for()
                page.locator("#totals", has_text="6 not known yet").wait_for()
                assert page.evaluate("document.documentElement.scrollHeight - innerHeight") <= 0, (
                    "not all tiles are seen"
                )

                feeder.lose(LOST)
                feeder.lose(REFUSED, CameraState.AUTH_FAILED, "401 from rtsp://***@10.0.0.5/stream2")
                feeder.freeze(STILL)
                wait_for(lambda: tiles(page)[LOST]["badge"] == "offline", GENEROUS_S, "the lost camera being told")
                wait_for(lambda: tiles(page)[LOST]["picture"] == "card", GENEROUS_S, "a card instead of its picture")
                wait_for(lambda: tiles(page)[REFUSED]["badge"] == "wrong password", GENEROUS_S, "the reason being told")
                wait_for(lambda: tiles(page)[STILL]["age"].startswith("still, "), GENEROUS_S, "the still scene told")
                looks = {STILL: "live", LOST: "lost", "camera-00": "live"}
                people = {LOST: 0, "camera-00": 1}

                def as_expected() -> bool:
                    shown = tiles(page)
                    return {name: shown[name]["look"] for name in looks} == looks and people == {
                        name: shown[name]["people"] for name in people
                    }

                wait_for(as_expected, GENEROUS_S, "the others going on as before")
                assert page.locator("#shedding").is_hidden()
                client.hset(keys.SHEDDING, "level", 3)
                page.locator("#shedding", has_text="overload: 73 % of the frames").wait_for()
                assert ask_json(port, "/api/v1/status")["shedding"]["level"] == 3
                client.delete(keys.SHEDDING)
                page.locator("#shedding").wait_for(state="hidden")
            wait_for(lambda: open_streams(port) == 0, GENEROUS_S, "the stream ending with the tab")
            idle_s = cpu_over(process, 2)
            print(
                f"\nweb process, CPU per second: {watched_s / 2:.3f} s watched, {idle_s / 2:.4f} s after the tab closed"
            )
            assert idle_s < 0.2
        feeder.stop()


def hide(page: Page, hidden: bool) -> None:
    """Do to a page what switching to another tab and back does."""
    page.evaluate(
        """(hidden) => {
             Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
             document.dispatchEvent(new Event("visibilitychange"));
           }""",
        hidden,
    )


def test_page_of_one_camera_shows_its_picture_and_counts(tmp_path: Path, browser: Browser) -> None:
    with redis_server() as url, connect(url, blocking=True) as client:
        feeder = Feeder(client, ["lobby", "yard"]).start()
        with site_process(url, tmp_path / "web.log") as (port, _process), page_of(browser, 1280, 800) as page:
            page.goto(f"http://127.0.0.1:{port}/cameras/yard")
            wait_for(lambda: tiles(page)["yard"]["frames"] > 5, GENEROUS_S, "a moving picture")
            assert list(tiles(page)) == ["yard"]
            wait_for(lambda: "Frames captured" in page.inner_text("#counts"), GENEROUS_S, "the counts")
            assert "test://yard" in page.inner_text("#facts")
            assert f"({page.get_attribute('#single', 'data-zone')})" in page.inner_text("#facts")
            hide(page, True)
            wait_for(lambda: open_streams(port) == 0, GENEROUS_S, "a hidden page streaming nothing")
            hide(page, False)
            before = tiles(page)["yard"]["frames"]
            wait_for(
                lambda: tiles(page)["yard"]["frames"] > before + 3, GENEROUS_S, "pictures for the page that is back"
            )
            page.goto(f"http://127.0.0.1:{port}/")
            page.click(".tile[data-camera=lobby] a.picture")
            page.wait_for_url("**/cameras/lobby")
        feeder.stop()


def test_cameras_come_and_go_and_none_is_explained(tmp_path: Path, browser: Browser) -> None:
    with (
        redis_server() as url,
        connect(url, blocking=True) as client,
        site_process(url, tmp_path / "web.log") as (port, _process),
        page_of(browser, 1280, 800) as page,
    ):
        page.goto(f"http://127.0.0.1:{port}/")
        wait_for(lambda: page.is_visible("#empty"), GENEROUS_S, "help where no camera is configured")
        assert "source:" in page.inner_text("#empty")
        feeder = Feeder(client, ["lobby"]).start()
        wait_for(lambda: "lobby" in tiles(page), GENEROUS_S, "a camera that was added")
        wait_for(lambda: not page.is_visible("#empty"), GENEROUS_S, "the help going away")
        wait_for(lambda: tiles(page)["lobby"]["frames"] > 2, GENEROUS_S, "its picture")
        feeder.stop()
        CameraBook(client).retire("lobby")
        wait_for(lambda: "lobby" not in tiles(page), GENEROUS_S, "the tile of a removed camera going away")


def test_lost_site_and_lost_redis_are_told_and_come_back(tmp_path: Path, browser: Browser) -> None:
    with (
        redis_server() as url,
        connect(url, blocking=True) as client,
        site_process(url, tmp_path / "web.log") as (port, process),
        # What a page can't load is an error to its console.
        page_of(browser, allowed="Failed to load resource") as page,
    ):
        feeder = Feeder(client, ["lobby"]).start()
        page.goto(f"http://127.0.0.1:{port}/")

        def looks(how: str) -> bool:
            return bool(tiles(page)["lobby"]["look"] == how)

        wait_for(lambda: tiles(page).get("lobby", {}).get("frames", 0) > 2, GENEROUS_S, "a moving picture")
        process.send_signal(signal.SIGSTOP)
        wait_for(lambda: looks("silent"), GENEROUS_S, "the frozen picture being marked")
        assert page.inner_text("#totals") == "", "how many people were in view isn't how many are"
        process.send_signal(signal.SIGCONT)
        wait_for(lambda: looks("live"), GENEROUS_S, "the picture being live again")
        feeder.stop()
        client.shutdown(nosave=True)
        wait_for(lambda: page.is_visible("#banner"), GENEROUS_S, "a banner while Redis is away")
        wait_for(lambda: looks("lost"), GENEROUS_S, "the picture being marked as lost")
        assert page.inner_text("#totals") == page.inner_text(".tile .age") == ""


def test_sigterm_ends_open_streams_and_the_process(tmp_path: Path) -> None:
    with redis_server() as url, connect(url, blocking=True) as client:
        feeder = Feeder(client, ["lobby"]).start()
        with site_process(url, tmp_path / "web.log") as (port, process):
            with ExitStack() as viewers:
                streams = [viewers.enter_context(ask(port, "/cameras/lobby/stream.mjpg")) for _ in range(2)]
                streams.append(viewers.enter_context(ask(port, "/api/v1/wall")))
                wait_for(lambda: open_streams(port) == 3, GENEROUS_S, "three open streams")
                process.send_signal(signal.SIGTERM)
                assert process.wait(10) == 0
                for stream in streams:
                    stream.read()  # to the stream's orderly end
            out, _ = process.communicate(timeout=10)
            assert out == b""
        log = (tmp_path / "web.log").read_text()
        assert "web.listening" in log
        assert "Traceback" not in log
        feeder.stop()
