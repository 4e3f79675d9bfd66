"""The cookie that holds a session: signed, out of reach of scripts, and sent over TLS alone where there is TLS."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from flask import Flask, has_request_context, request
from flask.sessions import SecureCookieSessionInterface

__all__ = ["install_sessions"]


class _Cookies(SecureCookieSessionInterface):
    """Cookies that belong to one installation.

    Cookies don't know ports: two installations on one machine would throw each other's visitors out, if their cookies
    had one name. Over TLS the prefix `__Host-` keeps neighbours in the same domain from setting ours.

    Args:
        key: that signs sessions.
    """

    def __init__(self, key: bytes) -> None:
        self._name = f"maskwatch-{hashlib.sha256(b'name:' + key).hexdigest()[:8]}"

    def get_cookie_name(self, app: Flask) -> str:
        """Return the name."""
        return f"__Host-{self._name}" if self.get_cookie_secure(app) else self._name

    def get_cookie_secure(self, app: Flask) -> bool:
        """Tell whether the visitor came over TLS, as far as configured proxies tell."""
        return has_request_context() and request.is_secure


def install_sessions(app: Flask, key: bytes, lasts_s: float) -> None:
    """Give an application sessions.

    Args:
        app: the application.
        key: that signs them.
        lasts_s: seconds after which a cookie that wasn't renewed isn't taken any more.
    """
    app.secret_key = key
    app.session_interface = _Cookies(key)
    app.config.update(
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",  # Strict would greet everybody who follows a link in a mail with the login
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=timedelta(seconds=lasts_s),
    )
