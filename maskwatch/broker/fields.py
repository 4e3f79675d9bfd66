"""One message in Redis, field by field: written with its version and kind, and checked when it is read."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, TypeVar

import msgpack

from maskwatch.errors import WireError

__all__ = ["VERSION", "Fields", "finite", "pack"]

VERSION = 4
"""Raised whenever a message changes its form; a reader takes its own version only."""

_LONGEST_TEXT = 4096

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")


def finite(what: str, value: float) -> float:
    """Return a number as msgpack knows it; one that no reader would take is refused where it is made."""
    number = float(value)
    if not math.isfinite(number):
        raise WireError(f"{what}: expected a finite number, received {number}")
    return number


def pack(kind: str, fields: Sequence[object]) -> bytes:
    """Write a message."""
    packed = msgpack.packb([VERSION, kind, *fields])
    assert isinstance(packed, bytes)
    return packed


class Fields:
    """The fields of one message, taken from front to back, each checked."""

    def __init__(self, values: Sequence[object], where: str) -> None:
        self._values = values
        self._where = where
        self._at = 0

    @classmethod
    def of(cls, kind: str, data: bytes, where: str, count: int) -> Fields:
        """Open a message.

        Args:
            kind: which one is expected.
            data: the bytes.
            where: whose it is, for the error.
            count: how many fields it has.
        """
        what = f"{kind} of {where}"
        try:
            message: Any = msgpack.unpackb(data, strict_map_key=True)
        except (ValueError, TypeError, msgpack.exceptions.UnpackException, RecursionError) as error:
            raise WireError(f"{what}: expected msgpack, received {len(data)} other bytes ({error})") from error
        if not isinstance(message, list) or len(message) < 2:
            raise WireError(f"{what}: expected a list that begins with version and kind, received {_short(message)}")
        if message[0] != VERSION:
            raise WireError(
                f"{what}: expected version {VERSION}, received {_short(message[0])}; "
                "run the same version of Maskwatch everywhere"
            )
        if message[1] != kind or len(message) != 2 + count:
            raise WireError(
                f"{what}: expected kind {kind!r} with {count} fields, "
                f"received kind {_short(message[1])} with {len(message) - 2}"
            )
        return cls(message[2:], what)

    def text(self) -> str:
        """Take a string."""
        value = self._next()
        if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
            raise self._wrong("a string", value)
        return value

    def truth(self) -> bool:
        """Take a boolean."""
        value = self._next()
        if not isinstance(value, bool):
            raise self._wrong("true or false", value)
        return value

    def whole(self) -> int:
        """Take an integer that isn't negative."""
        value = self._next()
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self._wrong("an integer >= 0", value)
        return value

    def number(self) -> float:
        """Take a finite float."""
        value = self._next()
        if not isinstance(value, float) or not math.isfinite(value):
            raise self._wrong("a finite float", value)
        return value

    def one_of(self, values: type[E]) -> E:
        """Take a member of an enumeration."""
        value = self._next()
        try:
            return values(str(value))
        except ValueError:
            raise self._wrong("one of " + ", ".join(values), value) from None

    def optional(self, take: Callable[[], T]) -> T | None:
        """Take a field that may be empty."""
        if self._at < len(self._values) and self._values[self._at] is None:
            self._at += 1
            return None
        return take()

    def each(self, most: int, take: Callable[[Fields], T]) -> list[T]:
        """Take a list of single fields."""
        value = self._next()
        if not isinstance(value, list) or len(value) > most:
            raise self._wrong(f"a list of at most {most}", value)
        inner = Fields(value, f"{self._where}, field {self._at}")
        return [take(inner) for _ in value]

    def lists(self, count: int, most: int) -> list[Fields]:
        """Take a list of lists with `count` fields each."""
        value = self._next()
        if not isinstance(value, list) or len(value) > most:
            raise self._wrong(f"a list of at most {most}", value)
        for one in value:
            if not isinstance(one, list) or len(one) != count:
                raise self._wrong(f"a list of lists with {count} fields", value)
        return [Fields(one, f"{self._where}, field {self._at}") for one in value]

    def _next(self) -> object:
        value = self._values[self._at]
        self._at += 1
        return value

    def _wrong(self, expected: str, received: object) -> WireError:
        return WireError(f"{self._where}, field {self._at}: expected {expected}, received {_short(received)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
