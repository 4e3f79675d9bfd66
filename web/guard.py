"""Headers that every answer carries, errors in the form that their reader understands, and whom the site answers."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Flask, Response, jsonify, render_template, request
from werkzeug.exceptions import (
    BadRequest,
    ClientDisconnected,
    HTTPException,
    InternalServerError,
    MisdirectedRequest,
    ServiceUnavailable,
)

from maskwatch.errors import QueueError, StoreError
from maskwatch.settings.web import WebSettings, is_loopback
from web.asked import AskedWrong

__all__ = ["install_guard"]

_RETRY_AFTER_S = 5

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

_PROBES = ("operations.healthz", "operations.readyz")
_FOR_OTHER_PAGES = ("pages.stream", "pages.snapshot")
"""A dashboard of somebody's own may show these; its scripts still can't read them."""


def install_guard(app: Flask, settings: WebSettings) -> None:
    """Add the headers, the errors and the check of the Host header to an application."""

    @app.before_request
    def check_host() -> None:
        # A page elsewhere can make its own name point to 127.0.0.1 and read this site through the visitor's browser
        # (DNS rebinding); it can't choose the name that the browser sends. Clients of HTTP/1.0 send none.
        # Behind a login such a page gets nowhere, since it has neither cookie nor token.
        host = request.headers.get("Host")
        if host is None or _is_ours(host, settings) or _is_proof_against_names(settings):
            return
        raise MisdirectedRequest(
            f"this site answers to {', '.join((settings.host, *settings.hosts))} and localhost only, not to "
            f"{host[:80]!r}; name it in web.hosts, set a login (web.password), or let the proxy pass one of those on"
        )

    @app.after_request
    def add_headers(answer: Response) -> Response:
        for name, value in _HEADERS.items():
            answer.headers[name] = value
        if request.endpoint in _FOR_OTHER_PAGES:
            answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        if request.endpoint != "static":
            answer.headers["Cache-Control"] = "no-store"
        return answer

    @app.errorhandler(QueueError)
    @app.errorhandler(StoreError)
    def broker_error(error: QueueError | StoreError) -> Response:
        return _error_answer(ServiceUnavailable(str(error), retry_after=_RETRY_AFTER_S))

    @app.errorhandler(AskedWrong)
    def asked_wrong(error: AskedWrong) -> Response:
        return _error_answer(BadRequest(str(error)))

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        if isinstance(error, InternalServerError):
            error.description = "something in the site broke; its log tells what"
        if isinstance(error, ClientDisconnected):
            error.description = "the request's body broke off or came too slowly; send it again"
        return _error_answer(error)


def _is_ours(host: str, settings: WebSettings) -> bool:
    """Tell whether a Host header names this site."""
    if not settings.hosts and (settings.insecure or settings.has_login):
        return True
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name in (settings.host.lower(), *settings.hosts) or is_loopback(name)


def _is_proof_against_names(settings: WebSettings) -> bool:
    """Tell whether a request is safe under any name: what probes and scrapers ask, who know addresses, not names."""
    return settings.has_login and (request.endpoint in _PROBES or "Authorization" in request.headers)


def _error_answer(error: HTTPException) -> Response:
    """Answer in JSON to programs, in HTML to browsers that open a page, in plain text to the rest."""
    code = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    words = {"status": int(code), "code": HTTPStatus(code).phrase.lower().replace(" ", "_")}
    message = error.description or HTTPStatus(code).description
    if request.path.startswith(("/api/", "/metrics", "/healthz", "/readyz")):
        answer = jsonify(error={**words, "message": message})
    elif request.accept_mimetypes.best_match(["text/plain", "text/html"]) == "text/html":
        answer = Response(render_template("error.html", title=HTTPStatus(code).phrase, message=message))
    else:
        answer = Response(f"{message}\n", mimetype="text/plain")
    answer.status_code = int(code)
    for name, value in error.get_headers():
        if name in ("Retry-After", "Allow", "Content-Range", "WWW-Authenticate"):
            answer.headers.add(name, value)
    return answer
