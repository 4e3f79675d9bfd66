from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from maskwatch.broker import keys
from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.connect import connect
from maskwatch.types import CameraState
from tests.support import free_port, requires_debian, wait_for
from tests.support_feed import Feeder
from tests.support_redis import redis_server
from tests.support_site import ask, ask_json, site_process

SWITCHES = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
CAMERAS = [f"camera-{number:02d}" for number in range(32)]
LOST, REFUSED, STILL = "camera-03", "camera-06", "camera-05"

pytestmark = pytest.mark.timeout(300)


@contextmanager
def browser_page(width: int = 1920, height: int = 1080) -> Iterator[Page]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=SWITCHES)
        page = browser.new_page(viewport={"width": width, "height": height})
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        try:
            yield page
            assert faults == []
        finally:
            browser.close()


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


def test_wall_of_32_cameras_moves_over_one_connection(tmp_path: Path) -> None:
    requires_debian("chromium")
    with redis_server() as url, connect(url, blocking=True) as client:
        feeder = Feeder(client, CAMERAS).start()
        with site_process(url, tmp_path / "web.log") as (port, process):
            with browser_page() as page:
                page.goto(f"http://127.0.0.1:{port}/")
                wait_for(lambda: len(tiles(page)) == 32, 60, "32 tiles")
                hashes: dict[str, set[int]] = {name: set() for name in CAMERAS}

                def all_moved() -> bool:
                    for name, tile in tiles(page).items():
                        if tile["picture"] == "live":
                            hashes[name].add(tile["hash"])
                    return all(len(seen) >= 3 for seen in hashes.values())

                wait_for(all_moved, 90, "all 32 pictures moving")
                wait_for(lambda: open_streams(port) == 1, 20, "one stream for the whole wall")
                watched_s = cpu_over(process, 2)

                feeder.lose(LOST)
                feeder.lose(REFUSED, CameraState.AUTH_FAILED, "401 from rtsp://***@10.0.0.5/stream2")
                feeder.freeze(STILL)
                wait_for(lambda: tiles(page)[LOST]["badge"] == "offline", 20, "the lost camera being told")
                wait_for(lambda: tiles(page)[LOST]["picture"] == "card", 20, "a card instead of its picture")
                wait_for(lambda: tiles(page)[REFUSED]["badge"] == "wrong password", 20, "the reason being told")
                wait_for(lambda: tiles(page)[STILL]["age"].startswith("still, "), 20, "the still scene being told")
                shown = tiles(page)
                assert shown[STILL]["look"] == "live"
                assert shown[LOST]["look"] == "lost"
                assert shown[LOST]["people"] == 0
                assert shown["camera-00"]["look"] == "live"
                assert shown["camera-00"]["people"] == 1
                assert page.locator("#shedding").is_hidden()
                client.hset(keys.SHEDDING, "level", 3)
                page.locator("#shedding", has_text="overload: 73 % of the frames").wait_for(timeout=20_000)
                assert ask_json(port, "/api/v1/status")["shedding"]["level"] == 3
                page.screenshot(path=str(tmp_path / "wall.png"))
                client.delete(keys.SHEDDING)
                page.locator("#shedding").wait_for(state="hidden", timeout=20_000)
            wait_for(lambda: open_streams(port) == 0, 20, "the stream ending with the tab")
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


def test_page_of_one_camera_shows_its_picture_and_counts(tmp_path: Path) -> None:
    requires_debian("chromium")
    with redis_server() as url, connect(url, blocking=True) as client:
        feeder = Feeder(client, ["lobby", "yard"]).start()
        with site_process(url, tmp_path / "web.log") as (port, _process), browser_page(1280, 800) as page:
            page.goto(f"http://127.0.0.1:{port}/cameras/yard")
            wait_for(lambda: tiles(page)["yard"]["frames"] > 5, 60, "a moving picture")
            assert list(tiles(page)) == ["yard"]
            wait_for(lambda: "Frames captured" in page.inner_text("#counts"), 20, "the counts")
            assert "test://yard" in page.inner_text("#facts")
            hide(page, True)
            wait_for(lambda: open_streams(port) == 0, 20, "a hidden page streaming nothing")
            hide(page, False)
            before = tiles(page)["yard"]["frames"]
            wait_for(lambda: tiles(page)["yard"]["frames"] > before + 3, 30, "pictures for the page that is back")
            page.goto(f"http://127.0.0.1:{port}/")
            page.click(".tile[data-camera=lobby] a.picture")
            page.wait_for_url("**/cameras/lobby")
        feeder.stop()


def test_cameras_come_and_go_and_none_is_explained(tmp_path: Path) -> None:
    requires_debian("chromium")
    with (
        redis_server() as url,
        connect(url, blocking=True) as client,
        site_process(url, tmp_path / "web.log") as (port, _process),
        browser_page(1280, 800) as page,
    ):
        page.goto(f"http://127.0.0.1:{port}/")
        wait_for(lambda: page.is_visible("#empty"), 30, "help where no camera is configured")
        assert "source:" in page.inner_text("#empty")
        feeder = Feeder(client, ["lobby"]).start()
        wait_for(lambda: "lobby" in tiles(page), 20, "a camera that was added")
        assert not page.is_visible("#empty")
        wait_for(lambda: tiles(page)["lobby"]["frames"] > 2, 30, "its picture")
        feeder.stop()
        CameraBook(client).retire("lobby")
        wait_for(lambda: "lobby" not in tiles(page), 20, "the tile of a removed camera going away")


def test_lost_site_and_lost_redis_are_told_and_come_back(tmp_path: Path) -> None:
    requires_debian("chromium")
    redis_port = free_port()
    with sync_playwright() as driver, redis_server(port=redis_port) as url, connect(url, blocking=True) as client:
        feeder = Feeder(client, ["lobby"]).start()
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=SWITCHES)
        page = browser.new_page()
        with site_process(url, tmp_path / "web.log") as (port, process):
            page.goto(f"http://127.0.0.1:{port}/")
            wait_for(lambda: tiles(page).get("lobby", {}).get("frames", 0) > 2, 60, "a moving picture")
            process.send_signal(signal.SIGSTOP)
            wait_for(lambda: tiles(page)["lobby"]["look"] == "silent", 20, "the frozen picture being marked")
            process.send_signal(signal.SIGCONT)
            wait_for(lambda: tiles(page)["lobby"]["look"] == "live", 30, "the picture being live again")
            feeder.stop()
            client.shutdown(nosave=True)
            wait_for(lambda: page.is_visible("#banner"), 20, "a banner while Redis is away")
            assert tiles(page)["lobby"]["look"] == "lost"
        browser.close()


def test_sigterm_ends_open_streams_and_the_process(tmp_path: Path) -> None:
    with redis_server() as url, connect(url, blocking=True) as client:
        feeder = Feeder(client, ["lobby"]).start()
        with site_process(url, tmp_path / "web.log") as (port, process):
            with ExitStack() as viewers:
                streams = [viewers.enter_context(ask(port, "/cameras/lobby/stream.mjpg")) for _ in range(2)]
                streams.append(viewers.enter_context(ask(port, "/api/v1/wall")))
                wait_for(lambda: open_streams(port) == 3, 20, "three open streams")
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
