"""The pages of the record in a browser: without scripts, by keyboard, on a phone and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from maskwatch.blobs import BlobStore
from maskwatch.store import Store
from tests.support import requires_debian
from tests.support_answers import BERLIN, some_weeks
from tests.support_browser import page_of
from tests.support_bus import jpeg_of
from tests.support_feed import picture
from tests.support_redis import redis_server
from tests.support_site import site_process

pytestmark = pytest.mark.timeout(400)

LAST = datetime.now(BERLIN).date() - timedelta(days=1)
PATHS = [
    "/compliance",
    "/compliance?by=weekday,hour&from=-14d",
    "/compliance?by=camera,zone",
    "/events",
    "/compliance/report",
]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    requires_debian("chromium")
    folder = tmp_path_factory.mktemp("state")
    records, keys = some_weeks(LAST, share=0.5)
    with Store(f"sqlite:///{folder / 'record.db'}") as store:
        store.upgrade()
        store.record(records)
    blobs = BlobStore(folder / "blobs", 64 << 20)
    for key in keys:
        blobs.put(key, jpeg_of(picture(5)))
    settings = {"MASKWATCH_STATE_DIR": str(folder), "MASKWATCH_WEB__TIMEZONE": "Europe/Berlin"}
    with redis_server() as url, site_process(url, folder / "web.log", settings) as (port, _process):
        yield port


def test_question_is_asked_and_answered_without_scripts(port: int, browser: Browser) -> None:
    with page_of(browser, java_script_enabled=False) as page:
        page.goto(f"http://127.0.0.1:{port}/compliance")
        assert "wore a mask properly" in page.inner_text(".headline")
        first = (LAST - timedelta(days=2)).isoformat()
        page.fill("input[name=from]", first)
        page.select_option("select[name=camera]", "cafeteria")
        page.select_option("select[name=by]", "hour")
        page.press("select[name=by]", "Enter")
        page.click("text=Show")
        page.wait_for_url(f"**/compliance?from={first}**camera=cafeteria**by=hour**")
        assert page.input_value("select[name=camera]") == "cafeteria"
        assert page.inner_text("h2 >> nth=0") == "By hour of the day"
        assert page.locator(".wide .dot").count() > 8
        page.click("text=the violations behind it")
        page.wait_for_url("**/events?**kind=violation_ended**")
        assert page.locator(".event").count() > 0
        assert set(page.locator(".where a").all_inner_texts()) == {"cafeteria"}
        assert page.locator(".shot img").first.evaluate("(image) => image.naturalWidth") == 640


def test_older_events_are_one_key_away(port: int, browser: Browser) -> None:
    with page_of(browser, java_script_enabled=False) as page:
        page.goto(f"http://127.0.0.1:{port}/events?from=-14d")
        newest = page.locator(".event").first.get_attribute("id")
        page.focus("text=Older events")
        page.keyboard.press("Enter")
        page.wait_for_url("**after=**")
        assert page.locator(f"#{newest}").count() == 0
        page.click("nav.paging >> text=Newest")
        page.wait_for_selector(f"#{newest}")


def test_pages_are_reached_by_keyboard_and_named_for_screen_readers(port: int, browser: Browser) -> None:
    with page_of(browser) as page:
        page.goto(f"http://127.0.0.1:{port}/compliance")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        for name in ("from", "to", "camera", "zone", "by"):
            assert page.evaluate(f"document.querySelector('[name={name}]').labels.length") == 1
        assert page.locator("svg[role=img]:visible").get_attribute("aria-label")
        assert page.locator("table caption").text_content() == "Compliance by day"
        assert page.locator("table th:not([scope])").count() == 0
        page.goto(f"http://127.0.0.1:{port}/events")
        assert page.locator("img:not([alt])").count() == 0
        assert page.locator("h1").count() == 1


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_sticks_out_of_the_page(port: int, browser: Browser, width: int) -> None:
    with page_of(browser, width, color_scheme="light") as page:
        for path in PATHS:
            page.goto(f"http://127.0.0.1:{port}{path}")
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
            assert page.locator(".narrow svg:visible").count() == (
                0 if width > 640 or path == "/events" else page.locator(".narrow svg").count()
            )


def test_report_is_printed_on_pages_whose_tables_are_whole(port: int, browser: Browser, tmp_path: Path) -> None:
    with page_of(browser) as page:
        page.goto(f"http://127.0.0.1:{port}/compliance/report?from=-14d")
        page.emulate_media(media="print")
        assert page.evaluate(
            "[...document.querySelectorAll('.scroll')].every((each) => each.scrollWidth <= each.clientWidth + 1)"
        )
        printed = page.pdf(path=str(tmp_path / "report.pdf"), format="A4")
        assert printed.startswith(b"%PDF")
