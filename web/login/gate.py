"""Who gets in: stands before every route."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote

from flask import Flask, Response, g, redirect, request, session, url_for
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import TooManyRequests, Unauthorized
from werkzeug.middleware.proxy_fix import ProxyFix

from maskwatch.settings.web import WebSettings
from web.login.common import Door
from web.login.cookies import install_sessions
from web.login.forgery import install_forgery_check, refuse_forgery
from web.login.visitor import NOBODY, By, Login, current_login, visitor

__all__ = ["OPEN", "client_address", "install_gate", "is_let_in", "while_let_in"]

OPEN = ("static", "operations.healthz", "operations.readyz", "login_pages.login", "login_pages.enter")
"""What everybody may ask for: whether we are alive, and how to get in."""

_PLAYABLE = ("pages.stream", "pages.snapshot")
"""What players ask for, which know names and passwords only."""

_CHECK_EVERY_S = 10.0


def install_gate(app: Flask, settings: WebSettings, login: Login) -> None:
    """Put a login, sessions and the check of forged requests before all routes of an application.

    Args:
        app: that has no requests yet.
        settings: how far proxies are believed.
        login: the door.
    """
    if settings.proxies:
        # Not X-Forwarded-Host: most proxies pass on what the visitor says there.
        far = settings.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=far, x_proto=far)  # type: ignore[method-assign]
    install_sessions(app, login.key, login.session_s)
    install_forgery_check(app)
    login.install(app)

    @app.before_request
    def gate() -> Response | None:
        g.visitor = NOBODY
        if request.endpoint == "static":
            return None
        if login.is_needed(request.endpoint) or request.endpoint in OPEN:
            g.visitor = login.find(request, session)
            if g.visitor.by is By.PASSWORD:
                login.renew(session)
        if request.endpoint not in OPEN and not is_let_in():
            return _send_away(login)
        refuse_forgery()
        return None

    @app.context_processor
    def words() -> dict[str, bool]:
        return {"is_logged_in": visitor().by is By.PASSWORD}


def is_let_in() -> bool:
    """Tell whether the current request's visitor may see what the site shows."""
    return visitor().by is not By.NOTHING or not current_login().is_needed(request.endpoint)


def client_address() -> str:
    """Return where the current request comes from, as far as configured proxies tell."""
    return request.remote_addr or "unknown"


def while_let_in(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Pass on a stream of the current request until its visitor's session is over.

    Args:
        chunks: which come now and then even when nothing happens.
    """
    if visitor().by is not By.PASSWORD:
        return chunks
    return _until(chunks, current_login().lasting(session))


def _until(chunks: Iterator[bytes], may_stay: Callable[[], bool]) -> Iterator[bytes]:
    checked_at = time.monotonic()
    for chunk in chunks:
        yield chunk
        if time.monotonic() - checked_at > _CHECK_EVERY_S:
            checked_at = time.monotonic()
            if not may_stay():
                return


def _send_away(login: Login) -> Response:
    """Answer somebody who isn't let in: a person gets the page to log in, a program is told what it has to send.

    Raises:
        TooManyRequests: if wrong tokens come from there too often.
        Unauthorized: for everything but a page that somebody opens.
    """
    if request.authorization is not None:
        wait_s = login.common.wait_s(Door.TOKEN, client_address())
        if wait_s:
            raise TooManyRequests("too many wrong tokens from there", retry_after=math.ceil(wait_s))
    is_page = not request.path.startswith(("/api/", "/metrics")) and request.method in ("GET", "HEAD")
    if is_page and request.accept_mimetypes.best_match(["text/plain", "text/html"]) == "text/html":
        asked = _this_address()
        answer = redirect(url_for("login_pages.login", next=None if asked == "/" else asked))
        assert isinstance(answer, Response)
        return answer
    challenges = [WWWAuthenticate("bearer", {"realm": "Maskwatch"})]
    if request.endpoint in _PLAYABLE and "Sec-Fetch-Site" not in request.headers:  # browsers would ask for a password
        challenges.append(WWWAuthenticate("basic", {"realm": "Maskwatch"}))
    raise Unauthorized(
        "nobody is let in without a login: open /login, or send the header `Authorization: Bearer TOKEN` with a token "
        "of web.tokens" + (", or web.metrics_token" if login.credentials.has_metrics_token else ""),
        www_authenticate=challenges,
    )


def _this_address() -> str:
    query = request.query_string.decode("latin-1")
    return quote(request.path) + (f"?{query}" if query else "")
