"""Who asks: somebody with a session, a program with a token, or anybody where the site is open."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from secrets import token_urlsafe
from typing import Any

import redis
from flask import Flask, Request, current_app, g
from flask.sessions import SessionMixin

from maskwatch.settings import Settings, WebSettings
from maskwatch.settings.web_secrets import WebSecrets, read_web_secrets
from web.login.common import Common
from web.login.credentials import Credentials
from web.login.session_key import session_key

__all__ = ["FOR_METRICS", "By", "Login", "Visitor", "login_of", "visitor"]

FOR_METRICS = ("operations.metrics", "api.discovery")
"""What Prometheus asks for, and a metrics token opens."""

_KEY = "maskwatch.login"
_ID, _MARK, _SINCE = "id", "mark", "since"


class By(StrEnum):
    """What let somebody in."""

    NOTHING = "nothing"
    """The site is open, or nobody is let in yet."""
    PASSWORD = "password"  # noqa: S105 - what it is, not one
    TOKEN = "token"  # noqa: S105
    METRICS_TOKEN = "metrics_token"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks.

    Attributes:
        by: what let them in.
        name: of the program whose token it is; else empty.
    """

    by: By
    name: str = ""


NOBODY = Visitor(By.NOTHING)


class Login:
    """The door of one site.

    Args:
        settings: how long sessions last.
        secrets: what opens it.
        common: what replicas share.
        key: that signs sessions.
    """

    def __init__(self, settings: WebSettings, secrets: WebSecrets, common: Common, key: bytes) -> None:
        self.credentials = Credentials(secrets, key)
        self.common = common
        self.key = key
        self.session_s = settings.session_hours * 3600

    @classmethod
    def alone(cls, settings: Settings) -> Login:
        """Return the door of a site that keeps and shares nothing: sessions end with its process.

        Raises:
            ConfigError: if a secret's file can't be read.
        """
        secrets = read_web_secrets(settings)
        return cls(settings.web, secrets, Common(), (secrets.session_secret or token_urlsafe()).encode())

    @classmethod
    def kept(cls, settings: Settings, durable: redis.Redis) -> Login:
        """Return the door of a site whose sessions outlive it and hold at each of its replicas.

        Args:
            settings: of the installation.
            durable: the server that keeps records.

        Raises:
            ConfigError: if a secret's file can't be read, or the key of sessions can't be kept.
        """
        secrets = read_web_secrets(settings)
        return cls(settings.web, secrets, Common(durable), session_key(settings, secrets))

    def install(self, app: Flask) -> None:
        """Make `login_of` find this."""
        app.extensions[_KEY] = self

    def is_needed(self, endpoint: str | None) -> bool:
        """Tell whether a route wants somebody to be let in."""
        return self.credentials.has_login or (self.credentials.has_metrics_token and endpoint in FOR_METRICS)

    def find(self, request: Request, session: SessionMixin) -> Visitor:
        """Return who asks; one whom nothing lets in is `NOBODY`."""
        return self._by_header(request) or (Visitor(By.PASSWORD) if self._is_good(session) else NOBODY)

    def _by_header(self, request: Request) -> Visitor | None:
        sent = request.authorization
        if sent is None:
            return None
        if sent.type == "basic":
            # For clients that can't send another header, such as players: the user is the program's name.
            name = self.credentials.program(sent.password or "")
            return Visitor(By.TOKEN, name) if name is not None and name == sent.username else None
        if sent.type != "bearer" or not sent.token:
            return None
        if (name := self.credentials.program(sent.token)) is not None:
            return Visitor(By.TOKEN, name)
        if request.endpoint in FOR_METRICS and self.credentials.is_metrics_token(sent.token):
            return Visitor(By.METRICS_TOKEN)
        return None

    def begin(self, session: SessionMixin) -> None:
        """Let in whoever holds this session; what it held before is gone, so that nobody else's goes on."""
        session.clear()
        session.permanent = True
        session[_ID] = token_urlsafe(16)
        session[_MARK] = self.credentials.mark
        session[_SINCE] = _now()

    def end(self, session: SessionMixin) -> None:
        """End a session: a copy of its cookie opens nothing any more, at no replica."""
        if self._is_good(session):
            self.common.end_session(session[_ID], self.session_s)
        session.clear()

    def renew(self, session: SessionMixin) -> None:
        """Let a session last on from now, when enough of it is over that a new cookie pays."""
        if _now() - session[_SINCE] > self.session_s / 10:
            session[_SINCE] = _now()

    def lasting(self, session: SessionMixin) -> Callable[[], bool]:
        """Return what tells, also after this request, whether somebody who came by this session may stay.

        It says no at half of the session's time, so that who goes on looking comes back in time for a new cookie.
        """
        found = {key: session[key] for key in (_ID, _SINCE)}
        return lambda: _now() - found[_SINCE] < self.session_s / 2 and not self.common.is_ended(found[_ID])

    def _is_good(self, session: SessionMixin) -> bool:
        held: Any = (session.get(_ID), session.get(_MARK), session.get(_SINCE))
        if not (isinstance(held[0], str) and isinstance(held[1], str) and isinstance(held[2], int)):
            return False
        is_ours = hmac.compare_digest(held[1], self.credentials.mark) and self.credentials.has_password
        return is_ours and _now() - held[2] < self.session_s and not self.common.is_ended(held[0])


def _now() -> int:
    """Return seconds since 1970: sessions outlive processes and move between machines."""
    return int(time.time())


def login_of(app: Flask) -> Login:
    """Return the door of an application."""
    found = app.extensions[_KEY]
    assert isinstance(found, Login)
    return found


def visitor() -> Visitor:
    """Return who asks the current request; `By.NOTHING` where the site is open."""
    found = g.get("visitor", NOBODY)
    assert isinstance(found, Visitor)
    return found


def current_login() -> Login:
    """Return the door of the site that answers the current request."""
    return login_of(current_app)
