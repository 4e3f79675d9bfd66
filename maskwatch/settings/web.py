"""Where the site listens, whom it lets in, and how much it gives away."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator, model_validator

from maskwatch.settings.part import Part
from maskwatch.settings.rules import NAME_PATTERN, AtKey

__all__ = ["WebSettings", "is_loopback", "secret_fault", "shared_by_two"]

_LEAST_PASSWORD = 8
"""Characters; NIST SP 800-63B's least for a password that a person remembers and whose attempts are limited."""

_LEAST_TOKEN = 20
"""Characters; what nobody guesses, so that attempts at tokens needn't lock anybody out."""

_LEAST_SESSION_SECRET = 32

_MAKE_ONE = "python3 -c 'import secrets; print(secrets.token_urlsafe(32))' makes one"
_IN_FILES = ("password", "metrics_token", "session_secret")


class WebSettings(Part):
    """Where the site listens, whom it lets in, and how much it gives away."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535, description="0 picks a free one")
    insecure: bool = Field(default=False, description="allow a host other than loopback without a login")
    password: SecretStr | None = Field(default=None, description="that opens the site; empty: no login by page")
    password_file: Path | None = Field(default=None, description="file that holds the password")
    tokens: dict[Annotated[str, Field(pattern=NAME_PATTERN)], SecretStr] = Field(
        default_factory=dict, description="programs that may do all that a person may: name -> token"
    )
    tokens_file: Path | None = Field(default=None, description="file with a line NAME=TOKEN for each program")
    metrics_token: SecretStr | None = Field(default=None, description="for /metrics and service discovery alone")
    metrics_token_file: Path | None = Field(default=None, description="file that holds it")
    session_secret: SecretStr | None = Field(
        default=None, description="signs sessions; the same for all replicas; empty: kept in state_dir"
    )
    session_secret_file: Path | None = Field(default=None, description="file that holds it")
    session_hours: float = Field(default=168.0, ge=0.05, le=8760, description="hours of disuse that end a session")
    hosts: tuple[str, ...] = Field(default=(), description="names that the site answers to, beside loopback's and host")
    proxies: int = Field(default=0, ge=0, le=8, description="in front, whose X-Forwarded-For, -Proto are believed")
    max_streams: int = Field(default=64, ge=1, le=1024, description="open streams; see docs/security.md for one more")
    max_stream_fps: float = Field(default=15.0, ge=0.5, le=60)
    timezone: str | None = Field(default=None, description="of days and hours, such as Europe/Berlin; empty: ours")

    @property
    def has_login(self) -> bool:
        """Whether nobody is let in without a password or a token."""
        return bool(self.password or self.password_file or self.tokens or self.tokens_file)

    @field_validator("timezone")
    @classmethod
    def _is_timezone(cls, value: str | None) -> str | None:
        try:
            return None if value is None else ZoneInfo(value).key
        except (KeyError, OSError, ValueError):
            raise ValueError(f"expected a name such as Europe/Berlin or UTC, received {value!r}") from None

    @field_validator("hosts", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("hosts")
    @classmethod
    def _are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not name or any(character in name for character in "/:*@ "):
                raise ValueError(f"expected names such as cams.example.org, without a port, received {name[:80]!r}")
        return tuple(name.lower() for name in value)

    @field_validator("host")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if not value or any(character in value for character in "/@ ") or value.count(":") == 1:
            raise ValueError(
                f"expected an address or a name such as 127.0.0.1 and nothing more, received {value[:80]!r}; the port "
                "has a key of its own"
            )
        return value

    @field_validator("password", mode="before")
    @classmethod
    def _is_taken_as_it_is(cls, value: object) -> object:
        return SecretStr(value) if isinstance(value, str) else value  # spaces at its ends are a part of it

    @field_validator("tokens", mode="before")
    @classmethod
    def _none_is_none(cls, value: object) -> object:
        return {} if value is None else value

    @model_validator(mode="after")
    def _secrets_are_good(self) -> WebSettings:
        for key in _IN_FILES:
            value = getattr(self, key)
            if value is not None and getattr(self, f"{key}_file") is not None:
                raise AtKey((f"{key}_file",), f"{key} is given as well; keep one of them")
            if value is not None and (fault := secret_fault(key, value.get_secret_value())):
                raise AtKey((key,), fault)
        for name, token in self.tokens.items():
            if fault := secret_fault("tokens", token.get_secret_value()):
                raise AtKey(("tokens", name), fault)
        if same := shared_by_two({name: token.get_secret_value() for name, token in self.tokens.items()}):
            raise AtKey(("tokens", same), "another program has the same token; give each its own")
        return self

    @model_validator(mode="after")
    def _loopback_unless_login(self) -> WebSettings:
        if not self.insecure and not self.has_login and not is_loopback(self.host):
            raise ValueError(
                f"host {self.host} can be reached from other machines and there is no login; set web.password or "
                "web.password_file, use 127.0.0.1, or spell out insecure: true (--insecure)"
            )
        return self


def secret_fault(key: str, secret: str) -> str:
    """Return what is wrong with a secret, in words that don't tell it; empty when nothing is.

    Args:
        key: `password`, `tokens`, `metrics_token` or `session_secret`.
        secret: as it was given.
    """
    if key == "password":
        return "" if len(secret) >= _LEAST_PASSWORD else f"expected at least {_LEAST_PASSWORD} characters"
    least = _LEAST_SESSION_SECRET if key == "session_secret" else _LEAST_TOKEN
    if len(secret) < least:
        return f"expected at least {least} characters; {_MAKE_ONE}"
    if key != "session_secret" and not all("!" <= character <= "~" for character in secret):
        return f"expected letters, digits and signs of ASCII without spaces, since it travels in a header; {_MAKE_ONE}"
    return ""


def shared_by_two(secrets: Mapping[str, str]) -> str:
    """Return the second of two names that have the same secret; empty when there is none."""
    owners: dict[str, str] = {}
    return next((name for name, secret in secrets.items() if owners.setdefault(secret, name) != name), "")


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a listening host name or address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
