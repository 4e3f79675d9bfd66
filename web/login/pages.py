"""The page that lets people in, and the button that lets them out."""

from __future__ import annotations

import math
from urllib.parse import urlsplit

import structlog
from flask import Blueprint, Response, make_response, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response as AnyResponse

from web.login.common import Door
from web.login.gate import client_address
from web.login.visitor import By, current_login, visitor

__all__ = ["login_pages"]

login_pages = Blueprint("login_pages", __name__)

_MOST_NEXT = 2000
_MOST_PASSWORD = 1024


@login_pages.get("/login")
def login() -> AnyResponse:
    """Ask for the password; whoever is in already goes where they want."""
    wanted = _safe_next(request.args.get("next", ""))
    if visitor().by is By.PASSWORD or not current_login().credentials.has_login:
        return redirect(wanted)
    return _page(wanted)


@login_pages.post("/login")
def enter() -> AnyResponse:
    """Let somebody in who knows the password, and send them where they wanted to go."""
    wanted = _safe_next(request.form.get("next", ""))
    door, log = current_login(), structlog.get_logger()
    if not door.credentials.has_login:
        return redirect(wanted, 303)
    wait_s = door.common.wait_s(Door.PASSWORD, client_address())
    if wait_s:
        log.warning("login.too_often", address=client_address())
        answer = _page(wanted, f"Too many attempts from here. The next one is possible in {_duration(wait_s)}.", 429)
        answer.headers["Retry-After"] = str(math.ceil(wait_s))
        return answer
    password = request.form.get("password", "")
    if len(password) > _MOST_PASSWORD or not door.credentials.is_password(password):
        log.warning("login.refused", address=client_address())
        return _page(wanted, "That is not the password.", 403)
    door.begin(session)
    log.info("login.accepted", address=client_address())
    return redirect(wanted, 303)


@login_pages.post("/logout")
def logout() -> AnyResponse:
    """End the session, at every replica and in every open page."""
    current_login().end(session)
    structlog.get_logger().info("login.ended", address=client_address())
    return redirect(url_for("login_pages.login"), 303)


def _page(wanted: str, problem: str = "", status: int = 200) -> Response:
    has_password = current_login().credentials.has_password
    text = render_template("login.html", wanted=wanted, problem=problem, has_password=has_password)
    return make_response(text, status)


def _safe_next(text: str) -> str:
    """Return an address of this site: what was asked for if it is one, else the first page.

    Browsers read two slashes as another site, a backslash as a slash, and a tab or a line break as nothing.
    """
    is_path = text.startswith("/") and not text.startswith("//") and len(text) <= _MOST_NEXT
    if not is_path or "\\" in text or any(character <= " " or character == "\x7f" for character in text):
        return "/"
    return "/" if urlsplit(text).path in ("/login", "/logout") else text


def _duration(seconds: float) -> str:
    """Say seconds as somebody would who waits."""
    if seconds <= 90:
        return f"{math.ceil(seconds)} seconds"
    return f"{math.ceil(seconds / 60)} minutes"
