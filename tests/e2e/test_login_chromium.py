"""A person at the door of a real site, with a real browser."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from maskwatch.broker.connect import connect
from tests.support import requires_debian, wait_for
from tests.support_browser import WAIT_MS
from tests.support_feed import Feeder
from tests.support_login import PASSWORD, TOKEN
from tests.support_redis import redis_server
from tests.support_site import ask, site_process

pytestmark = pytest.mark.timeout(300)


@contextmanager
def site(tmp_path: Path, more: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run a site with a login and two cameras, and give its address."""
    settings = {
        "MASKWATCH_WEB__PASSWORD": PASSWORD,
        "MASKWATCH_WEB__TOKENS__player": TOKEN,
        "MASKWATCH_STATE_DIR": str(tmp_path / "state"),
        **(more or {}),
    }
    with redis_server() as url, connect(url, blocking=True) as client:
        feeder = Feeder(client, ["lobby", "yard"]).start()
        with site_process(url, tmp_path / "web.log", settings) as (port, _process):
            yield f"http://127.0.0.1:{port}"
        feeder.stop()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One site for the tests that only visit it."""
    with site(tmp_path_factory.mktemp("site")) as address:
        yield address


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A person's browser, which has been nowhere yet."""
    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        context.set_default_timeout(WAIT_MS)
        yield context


def log_in(page: Page, password: str = PASSWORD) -> None:
    page.fill("#password", password)
    page.click("main button")


def frames(page: Page) -> int:
    return int(page.evaluate("() => Number(document.querySelector('.tile')?.dataset.frames ?? 0)"))


def test_person_logs_in_looks_and_logs_out(address: str, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{address}/events?from=-1d&camera=lobby")
    assert page.url.startswith(f"{address}/login?next=")
    assert page.locator(":focus").get_attribute("id") == "password"
    log_in(page, "wrong-password")
    page.locator("#problem", has_text="not the password").wait_for()
    log_in(page)
    page.wait_for_url(f"{address}/events?from=-1d&camera=lobby")

    page.goto(f"{address}/")
    wait_for(lambda: frames(page) > 3, 60, "moving pictures behind the login")
    other = context.new_page()
    other.goto(f"{address}/cameras/yard")
    wait_for(lambda: frames(other) > 3, 60, "a camera's page with the same session")
    kept = context.cookies()
    assert all(cookie.get("httpOnly") and cookie.get("sameSite") == "Lax" for cookie in kept)
    assert page.evaluate("() => document.cookie") == ""

    page.click("text=Log out")
    page.wait_for_url(f"{address}/login")
    other.wait_for_url(f"{address}/login?next=%2Fcameras%2Fyard")
    context.add_cookies(kept)  # type: ignore[arg-type]  # what cookies() gives is what add_cookies() takes
    page.goto(f"{address}/")
    assert page.url == f"{address}/login"
    other.reload()
    log_in(other)
    other.wait_for_url(f"{address}/cameras/yard")


def test_form_of_another_site_logs_nobody_out(address: str, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{address}/login")
    log_in(page)
    page.wait_for_url(f"{address}/")
    evil = context.new_page()
    evil.route("http://evil.test/", lambda route: route.fulfill(content_type="text/html", body=forged(address)))
    evil.goto("http://evil.test/")
    with evil.expect_response(f"{address}/logout") as caught:
        evil.click("button")
    assert caught.value.status == 401  # the browser keeps the cookie to itself; with it, this would be a 403
    page.reload()
    assert page.url == f"{address}/"


def forged(address: str) -> str:
    return f'<form method="post" action="{address}/logout"><button>win a prize</button></form>'


def test_restarted_site_knows_its_visitors(tmp_path: Path, context: BrowserContext) -> None:
    kept = []
    for attempt in range(2):
        with site(tmp_path) as address:
            page = context.new_page()
            page.goto(f"{address}/compliance")
            if not attempt:
                log_in(page)
            page.wait_for_url(f"{address}/compliance")
            kept.append({cookie["name"] for cookie in context.cookies() if "name" in cookie})
    assert kept[0] == kept[1]


def test_programs_and_players_stream_with_a_token(tmp_path: Path) -> None:
    requires_debian("ffmpeg")
    with site(tmp_path, {"MASKWATCH_WEB__HOST": "0.0.0.0"}) as address:
        port = int(address.rpartition(":")[2])
        with ask(port, "/cameras/lobby/stream.mjpg") as answer:
            assert answer.status == 401
        with ask(port, "/cameras/lobby/stream.mjpg", headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
            assert answer.status == 200
            assert b"image/jpeg" in answer.read(200)
        for user, expected in ((f"player:{TOKEN}", 0), (f"other:{TOKEN}", 1)):
            url = f"http://{user}@127.0.0.1:{port}/cameras/lobby/stream.mjpg"
            words = ["ffprobe", "-v", "error", "-f", "mpjpeg", "-show_entries", "stream=width", url]
            done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == expected, done.stderr
            assert ("width=640" in done.stdout) is (expected == 0)
