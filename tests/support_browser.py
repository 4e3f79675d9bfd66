"""Debian's Chromium for tests, and pages that fail on whatever their console calls an error."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support import requires_debian

__all__ = ["WAIT_MS", "browser", "page_of"]

WAIT_MS = 60_000
"""For what a page does in less than a second on an idle machine."""

_SWITCHES = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the tests of a file; each opens pages of its own."""
    requires_debian("chromium")
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=_SWITCHES, timeout=2 * WAIT_MS)
        yield browser
        browser.close()


@contextmanager
def page_of(browser: Browser, width: int = 1280, height: int = 900, allowed: str = "", **wishes: Any) -> Iterator[Page]:
    """Give a page without a past, and fail on errors of its scripts, breaches of the security policy included.

    Args:
        browser: that shows it.
        width: of what is seen of it.
        height: of the same.
        allowed: text of errors that are expected.
        wishes: further options of `Browser.new_context`.
    """
    context = browser.new_context(viewport={"width": width, "height": height}, **wishes)
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    faults: list[str] = []
    page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    try:
        yield page
        assert [fault for fault in faults if not allowed or allowed not in fault] == []
    finally:
        context.close()
