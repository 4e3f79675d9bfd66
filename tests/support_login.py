"""A site with a login, and somebody in front of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from maskwatch.settings import parse_settings
from tests.support_bus import FakeBus
from web.app import create_app
from web.login.visitor import Login
from web.site import site_of

__all__ = ["METRICS_TOKEN", "PASSWORD", "PLAIN", "TOKEN", "csrf_token", "log_in", "site_with"]

PASSWORD = "long-correct-horse"
TOKEN = "t0ken-of-a-program-that-asks"
METRICS_TOKEN = "t0ken-of-prometheus-alone"
PLAIN = {"Sec-Fetch-Site": "same-origin"}
"""What a browser says of a request that one of our own pages makes."""


@contextmanager
def site_with(web: str, bus: FakeBus | None = None, login: Login | None = None) -> Iterator[Flask]:
    """Give a site whose `web:` is this YAML."""
    settings = parse_settings(f"web: {{{web}}}", {})
    app = create_app(settings, bus or FakeBus(), login=login)
    try:
        yield app
    finally:
        site_of(app).hub.close()


def csrf_token(answer: TestResponse) -> str:
    """Return the token in a page's form."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', answer.text)
    assert found, answer.text
    return found[1]


def log_in(browser: FlaskClient, password: str = PASSWORD, wanted: str = "/") -> TestResponse:
    """Do what a person does on the page `/login`."""
    token = csrf_token(browser.get("/login"))
    form = {"password": password, "next": wanted, "csrf_token": token}
    return browser.post("/login", data=form, headers=PLAIN)
