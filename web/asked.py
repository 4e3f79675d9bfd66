"""What is said of a question that is wrong: which part, what was expected there, and what was received."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from maskwatch.errors import ConfigError

__all__ = ["AskedWrong", "nearest", "refuse_unknown", "shown_received"]


class AskedWrong(ConfigError):
    """A part of a question is wrong; who asks has to change it. The site answers it with 400, a verb with 2."""


def refuse_unknown(keys: Iterable[str], known: Sequence[str]) -> None:
    """Refuse what nobody would look at.

    Raises:
        AskedWrong: if there is a key that isn't known.
    """
    for key in keys:
        if key not in known:
            raise AskedWrong(
                f"{shown_received(key)} can't be asked here; expected {', '.join(known)}{nearest(key, known)}"
            )


def nearest(word: str, known: Sequence[str]) -> str:
    """Return the end of a message that asks whether another word was meant; empty where none is near."""
    near = difflib.get_close_matches(word, known, 1)
    return f"; did you mean {near[0]}?" if near else ""


def shown_received(text: str) -> str:
    """Return a text as a message quotes it: short, and with nothing in it that isn't printed."""
    return repr(text if len(text) <= 60 else text[:57] + "...")
