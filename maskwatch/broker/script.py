"""Runs the Lua scripts of this package on a server, which may have lost or never seen them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import redis
from redis.exceptions import NoScriptError

from maskwatch.broker import keys
from maskwatch.errors import QueueError

__all__ = ["Argument", "Script", "read_script", "run_script", "with_script"]

_ATTEMPTS = 3
"""A script may be flushed again between loading and running it; more often than this, somebody does it in a loop."""

Argument = str | bytes | int | float


@dataclass(frozen=True, slots=True)
class Script:
    """A script as the server gets it.

    Attributes:
        name: of its file, without the ending.
        source: the file's `#!lua` line, the shared functions and the file, with the names of keys.py filled in.
        sha: how the server calls it.
    """

    name: str
    source: str
    sha: str


@cache
def read_script(name: str) -> Script:
    """Return a script of `maskwatch/broker/scripts`."""
    folder = files("maskwatch.broker") / "scripts"
    shebang, _, body = (folder / f"{name}.lua").read_text("utf-8").partition("\n")
    common = (folder / "common.lua").read_text("utf-8")
    names = keys.lua_names()
    source = re.sub(r"\bK\.([A-Z_]+)", lambda found: names[found[1]], f"{shebang}\n{common}\n{body}")
    return Script(name, source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


def run_script(client: redis.Redis, name: str, key_names: Sequence[str], args: Sequence[Argument]) -> Any:
    """Run a script and return what it returns; one round trip, three when the server didn't know it.

    Raises:
        redis.exceptions.RedisError: what the server or the connection says.
        QueueError: if the server forgets the script again and again.
    """
    script = read_script(name)
    return with_script(client, script, lambda: client.evalsha(script.sha, len(key_names), *key_names, *args))


def with_script(client: redis.Redis, script: Script, call: Callable[[], Any]) -> Any:
    """Call something that runs the script; when the server doesn't know it, load it and call again.

    Raises:
        redis.exceptions.RedisError: what the server or the connection says.
        QueueError: if the server forgets the script again and again.
    """
    for _ in range(_ATTEMPTS):
        try:
            return call()
        except NoScriptError:
            client.script_load(script.source)
    raise QueueError(
        f"Redis forgot the script {script.name!r} {_ATTEMPTS} times in a row; who calls SCRIPT FLUSH on it?"
    )
