"""Requests that change something must come from our own pages, or from no page at all.

A browser sends a visitor's cookie along with whatever any page makes it send, so a cookie proves nothing by itself.
Each such request is judged twice: by where the browser says that it comes from, and by a token that only our own pages
know. Programs have no cookie that somebody could abuse, and need no token.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, g, request
from flask_wtf.csrf import CSRFProtect, validate_csrf
from werkzeug.exceptions import BadRequest, Forbidden
from wtforms import ValidationError

__all__ = ["check_csrf", "install_forgery_check", "refuse_forgery"]

_SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
_HEADER = "X-CSRFToken"
_FIELD = "csrf_token"
_API = "/api/"
_READ_BY_VIEW = ("jobs.upload",)
"""Take forms whose file may be gigabytes: they read the fields themselves, and call `check_csrf`."""


def install_forgery_check(app: Flask) -> None:
    """Give templates `csrf_token()`; `refuse_forgery` has to be called before each view."""
    app.config.update(
        WTF_CSRF_CHECK_DEFAULT=False,  # it would look into the form before the header, and knows no programs
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session: a page may be open for hours
        WTF_CSRF_FIELD_NAME=_FIELD,
    )
    CSRFProtect(app)


def refuse_forgery() -> None:
    """Let the current request pass unless another page may have made it.

    Raises:
        Forbidden: if the browser says that a page of another site sent it.
        BadRequest: if the token is missing or wrong.
    """
    if request.method in _SAFE:
        return
    if not _is_same_origin():
        raise Forbidden(
            "a page of another site made this request; a proxy in front has to pass the Host header on, or to be "
            "counted in web.proxies"
        )
    sent = request.headers.get(_HEADER)
    if _is_from_program() or (sent is None and request.endpoint in _READ_BY_VIEW):
        return
    # The form isn't looked at where a header has come, nor by the API: what comes there may be a long upload.
    if sent is None and not request.path.startswith(_API):
        sent = request.form.get(_FIELD)
    check_csrf(sent)


def check_csrf(token: str | None) -> None:
    """Let the current request pass if a form's token is right, or if it needs none.

    Args:
        token: the field `csrf_token`, as far as there is one.

    Raises:
        BadRequest: if it is missing or wrong.
    """
    if g.get("csrf_valid", False) or _is_from_program():
        return
    try:
        validate_csrf(token)
    except ValidationError:
        raise BadRequest(
            f"the token that guards against forged requests is missing or belongs to another session; load the page "
            f"again (scripts send it as {_HEADER}; programs send an API token instead, and no cookie)"
        ) from None
    g.csrf_valid = True


def _is_same_origin() -> bool:
    """Tell whether a browser sent this from a page of ours; True as well when no browser did.

    Source: Fetch Metadata Request Headers (W3C); where a browser doesn't send them, as over plain HTTP, its Origin
    header has to name the host that it asked.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    asked = _host_of(f"//{request.host}")
    return asked is not None and _host_of(origin) == asked


def _host_of(address: str) -> str | None:
    """Return HOST or HOST:PORT of an address, without the ports that are left out as a rule; None if it has none."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname:
        return None
    return parts.hostname if port in (None, 80, 443) else f"{parts.hostname}:{port}"


def _is_from_program() -> bool:
    if not any(name in request.headers for name in ("Origin", "Sec-Fetch-Site", "Cookie")):
        return True
    # No page elsewhere can make a browser send this header, and no browser sends it by itself.
    sent = request.authorization
    return request.path.startswith(_API) and sent is not None and sent.type == "bearer"
