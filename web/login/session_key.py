"""What sessions are signed with: given, or made once and kept, so that restarts and replicas don't end them."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

import structlog

from maskwatch.errors import ConfigError
from maskwatch.files import read_plain
from maskwatch.settings import Settings
from maskwatch.settings.web_secrets import WebSecrets

__all__ = ["KEY_NAME", "session_key"]

KEY_NAME = "session.key"
_KEY_BYTES = 32
_MOST_BYTES = 4096


def session_key(settings: Settings, given: WebSecrets) -> bytes:
    """Return the key that signs sessions; it is made and kept in the state folder unless one is given.

    Args:
        settings: whose `state_dir` keeps it.
        given: whose `session_secret` wins.

    Raises:
        ConfigError: if there is a login and the key can't be kept: each restart would end all sessions.
    """
    if given.session_secret is not None:
        return given.session_secret.encode()
    folder = Path(os.path.abspath(settings.state_dir.expanduser()))
    try:
        return _kept(folder)
    except OSError as error:
        problem = f"{folder / KEY_NAME}: the key of sessions can't be kept: {error.strerror or error}"
    if given.has_login:
        raise ConfigError(f"{problem}; give web.session_secret or web.session_secret_file, or another state_dir")
    # Without a login sessions only hold the tokens of forms, and a page that is loaded again has a new one.
    structlog.get_logger().warning("web.session_key_not_kept", error=problem)
    return secrets.token_bytes(_KEY_BYTES)


def _kept(folder: Path) -> bytes:
    """Return the key in a folder, made if there is none; of several processes that make one at a time one wins.

    Raises:
        OSError: if it can be neither read nor made.
        ConfigError: if what is there is no key.
    """
    path = folder / KEY_NAME
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=f".{KEY_NAME}-")  # readable by its owner alone
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
            # Unlike a renamed file, a linked one never replaces another's, and is never seen half written.
            with contextlib.suppress(FileExistsError):
                os.link(name, path)
        finally:
            os.unlink(name)
    key = read_plain(path, _MOST_BYTES)
    if len(key) < _KEY_BYTES:
        raise ConfigError(f"{path}: expected a key of {_KEY_BYTES} bytes, received {len(key)}; delete it")
    return key
