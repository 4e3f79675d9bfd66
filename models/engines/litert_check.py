"""Looking through a `.tflite` file before the runtime does: what it may hold, and how much of it.

The interpreter verifies the file's form, but not what is in it: among 1500 random changes of the shipped detector's
file two brought it down (ai-edge-litert 2.3.0). This refuses what no network of ours has and what points outside the
file; `models.trial` is for the rest.

Source: TensorFlow Lite's schema.fbs, version 3, and the FlatBuffers binary format.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import chain

from maskwatch.errors import ModelError

__all__ = ["check_litert"]

_IDENTIFIER = b"TFL3"
_CUSTOM = 32
"""The builtin code of an operation that isn't built in: its code would have to come from elsewhere."""

_MOST_OPERATORS = 5_000
_MOST_TENSORS = 10_000
_MOST_RANK = 8
_MOST_ELEMENTS = 1 << 26
"""Of one tensor; the largest of a 1920x1088 picture and 32 channels has as many."""


def check_litert(content: bytes, where: str) -> None:
    """Refuse a file that the interpreter should not even see.

    Args:
        content: the whole file.
        where: which one, for the error.

    Raises:
        ModelError: if it is no LiteRT file, is damaged, brings operations of its own, loops, or is too large.
    """
    if content[4:8] != _IDENTIFIER:
        raise ModelError(
            f"model file {where}: LiteRT can't use it (expected the mark {_IDENTIFIER!r} at byte 4, received "
            f"{content[4:8]!r}); install the model again"
        )
    try:
        problem = _problem(_Table.root(content))
    except (struct.error, ValueError, OverflowError):
        problem = "it points outside itself: damaged or cut short"
    if problem:
        raise ModelError(f"model file {where}: LiteRT can't use it ({problem}); install the model again")


def _problem(model: _Table) -> str | None:
    """Return what is wrong with a model, or None."""
    codes, subgraphs, buffers = model.tables(1, 1000), model.tables(2, 100), model.tables(4, _MOST_TENSORS)
    if len(subgraphs) != 1:
        return f"expected one graph, received {len(subgraphs)}: loops and branches aren't accepted"
    for code in codes:
        if _CUSTOM in (code.number(0, "b"), code.number(3, "i")) or code.has(1):
            return "it wants operations that aren't built in"
    if any(buffer.number(1, "Q") or buffer.number(2, "Q") for buffer in buffers):
        return "its weights lie outside of its tables"
    graph = subgraphs[0]
    tensors, operators = graph.tables(0, _MOST_TENSORS), graph.tables(3, _MOST_OPERATORS)
    for tensor in tensors:
        shape = tensor.numbers(0, _MOST_RANK)
        count = 1
        for side in shape:
            count *= max(side, 0)
        if min(shape, default=0) < 0 or count > _MOST_ELEMENTS:
            return f"a tensor of {'x'.join(map(str, shape))} is more than {_MOST_ELEMENTS} numbers"
        if tensor.number(2, "I") >= len(buffers):
            return "a tensor has no buffer"
    used = chain(graph.numbers(1, 100), graph.numbers(2, 100), *(_indices(operator) for operator in operators))
    if any(not -1 <= index < len(tensors) for index in used):
        return "an operation has no tensor"
    if any(operator.number(0, "I") >= len(codes) for operator in operators):
        return "an operation has no code"
    return None


def _indices(operator: _Table) -> Iterator[int]:
    """Yield the tensors that an operator reads and writes; -1 is a missing optional one."""
    for field in (1, 2):
        yield from operator.numbers(field, _MOST_TENSORS)


class _Table:
    """A table of a FlatBuffer; every step outside of it is a `struct.error` or a `ValueError`.

    Args:
        content: the whole file.
        at: where the table begins.
    """

    def __init__(self, content: bytes, at: int) -> None:
        self._content = content
        self._at = at
        self._fields = at - self._read("i", at)
        self._size = self._read("H", self._fields)

    @classmethod
    def root(cls, content: bytes) -> _Table:
        """Open the first table of a file."""
        return cls(content, struct.unpack_from("<I", content, 0)[0])

    def has(self, field: int) -> bool:
        """Say whether a field is there."""
        return self._find(field) is not None

    def number(self, field: int, form: str) -> int:
        """Return a number in `struct`'s form; 0 where the field isn't there."""
        at = self._find(field)
        return 0 if at is None else self._read(form, at)

    def numbers(self, field: int, most: int) -> list[int]:
        """Return a list of 32-bit integers of at most `most`."""
        start, count = self._list(field, most)
        return list(struct.unpack_from(f"<{count}i", self._content, start)) if count else []

    def tables(self, field: int, most: int) -> list[_Table]:
        """Return a list of at most `most` tables."""
        start, count = self._list(field, most)
        places = range(start, start + 4 * count, 4)
        return [_Table(self._content, place + self._read("I", place)) for place in places]

    def _list(self, field: int, most: int) -> tuple[int, int]:
        at = self._find(field)
        if at is None:
            return 0, 0
        start = at + self._read("I", at)
        count = self._read("I", start)
        if count > most:
            raise ValueError(f"expected at most {most} entries, received {count}")
        return start + 4, count

    def _find(self, field: int) -> int | None:
        place = 4 + 2 * field
        if place + 2 > self._size:
            return None
        offset = self._read("H", self._fields + place)
        return self._at + offset if offset else None

    def _read(self, form: str, at: int) -> int:
        if at < 0:
            raise ValueError(f"expected a place in the file, received {at}")
        value: int = struct.unpack_from(f"<{form}", self._content, at)[0]
        return value
