"""What pydantic finds wrong with a value, in words for people who write configurations and not Python.

What was text, or should have been, is never repeated: it may be a password, or one that stands at the wrong key.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = ["complaint"]

_EXPECTED = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "tuple_type": "a list such as [a, b]",
}
_BOUNDS = {
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
}
_WORDS = frozenset({"string_type", "path_type"})


def complaint(problem: ErrorDetails, keys: list[str]) -> str:
    """Say what was expected of a value and what was received.

    Args:
        problem: of a `pydantic.ValidationError`, with its input.
        keys: that may stand below the value; empty where names do that the user gives.
    """
    kind, value, context = problem["type"], problem["input"], problem.get("ctx", {})
    if kind in _WORDS and isinstance(value, bool | int | float):
        received = _received(value) if isinstance(value, bool) else "a number"
        return f"expected {_EXPECTED[kind]}, received {received}; put it in quotes"
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, received {_received(value)}"
    if kind in _BOUNDS:
        bounds = {name: f"{bound:.12g}" for name, bound in context.items() if isinstance(bound, int | float)}
        return f"expected {_BOUNDS[kind].format(**bounds)}, received {_received(value)}"
    if kind in ("literal_error", "enum"):
        return f"expected {context['expected']}, received {_received(value)}{_near(value, context)}"
    if kind in ("model_type", "dict_type"):
        example = f"keys such as {keys[0]}:" if keys else "a name for each, such as NAME: {...}"
        return f"expected {example}, received {_received(value)}"
    if kind == "too_short":
        return f"expected at least {context['min_length']}, received {context['actual_length']}"
    if kind == "too_long":
        return f"expected at most {context['max_length']}, received {context['actual_length']}"
    text = problem["msg"].removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def _received(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Mapping):
        return "keys"
    if isinstance(value, list | tuple):
        return "a list"
    return "text" if isinstance(value, str) else f"a {type(value).__name__}"


def _near(value: object, context: Mapping[str, Any]) -> str:
    """Name the word that is nearly the one that was given; it is one of those that are told anyway."""
    words = [word.strip(" '") for word in str(context["expected"]).replace(" or ", ",").split(",")]
    near = difflib.get_close_matches(value.strip().lower(), words, n=1) if isinstance(value, str) else []
    return f"; did you mean {near[0]}?" if near else ""
