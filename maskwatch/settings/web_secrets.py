"""The site's secrets as they are, from the configuration or from the files that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from maskwatch.errors import ConfigError
from maskwatch.files import read_file
from maskwatch.settings.model import Settings
from maskwatch.settings.rules import NAME_PATTERN
from maskwatch.settings.web import secret_fault, shared_by_two

__all__ = ["WebSecrets", "read_web_secrets"]

_MOST_BYTES = 64 << 10


@dataclass(frozen=True, slots=True, repr=False)
class WebSecrets:
    """What opens the site. Has no text of its own, so that no log and no traceback shows it.

    Attributes:
        password: of the page `/login`, or None.
        tokens: of programs: name -> token.
        metrics_token: for `/metrics` and service discovery alone, or None.
        session_secret: signs sessions, or None.
    """

    password: str | None = None
    tokens: Mapping[str, str] = field(default_factory=dict)
    metrics_token: str | None = None
    session_secret: str | None = None

    @property
    def has_login(self) -> bool:
        """Whether nobody is let in without a password or a token."""
        return self.password is not None or bool(self.tokens)


def read_web_secrets(settings: Settings) -> WebSecrets:
    """Return the site's secrets.

    Args:
        settings: of the installation; paths of files start at its `base`.

    Raises:
        ConfigError: if a file can't be read or what it holds is no such secret; never with the secret.
    """
    web, base = settings.web, settings.base
    tokens = {name: token.get_secret_value() for name, token in web.tokens.items()}
    if web.tokens_file is not None:
        for name, token in _named(base / web.tokens_file.expanduser()):
            if name in tokens:
                raise ConfigError(f"web.tokens_file {web.tokens_file}: program {name!r} is given twice; rename one")
            tokens[name] = token
    secrets = WebSecrets(
        password=_one("password", web.password, web.password_file, base),
        tokens=tokens,
        metrics_token=_one("metrics_token", web.metrics_token, web.metrics_token_file, base),
        session_secret=_one("session_secret", web.session_secret, web.session_secret_file, base),
    )
    if same := shared_by_two({**tokens, "metrics_token": secrets.metrics_token or ""}):
        raise ConfigError(f"web: {same} is the same as another program's token; give each its own")
    return secrets


def _one(key: str, value: SecretStr | None, file: Path | None, base: Path) -> str | None:
    if file is None:
        return None if value is None else value.get_secret_value()
    secret = _text(f"web.{key}_file", base / file.expanduser()).rstrip("\r\n")
    if fault := secret_fault(key, secret):
        raise ConfigError(f"web.{key}_file {file}: {fault}")
    return secret


def _named(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the programs of a file of lines NAME=TOKEN; empty lines and those that begin with # are left out."""
    count = 0
    for number, line in enumerate(_text("web.tokens_file", path).splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, token = (part.strip() for part in line.partition("="))
        if not equals or not re.match(NAME_PATTERN, name):
            raise ConfigError(
                f"web.tokens_file {path}:{number}: expected NAME=TOKEN; names are letters, digits, - and _"
            )
        if fault := secret_fault("tokens", token):
            raise ConfigError(f"web.tokens_file {path}:{number}: {name}: {fault}")
        count += 1
        yield name, token
    if not count:
        raise ConfigError(f"web.tokens_file {path}: expected a line NAME=TOKEN for each program, received none")


def _text(key: str, path: Path) -> str:
    try:
        return read_file(path, _MOST_BYTES, "name a file that the site may read", what=key).decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{key} {path}: not UTF-8 text") from None
