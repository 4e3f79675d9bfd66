"""Comparing what was sent with what is right, in a time that tells nothing."""

from __future__ import annotations

import hashlib
import hmac

from maskwatch.settings.web_secrets import WebSecrets

__all__ = ["Credentials"]


class Credentials:
    """What opens the site. Digests are compared, so that lengths don't show either, and always all of them.

    Args:
        secrets: as configured.
        key: of sessions, see `mark`.
    """

    def __init__(self, secrets: WebSecrets, key: bytes) -> None:
        self._password = None if secrets.password is None else _digest(secrets.password)
        self._tokens = {name: _digest(token) for name, token in secrets.tokens.items()}
        self._metrics = None if secrets.metrics_token is None else _digest(secrets.metrics_token)
        self.mark = hmac.new(key, b"password:" + (self._password or b""), hashlib.sha256).hexdigest()[:32]
        """Goes into each session: another password makes another mark, which ends the sessions of the one before."""

    @property
    def has_login(self) -> bool:
        """Whether nobody is let in without a password or a token."""
        return self._password is not None or bool(self._tokens)

    @property
    def has_password(self) -> bool:
        """Whether people can log in by page."""
        return self._password is not None

    @property
    def has_metrics_token(self) -> bool:
        """Whether metrics have a token of their own."""
        return self._metrics is not None

    def is_password(self, given: str) -> bool:
        """Tell whether this is the password."""
        return self._password is not None and hmac.compare_digest(_digest(given), self._password)

    def program(self, given: str) -> str | None:
        """Return the name of the program whose token this is, or None."""
        digest = _digest(given)
        found = [name for name, token in self._tokens.items() if hmac.compare_digest(digest, token)]
        return found[0] if found else None

    def is_metrics_token(self, given: str) -> bool:
        """Tell whether this is the token for metrics alone."""
        return self._metrics is not None and hmac.compare_digest(_digest(given), self._metrics)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
